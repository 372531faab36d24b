#!/usr/bin/env python3
"""Tests arrows.py on small source trees with one fault each. Each fault must cause its message."""
import os
import sys
import tempfile

import arrows

RULES = {"host/base": [], "host/process": ["host/base"], "stdlib": [], "stdlib/engine/journal": ["stdlib"],
         "stdlib/engine/run": ["stdlib", "stdlib/engine/journal"], "lua": ["host"]}
SOUND = {
    "host/base/fd.h": "#include <string>\n",
    "host/process/spawn.cpp": '#include "host/base/fd.h"\n',
    "lua/main.cpp": "#include <unistd.h>\n#include <moonlet/engine.h>\n#include <string>\n",
    "stdlib/git.lua": "return {}\n",
    "stdlib/engine/journal/lines.lua": 'local git = require "moonlet.git"\n',
    "stdlib/engine/run/run.lua": 'local lines = require("moonlet.engine.journal.lines")\n',
}
# Each fault has files that are added to the correct tree or replace its files, and the expected message.
FAULTS = [
    ({"host/base/fd.h": '#include "host/process/spawn.h"\n'}, "host/base may not use host/process"),
    ({"stdlib/engine/journal/lines.lua": 'require "moonlet.engine.run.run"\n'},
     "stdlib/engine/journal may not use stdlib/engine/run"),
    ({"stdlib/git.lua": 'return require("moonlet.engine.journal.lines")\n'}, "stdlib may not use stdlib/engine/journal"),
    ({"stdlib/git.lua": 'require "moonlet.gti"\n'}, "stdlib/git.lua requires stdlib/gti.lua, which is not there"),
    ({"host/state.cpp": "\n"}, "host/state.cpp lies in no room"),
    ({"lua/main.cpp": "#include <uv.h>\n"}, "lua/main.cpp includes uv.h, which is no public header"),
    ({"lua/main.cpp": '#include "host/base/fd.h"\n'}, "lua/main.cpp includes host/base/fd.h, which is no public header"),
    ({f"host/base/f{i}.h": "\n" for i in range(5)}, "host/base holds 6 files"),
]


def problems_of(files, rules=RULES):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return arrows.check(root, rules, 5)[0]


def main():
    wrong = [f"the sound tree is refused: {p}" for p in problems_of(SOUND)]
    for fault, word in FAULTS:
        found = problems_of({**SOUND, **fault})
        if not any(word in problem for problem in found):
            wrong.append(f"not seen: {word}; found {found}")
    circle = {**RULES, "host/base": ["host/process"]}
    if not any("back to it" in problem for problem in problems_of(SOUND, circle)):
        wrong.append("a circle of allowed arrows is not seen")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
