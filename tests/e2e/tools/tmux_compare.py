#!/usr/bin/env python3
"""Feeds the same keys to programs in a session and in tmux, and compares the screens, resized twice.

    tmux_compare.py MOONLET PROGRAM…                bash, python3, less, vim
    tmux_compare.py MOONLET --log FILE COLSxROWS    what a program printed is fed to both instead
    tmux_compare.py MOONLET --sequences FILE        tmux shows what the unit test of the screen expects
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

MOONLET = sys.argv[1]
ENV = {"PATH": os.environ["PATH"], "HOME": os.getcwd(), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PS1": "$ ", "TERM": "screen",
       "PYTHON_HISTORY": "/dev/null", "INPUTRC": "/dev/null", "LESSHISTFILE": "-", "EXINIT": "set nocompatible"}
TEXT = "\n".join(f"line {i} of a text: " + "word " * (i % 17) + "é中" * (i % 3) for i in range(1, 120)) + "\n"
PROGRAMS = {
    "bash": (["bash", "--norc", "--noprofile"], [["echo one two", "enter"], ["seq 1 50", "enter"], ["printf 'a\\tb\\n'", "enter"]]),
    "python3": (["python3", "-q"], [["print('x' * 100)", "enter"], ["for i in range(30): print(i)", "enter", "enter"]]),
    "less": (["less", "text"], [["space"], ["G"], ["/line 7", "enter"]]),
    "vim": (["vim", "-u", "NONE", "-i", "NONE", "-n", "text"], [["G"], ["ihello", "escape"], [":set number", "enter"]]),
}
TMUX_KEYS = {"enter": "Enter", "space": "Space", "escape": "Escape"}


def tmux(*words):
    return subprocess.run(["tmux", "-L", f"{SOCKET}-{len(ENDED)}", "-f", "/dev/null", *words], env=ENV, check=True, capture_output=True, text=True).stdout


def session(*words):
    return subprocess.run([MOONLET, "session", *words], env=ENV, check=True, capture_output=True, text=True).stdout


def tmux_screen():
    lines = tmux("capture-pane", "-p").split("\n")
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def session_screen(name):
    lines = json.loads(session("screen", name, "--json"))["result"]["lines"]
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def settled(take):
    """Returns the screen once it no longer changes."""
    last, same = None, 0
    for _ in range(100):
        now = take()
        same = same + 1 if now == last else 0
        if same >= 3 and now:
            return now
        last = now
        time.sleep(0.05)
    return last


def compare(name, when):
    ours, theirs = settled(lambda: session_screen(name)), settled(tmux_screen)
    if ours == theirs:
        return 0
    print(f"{name}: {when}: the screens differ")
    for i in range(max(len(ours), len(theirs))):
        a, b = ours[i] if i < len(ours) else None, theirs[i] if i < len(theirs) else None
        if a != b:
            print(f"  {i}: session {a!r}\n     tmux    {b!r}")
    return 1


def play(name):
    argv, steps = PROGRAMS[name]
    wrong = 0
    tmux("new-session", "-d", "-x", "80", "-y", "24", "-s", "t", "env", *[f"{k}={v}" for k, v in ENV.items()], *argv)
    tmux("set-option", "-g", "status", "off")
    tmux("resize-window", "-t", "t", "-x", "80", "-y", "24")
    session("start", "--name", name, "--size", "80x24", "--", "env", "TERM=screen", *argv)
    wrong += compare(name, "started")
    for i, step in enumerate(steps):
        for key in step:
            special = key in TMUX_KEYS
            tmux("send-keys", "-t", "t", *([TMUX_KEYS[key]] if special else ["-l", key]))
            session("submit", name, "--keys", key) if special else session("submit", name, key, "--no-enter")
        wrong += compare(name, f"step {i + 1}")
        if i < 2:
            cols, rows = ((100, 30), (70, 20))[i]
            tmux("resize-window", "-t", "t", "-x", str(cols), "-y", str(rows))
            session("screen", name, "--resize", f"{cols}x{rows}")
            if name in ("bash", "python3"):  # tmux rewraps long lines after a resize, and libvterm 0.1 does not
                tmux("send-keys", "-t", "t", "C-l")
                session("submit", name, "--keys", "ctrl-l")
            wrong += compare(name, f"resized to {cols}x{rows}")
    session("kill", name, "--grace", "100ms")
    tmux("kill-server")
    ENDED.append(name)  # so that the next tmux server gets another socket
    return wrong


def feed_log(path, size):
    """Prints recorded bytes on both terminals. The terminals' replies to queries in the bytes are discarded."""
    cols, rows = size.split("x")
    argv = ["sh", "-c", f"stty raw -echo; cat '{path}'; sleep 60"]
    tmux("new-session", "-d", "-x", cols, "-y", rows, "-s", "t", *argv)
    tmux("set-option", "-g", "status", "off")
    session("start", "--name", "log", "--size", size, "--", *argv)
    wrong = compare("log", os.path.basename(path))
    session("kill", "log", "--grace", "100ms")
    tmux("kill-server")
    return wrong


