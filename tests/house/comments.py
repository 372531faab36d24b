#!/usr/bin/env python3
"""Counts the comments that begin without their subject, and fails if a folder has too many of them.

    comments.py [--root DIR] [--list] [FOLDER...]

A comment begins with the thing it speaks of, not with a clause about a thing that has no name yet.
Lines of comment that follow each other are one block. The exit code is 1 when a folder's share of such
blocks is above its limit. --list prints each of them, of all folders or of those that are named.
"""
import argparse
import os
import re
import sys

# Maps each folder to the allowed percentage of comments without a subject. Lower a limit, never raise it.
LIMITS = {
    "host": 0.3,
    "lua": 0.4,
    "stdlib": 1.0,
    "presets": 1.0,
    "examples": 1.0,
    "tests": 0.5,
}
HEADLESS = re.compile(
    r"(?:what|whatever|who|whoever|whom|whose|of|where|wherever|whether|those|nobody|nothing)\b(?![(:=`])"
    r"|(?:one|ones) (?:that|which|who|whose|of which)\b", re.I)
# Maps a file extension to its comment marker. A file without an extension is a script if it begins with #! or is a
# snippet of an end-to-end case.
MARKERS = {".h": "//", ".cpp": "//", ".lua": "--", ".sh": "#", ".py": "#", "": "#"}
SNIPPETS = {"cmd", "setup", "check"}
# A marker inside quotes begins no comment, so the pattern skips the quoted parts of a line.
QUOTED = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
COMMENT = {
    "//": re.compile(rf"(?:{QUOTED}|[^\"'/]|/(?!/)|['\"])*?(//[/!]?<?)(.*)$"),
    "--": re.compile(rf"(?:{QUOTED}|[^\"'-]|-(?!-)|['\"])*?(---?)(?!\[=*\[)(.*)$"),
    "#": re.compile(rf"(?:(?:{QUOTED}|[^\"'#]|['\"])*\s)?(#)(?!!)(.*)$"),
}


def blocks(text, marker):
    """Yields the line and the text of each block: comments in the same column on lines that follow each other."""
    start, column, words = 0, 0, []
    for number, line in enumerate(text.split("\n"), 1):
        found = COMMENT[marker].match(line) if marker in line else None
        alone = line.lstrip().startswith(marker)
        if words and not (found and alone and found.start(1) == column):
            yield start, " ".join(words)
            words = []
        if not found:
            continue
        said = found[2].strip()
        # Skip banners, annotations (@param) and linter directives, because they are not prose.
        if not re.search(r"\w", said) or said.startswith(("@", "---", "===", "luacheck:", "shellcheck ")):
            if words:
                yield start, " ".join(words)
            words = []
            continue
        if not words:
            start, column = number, found.start(1)
        words.append(said)
    if words:
        yield start, " ".join(words)


def headless(said):
    return HEADLESS.match(said) is not None


def files_of(root, folder):
    for place, folders, names in os.walk(os.path.join(root, folder)):
        folders[:] = sorted(f for f in folders if f != "node_modules" and not f.startswith("."))
        for name in sorted(names):
            path = os.path.join(place, name)
            ending = os.path.splitext(name)[1]
            if ending not in MARKERS or os.path.islink(path):
                continue
            with open(path, "rb") as file:
                text = file.read()
            if ending == "" and name not in SNIPPETS and not text.startswith(b"#!"):
                continue
            yield os.path.relpath(path, root), text.decode("utf-8", "replace"), MARKERS[ending]


def count(root, folder):
    """Returns how many blocks the folder has, and those that open without their subject."""
    total, found = 0, []
    for path, text, marker in files_of(root, folder):
        for line, said in blocks(text, marker):
            total += 1
            if headless(said):
                found.append((path, line, said))
    return total, found


def check(root, limits):
    problems = []
    for folder, limit in limits.items():
        total, found = count(root, folder)
        share = 100.0 * len(found) / total if total else 0.0
        if share > limit:
            problems.append(f"{folder}: {len(found)} of {total} comments ({share:.1f} %) open without their subject, "
                            f"more than {limit} %; comments.py --list {folder} shows them")
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    parser.add_argument("--list", action="store_true", help="print each such comment")
    parser.add_argument("folders", nargs="*", help="with --list, the folders to look in")
    options = parser.parse_args()
    if options.list:
        for folder in options.folders or LIMITS:
            total, found = count(options.root, folder)
            for path, line, said in found:
                print(f"{path}:{line}: {said[:100]}")
            print(f"{folder}: {len(found)} of {total}")
        return 0
    problems = check(options.root, LIMITS)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
