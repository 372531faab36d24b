#!/usr/bin/env python3
"""Lists the dependencies between the folders of the source tree ("rooms"), and refuses those that are not allowed.

    arrows.py [--root DIR] [--draw]

An arrow comes from an #include or a require. RULES names the rooms that each room may use; a room
that is missing there may use nothing. The exit code is 1 when an arrow is not allowed, when a module is required that is not there, when a file
lies in no room, when the allowed arrows form a circle, when a folder holds more than about 25 files, or when the command
line includes more than an embedder can.
"""
import argparse
import os
import re
import sys

# The rooms of the Lua engine. Each may use only the rooms before it in this list.
ENGINE = ["stdlib/engine/" + room for room in
          ("base", "journal", "budget", "context", "runner", "workspace", "load", "remote", "effects",
           "agent", "session", "run", "repl", "task", "mcp", "export")]

# Maps each room to the rooms that it may use. A room covers its folder and all subfolders without an entry.
RULES = {
    "host/cmake": [],
    "host/base": [],
    "host/validation": ["host/base", "host/validation/schema"],
    "host/validation/schema/format": ["host/base"],
    "host/validation/schema": ["host/base", "host/validation/schema/format"],
    "host/telemetry/secret": ["host/base"],
    "host/telemetry": ["host/base", "host/telemetry/secret"],
    "host/telemetry/live": ["host/base", "host/telemetry"],
    "host/artifact/file": ["host/base"],
    "host/artifact/run": ["host/base", "host/artifact/file", "host/artifact/ledger", "host/artifact/journal"],
    "host/artifact/journal": ["host/base", "host/artifact/file"],
    "host/artifact/ledger": ["host/base", "host/artifact/file"],
    "host/process/child": ["host/base", "host/artifact/file", "host/telemetry/secret"],
    "host/process/wire": ["host/base", "host/artifact/file", "host/telemetry/secret", "host/process/child"],
    "host/process/session": ["host/base", "host/telemetry/secret", "host/process/child"],
    "host/process/keeper": ["host/base", "host/artifact/file", "host/process/child", "host/process/wire",
                            "host/process/session"],
    "host/process/client": ["host/base", "host/artifact/file", "host/artifact/journal", "host/artifact/run",
                            "host/process/child", "host/process/wire"],
    "host/process/remote": ["host/base", "host/artifact/file", "host/process/child", "host/process/wire",
                            "host/process/client", "host/process/keeper"],
    "host/driver": ["host/base", "host/artifact/file", "host/artifact/journal", "host/artifact/run",
                    "host/process/child", "host/process/wire", "host/process/client", "host/telemetry"],
    "host/executor/http": ["host/base"],
    "host/executor/tools": ["host/base", "host/artifact/file", "host/telemetry/secret", "host/process/child",
                            "host/executor/http"],
    "host/executor": ["host/base", "host/validation", "host/artifact/file", "host/telemetry/secret",
                      "host/process/child", "host/executor/http", "host/executor/tools"],
    "host/web": ["host/base", "host/artifact/file", "host/artifact/run", "host/artifact/journal", "host/telemetry",
                 "host/telemetry/live", "host/process/child", "host/process/client"],
    "lua/vm": ["host"],
    "lua/core": ["host", "lua/vm"],
    "lua/sandbox": ["host", "lua/vm", "lua/core"],
    "lua/engine": ["host", "lua/vm", "lua/sandbox", "lua/core", "lua/include"],
    "lua/include": ["host/base"],
    "lua": ["host", "lua/vm", "lua/sandbox", "lua/core", "lua/engine", "lua/include"],
    "stdlib": [],
    "stdlib/engine/base": ["stdlib"],
    "stdlib/engine/journal": ["stdlib", *ENGINE[:1]],
    "stdlib/engine/budget": ["stdlib", *ENGINE[:2]],
    "stdlib/engine/context": ["stdlib", *ENGINE[:3]],
    "stdlib/engine/runner": ["stdlib", *ENGINE[:4]],
    "stdlib/engine/workspace": ["stdlib", *ENGINE[:4]],
    "stdlib/engine/load": ["stdlib", *ENGINE[:5]],
    "stdlib/engine/remote": ["stdlib", *ENGINE[:7]],
    "stdlib/engine/effects": ["stdlib", *ENGINE[:8]],
    "stdlib/engine/agent": ["stdlib", *ENGINE[:9]],
    "stdlib/engine/session": ["stdlib", *ENGINE[:10]],
    "stdlib/engine/run": ["stdlib", *ENGINE[:11]],
    "stdlib/engine/repl": ["stdlib", *ENGINE[:12]],
    "stdlib/engine/task": ["stdlib", *ENGINE[:12]],
    "stdlib/engine/mcp": ["stdlib", *ENGINE[:12], "stdlib/engine/task"],
    "stdlib/engine/export": ["stdlib", *ENGINE[:11], "stdlib/engine/run"],
    "stdlib/engine/cli": ["stdlib", *ENGINE],
    "presets": ["stdlib"],
}
MOST_FILES = 26
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
REQUIRE = re.compile(r'require\s*\(?\s*"moonlet(?:\.([a-z0-9_.]+))?"')
# The command line may include only the public headers, system headers, and those of the standard library.
CLIENT = "lua/main.cpp"
INCLUDE_OF_CLIENT = re.compile(r'^\s*#\s*include\s*([<"][^>"]+)', re.M)
PUBLIC = re.compile(r'<(moonlet/\w+\.h|\w+|(fcntl|limits|poll|signal|unistd)\.h)$')
TOPS = ("host", "lua", "stdlib", "presets")


