#!/usr/bin/env python3
"""Compares the list of documented events with the events that the code emits.

    events.py [--root DIR]

The list is host/telemetry/kinds.json. An event or a field that is emitted and not listed is a fault, and so is one
that is listed and never emitted.
"""
import argparse
import json
import os
import re
import sys

LIST = "host/telemetry/kinds.json"
# Matches a call of core.event.emit(kind, step, fields), run.emit(kind, fields), or a wrapper of these.
CALL = re.compile(r"\b((?:core\.event|run)\.emit)\(|\b(?:emit|tell)\(")
NAME = re.compile(r'"([a-z]+(?:\.[a-z]+)?)"')


def body_of(text, start, open_, close):
    """Returns the text between the bracket at `start` and its closing bracket, and the index of the latter."""
    depth, at, quote = 0, start, None
    while at < len(text):
        c = text[at]
        if quote:
            if c == "\\":
                at += 1
            elif c == quote:
                quote = None
        elif c in "\"'":
            quote = c
        elif text.startswith("--", at):
            at = text.find("\n", at)
        elif c in open_:
            depth += 1
        elif c in close:
            depth -= 1
            if depth == 0:
                return text[start + 1:at], at
        at += 1
    return "", len(text)


def parts_of(text):
    """Splits at commas outside of brackets and quotes."""
    parts, depth, quote, last, at = [], 0, None, 0, 0
    while at < len(text):
        c = text[at]
        if quote:
            if c == "\\":
                at += 1
            elif c == quote:
                quote = None
        elif c in "\"'":
            quote = c
        elif c in "({[":
            depth += 1
        elif c in ")}]":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[last:at])
            last = at + 1
        at += 1
    return parts + [text[last:]]


def listed(text):
    """Maps the name of each listed event to the names of its fields."""
    return {kind["name"]: {field.rstrip("?") for field in kind["fields"]} for kind in json.loads(text)["kinds"]}


def emitted(text, known):
    """Yields each kind of event that a file emits, with the fields in its table."""
    for match in CALL.finditer(text):
        arguments, _ = body_of(text, match.end() - 1, "(", ")")
        parts = parts_of(arguments)
        # The kind comes before the fields. An expression like `a and "b" or "c"` yields two kinds.
        first = next((i for i, part in enumerate(parts) if part.strip().startswith("{")), len(parts))
        kinds = [name for name in NAME.findall(" ".join(parts[:first])) if match[1] or name in known]
        if not kinds:
            continue
        fields = set()
        for part in parts[1:]:
            part = part.strip()
            if part.startswith("{"):
                inner, _ = body_of(part, 0, "{", "}")
                fields |= {m[1] for m in (re.match(r"\s*(\w+)\s*=[^=]", item) for item in parts_of(inner)) if m}
        for kind in kinds:
            yield kind, fields


def check(root):
    with open(os.path.join(root, LIST), encoding="utf-8") as file:
        known = listed(file.read())
    problems, seen = [], {name: set() for name in known}
    for folder in ("stdlib", "presets"):
        for place, _, names in os.walk(os.path.join(root, folder)):
            for name in sorted(names):
                path = os.path.join(place, name)
                if not name.endswith(".lua"):
                    continue
                with open(path, encoding="utf-8") as file:
                    for kind, fields in emitted(file.read(), known):
                        where = os.path.relpath(path, root)
                        if kind not in known:
                            problems.append(f"{where}: the event {kind} is not listed")
                            continue
                        seen[kind] |= fields | {""}
                        for field in sorted(fields - known[kind] - {"step"}):
                            problems.append(f"{where}: the field {field} of {kind} is not listed")
    for kind, fields in known.items():
        if not seen[kind]:
            problems.append(f"{LIST}: the event {kind} is never emitted")
        for field in sorted(fields - seen[kind]):
            if seen[kind]:
                problems.append(f"{LIST}: the field {field} of {kind} is never emitted")
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    problems = check(parser.parse_args().root)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
