#!/usr/bin/env python3
"""Types into a program on a pseudo-terminal, and waits for each reply as a person would.

at_prompt.py SCRIPT COMMAND...
A line of SCRIPT is `expect REGEX`, which waits for a text after the last one; `type TEXT` with the escapes of Python;
`size COLUMNSxROWS`; or `end`, which waits for the end of the program. Escape sequences of the terminal are left out of
what is compared. Prints what was seen when an expectation is not met, and fails.
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

SEQUENCE = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|\x1b[=>]|\r|\x07")
PATIENCE = 40


def set_size(fd, size):
    columns, rows = map(int, size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    script, command = sys.argv[1], sys.argv[2:]
    pid, fd = pty.fork()
    if pid == 0:
        set_size(0, "90x24")
        os.execvp(command[0], command)
    raw, seen, ended = "", 0, False

    def read(until):
        nonlocal raw, ended
        end = time.monotonic() + PATIENCE
        while not until() and not ended and time.monotonic() < end:
            if not select.select([fd], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            ended = not data
            raw += data.decode("utf-8", "replace")
        return until()

    def plain():
        return SEQUENCE.sub("", raw)

    for number, line in enumerate(open(script, encoding="utf-8"), 1):
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "expect":
            pattern = re.compile(rest, re.S)
            if not read(lambda: pattern.search(plain(), seen)):
                print("line %d: %r was not seen in:\n%s" % (number, rest, plain()[seen:]))
                sys.exit(1)
            seen = pattern.search(plain(), seen).end()
        elif verb == "type":
            os.write(fd, rest.encode().decode("unicode_escape").encode())
        elif verb == "size":
            set_size(fd, rest)
        elif verb == "end":
            read(lambda: ended)
    _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