def room_of(path, rooms):
    """Returns the innermost room that contains `path`, or None."""
    folder = os.path.dirname(path)
    while folder and folder not in rooms:
        folder = os.path.dirname(folder)
    return folder or None


def uses_of(path, text):
    if path.endswith((".h", ".cpp")):
        for name in INCLUDE.findall(text):
            yield "lua/include/" + name if name.startswith("moonlet/") else name
    elif path.endswith(".lua"):
        for name in REQUIRE.findall(text):
            yield "stdlib/" + (name.replace(".", "/") or "init") + ".lua"


def read_tree(root):
    for top in TOPS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders[:] = sorted(f for f in folders if not (top == "presets" and f == "tests"))
            for name in sorted(files):
                if name.endswith((".h", ".cpp", ".lua")):
                    full = os.path.join(folder, name)
                    with open(full, encoding="utf-8") as file:
                        yield os.path.relpath(full, root), file.read()


def allowed(source, target, rules):
    return source == target or any(target == to or target.startswith(to + "/") for to in rules[source] if to != "stdlib") \
        or ("stdlib" in rules[source] and target == "stdlib")


def circles(rules):
    """Returns the rooms that depend on themselves through allowed dependencies."""
    def targets(room):
        for other in rules:
            if other != room and allowed(room, other, rules):
                yield other
    for start in rules:
        seen, todo = set(), list(targets(start))
        while todo:
            room = todo.pop()
            if room == start:
                yield start
                break
            if room not in seen:
                seen.add(room)
                todo += targets(room)


def check(root, rules, most_files):
    """Returns the problems, and the found dependencies with their counts."""
    problems, arrows, count = [], {}, {}
    tree = dict(read_tree(root))
    for path, text in tree.items():
        room = room_of(path, rules)
        count[os.path.dirname(path)] = count.get(os.path.dirname(path), 0) + 1
        if room is None:
            problems.append(f"{path} lies in no room")
            continue
        if path == CLIENT:
            problems += [f"{path} includes {name[1:]}, which is no public header"
                         for name in INCLUDE_OF_CLIENT.findall(text) if not PUBLIC.match(name)]
        for used in uses_of(path, text):
            # The program appends the rest of a name that ends with a dot at run time.
            if used.startswith("stdlib/") and used not in tree and not used.endswith("/.lua"):
                problems.append(f"{path} requires {used}, which is not there")
            target = room_of(used, rules)
            if target is None or target == room:
                continue
            arrows[room, target] = arrows.get((room, target), 0) + 1
            if not allowed(room, target, rules):
                problems.append(f"{path} uses {used}: {room} may not use {target}")
    problems += [f"the allowed arrows lead from {room} back to it" for room in circles(rules)]
    problems += [f"{folder} holds {n} files, more than {most_files}"
                 for folder, n in sorted(count.items()) if n > most_files]
    return problems, arrows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    parser.add_argument("--draw", action="store_true", help="print every arrow with its count")
    options = parser.parse_args()
    problems, arrows = check(options.root, RULES, MOST_FILES)
    if options.draw:
        for (source, target), n in sorted(arrows.items()):
            print(f"{source} -> {target}  {n}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
