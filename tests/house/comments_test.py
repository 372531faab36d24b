#!/usr/bin/env python3
"""Tests comments.py with comments that begin with or without their subject, in each language."""
import os
import sys
import tempfile

import comments

# Maps each file to its text and its number of comments without a subject.
FILES = {
    "host/sound.h": ("/// The rows of a run.\nint rows;  ///< their number\n// A row that nobody reads is dropped.\n", 0),
    "host/own.cpp": ("// What a run left.\nint a;  // of the run\n// whoever asks\n", 3),
    "host/block.cpp": ("// The first line\n// of a sentence that goes on\n// Where it ends.\n", 0),
    "host/columns.h": ("int a;  ///< of a run\n  /// Of a step.\nint b;\n", 2),
    "host/quoted.cpp": ('auto url = "http://of.example"; char c = \'"\';  // one that is free\n', 1),
    "host/words.cpp": ("// Offsets are bytes.\n// ---\n// Whatsoever\n// ---\n// One row a run.\n", 0),
    "lua/a.lua": ('local a = "-- what" -- whether it ends\n--- Of a run.\n---@param what string\n', 2),
    "lua/run.sh": ("#!/bin/sh\n# Those that failed.\necho \"${#what}\" '# of' # nothing is left\n", 2),
    "lua/plain": ("# What is no script\n", 0),
    "lua/room/case/cmd": ("# What a run left.\nmoonlet ps\n# The run is gone.\n", 1),
    "lua/room/case/check": ("true\n# Whose output it is.\n", 1),
    "lua/a.py": ('#!/usr/bin/env python3\nx = "# of"  # who reads it\n', 1),
}


def main():
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        for path, (text, _) in FILES.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        found = [entry for folder in ("host", "lua") for entry in comments.count(root, folder)[1]]
        for path, (_, number) in FILES.items():
            seen = [entry[1:] for entry in found if entry[0] == path]
            if len(seen) != number:
                wrong.append(f"{path}: {number} expected; found {seen}")
        if not comments.check(root, {"host": 10.0, "lua": 100.0}):
            wrong.append("a folder above its limit is not refused")
        if comments.check(root, {"host": 100.0, "lua": 100.0, "none": 0.0}):
            wrong.append("a folder below its limit is refused")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