def bytes_of(text):
    """Returns the text as bytes, with the escapes \\e, \\r, \\n, \\t, \\b, \\\\ and \\xNN decoded."""
    names = {b"e": b"\x1b", b"r": b"\r", b"n": b"\n", b"t": b"\t", b"b": b"\b", b"\\": b"\\"}
    return re.sub(rb"\\(x..|.)", lambda found: names.get(found[1]) or bytes([int(found[1][1:], 16)]), text.encode())


def comes_to(rows, cursor):
    """Waits until tmux shows these rows and this cursor. Returns None, or after five seconds what tmux shows."""
    until = time.monotonic() + 5
    while True:
        row, col = map(int, tmux("display-message", "-p", "#{cursor_y},#{cursor_x}").split(","))
        shown, at = tmux_screen(), f"{row},{min(col, 19)}"
        if shown == rows and cursor in ("-", at):
            return None
        if time.monotonic() > until:
            return f"{shown} and the cursor at {at}"


def play_sequences(path):
    """Feeds tmux the escape sequences of a file of facts, and compares the screens. Facts in brackets are skipped."""
    fifo, wrong = os.path.abspath("sequences"), 0
    os.mkfifo(fifo)
    tmux("new-session", "-d", "-x", "20", "-y", "6", "-s", "t", "sh", "-c", f"stty raw -echo; exec cat '{fifo}'")
    tmux("set-option", "-g", "status", "off")
    tmux("resize-window", "-t", "t", "-x", "20", "-y", "6")
    with open(fifo, "wb", buffering=0) as feed, open(path, encoding="utf-8") as facts:
        for line in facts:
            what, script, rows, cursor = (line.rstrip("\n").split("\t") + [None] * 3)[:4]
            if cursor is None or line[0] == "[":
                continue
            feed.write(b"\x1bc\x1b[?1049l\x1b[2J\x1b[H")
            other = comes_to([], "0,0")
            feed.write(bytes_of(script))
            other = other or comes_to([bytes_of(row).decode() for row in rows.split("|")] if rows != "-" else [], cursor)
            if other:
                print(f"{what}: tmux shows {other}")
                wrong += 1
        tmux("kill-server")
    return wrong


SOCKET, ENDED = f"moonlet-{os.getpid()}", []
if sys.argv[2] == "--sequences":
    others = play_sequences(sys.argv[3])
    print("tmux shows the same" if others == 0 else f"{others} differ")
    sys.exit(0)
if sys.argv[2] == "--log":
    sys.exit(feed_log(sys.argv[3], sys.argv[4]))
with open("text", "w", encoding="utf-8") as file:
    file.write(TEXT)
failed = sum(play(name) for name in sys.argv[2:])
print("the screens are the same" if failed == 0 else f"{failed} differ")
