#!/usr/bin/env python3
"""Runs a command on a pseudo terminal of its own and prints the screen that a person would see.

on_terminal.py [--size COLUMNSxROWS] [--when TEXT=WHAT]... -- COMMAND...
Prints the screen at the end, including the lines that scrolled away, and exits with the command's code.
--when: once TEXT has been printed, WHAT is typed; ^C in it is the interrupt key, and a WHAT of
"size:COLUMNSxROWS" changes the size. They come one after the other. Prints an error when the cursor
is hidden at the end, or when the command sends a sequence that the live view does not use.
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time


class Screen:
    """A terminal that knows the sequences of the live view and reports any other."""

    def __init__(self, columns, rows):
        self.columns, self.height = columns, rows
        self.lines, self.row, self.column, self.top = [""], 0, 0, 0
        self.cursor, self.wraps, self.complaints = True, True, []

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n") + "\n"

    def feed(self, text):
        at = 0
        while at < len(text):
            found = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])").match(text, at)
            if found:
                self.obey(found.group(1), found.group(2))
                at = found.end()
            else:
                self.put(text[at])
                at += 1

    def obey(self, number, letter):
        if letter == "A":
            self.row = max(self.row - int(number), self.top)
        elif letter == "B":
            self.row = min(self.row + int(number), len(self.lines) - 1)
        elif letter == "K" and number == "2":
            self.lines[self.row] = ""
        elif number + letter in ("?25l", "?25h"):
            self.cursor = letter == "h"
        elif number + letter in ("?7l", "?7h"):
            self.wraps = letter == "h"
        elif letter != "m":
            self.complaints.append("the sequence %r was sent" % (number + letter))

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.down()
        elif char < " " or char == "\x7f":
            self.complaints.append("the control character %r was sent" % char)
        else:
            if self.column == self.columns and self.wraps:
                self.column = 0
                self.down()
            line = self.lines[self.row].ljust(self.column)
            column = min(self.column, self.columns - 1)
            self.lines[self.row] = line[:column] + char + line[column + 1:]
            self.column = column + 1

    def down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")
        self.top = max(self.top, len(self.lines) - self.height)


def set_size(fd, size):
    columns, rows = map(int, size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return columns, rows


def main():
    words, size, steps = sys.argv[1:], "80x24", []
    while words and words[0] != "--":
        if words[0] == "--size":
            size = words[1]
        elif words[0] == "--when":
            steps.append(words[1].split("=", 1))
        words = words[2:]
    pid, fd = pty.fork()
    if pid == 0:
        # Set the size before the program can query it.
        set_size(0, size)
        os.execvp(words[1], words[1:])
    screen = Screen(*set_size(fd, size))
    raw, seen, end = "", 0, time.monotonic() + 50
    while time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 1)
        if not ready:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        text = data.decode("utf-8", "replace")
        screen.feed(text)
        raw += text
        while steps and steps[0][0] in raw[seen:]:
            seen = raw.index(steps[0][0], seen) + len(steps[0][0])
            what = steps.pop(0)[1]
            if what.startswith("size:"):
                screen.columns, screen.height = set_size(fd, what[5:])
            else:
                os.write(fd, what.replace("^C", "\x03").replace("\\n", "\n").encode())
    _, status = os.waitpid(pid, 0)
    sys.stdout.write(screen.text())
    for complaint in sorted(set(screen.complaints)):
        sys.stderr.write(complaint + "\n")
    if not screen.cursor or not screen.wraps:
        sys.stderr.write("the terminal is not as it was\n")
    for step in steps:
        sys.stderr.write("never seen: %s\n" % step[0])
    sys.exit(os.waitstatus_to_exitcode(status) if hasattr(os, "waitstatus_to_exitcode") else status >> 8)


main()
