#!/usr/bin/env python3
"""Tests events.py with a list of events and with code that emits other events."""
import os
import sys
import tempfile

import events

LIST = '''{"kinds": [
  {"name": "phase", "about": "A phase, {of} \\" a run.", "fields": {"name": "its name", "planned?": "steps"}},
  {"name": "log", "about": "A line.", "fields": {"text": "it"}}]}'''
GOOD = 'run.emit("phase", { name = f(a, "b"), planned = n })\nrun.emit(x and "log" or "phase", { text = "a, b = c" })\n'
# Each entry has the text of a file, and a word from each expected fault.
FILES = [
    (GOOD, []),
    (GOOD + 'run.emit("phase", { step = key, title = 1 })', ["title of phase"]),
    (GOOD + 'core.event.emit("warning", nil, { text = 1 })', ["warning is not listed"]),
    ('run.emit("phase", { name = 1 })', ["planned of phase", "log is never emitted"]),
]


def write(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w", encoding="utf-8") as file:
        file.write(text)


def main():
    wrong = []
    for text, expected in FILES:
        with tempfile.TemporaryDirectory() as root:
            write(root, events.LIST, LIST)
            write(root, "stdlib/a.lua", text)
            found = events.check(root)
            # The second emit in GOOD may also emit a phase, and `text` is not a field of a phase event.
            found = [fault for fault in found if "text of phase" not in fault]
            if len(found) != len(expected) or any(not any(word in fault for fault in found) for word in expected):
                wrong.append(f"{text!r}: {found}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
