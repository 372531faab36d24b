#!/usr/bin/env python3
"""Takes a session over on a pseudo-terminal as a person would, types, and gives it back: attach_session.py MOONLET"""
import json
import os
import pty
import select
import subprocess
import sys
import time

M = sys.argv[1]
def run(*w, **k): return subprocess.run([M, "session", *w], capture_output=True, text=True, **k)
def first(text): return text.splitlines()[0].split("(")[0].strip()  # not every system says which process
run("start", "--name", "c", "--", "sh", "-c", "printf 'hello '; stty -echo; while read l; do echo \"<$l>\"; done")
run("wait", "c", "--until", "hello", "--timeout", "5s")
def attach(name="c"):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(M, [M, "session", "attach", name])
    return pid, fd
def until(fd, text, limit=5):
    seen, end = b"", time.time() + limit
    while text not in seen and time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try: seen += os.read(fd, 65536)
            except OSError: break
    return seen
pid, fd = attach()
print("screen" if b"hello" in until(fd, b"hello") else "no screen")
os.write(fd, b"typed\r")
print("answer" if b"<typed>" in until(fd, b"<typed>") else "no answer")
second = run("submit", "c", "x"); print(second.returncode, first(second.stderr))
poke = run("poke", "c"); print(poke.returncode, first(poke.stderr))
other = run("screen", "c", "--resize", "70x20"); print(other.returncode, first(other.stderr))
p2, f2 = attach(); print(first(until(f2, b"already").decode())); os.waitpid(p2, 0)
os.write(fd, b"\x1d")
out = until(fd, b"detached"); print("detached" if b"detached; S-001 continues" in out and b"?1049l" in out else out)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
third = run("submit", "c", "again"); print(third.returncode); run("wait", "c", "--until", "<again>", "--timeout", "5s")
run("poke", "c"); print("poked", run("wait", "c", "--until", "<>", "--timeout", "5s").returncode)
pid, fd = attach(); until(fd, b"again"); run("kill", "c", "--grace", "100ms"); print(b"has ended" in until(fd, b"has ended"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

# While a person has a session, even the script that started it cannot write to it. Afterwards it can again.
with open("s.lua", "w") as file:
    file.write('''local s = ctx:session { "sh", "-c", "echo up; while read l; do echo \\"<$l>\\"; done", name = "own" }
s:expect "up"
ctx:exec { "sh", "-c", "until [ -e taken ]; do sleep 0.02; done", name = "taken" }
local ok, err = pcall(s.send, s, "first")
ctx:exec { "sh", "-c", "touch refused; until [ -e free ]; do sleep 0.02; done", name = "free" }
s:send "second"
return { ok, err.kind, err.message, s:expect("<(%w+)>").text }
''')
script = subprocess.Popen([M, "run", "s.lua", "--allow", "run=sh", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
while "up" not in run("log", "S-002").stdout: time.sleep(0.02)
pid, fd = attach("S-002"); until(fd, b"up"); open("taken", "w").close()
while not os.path.exists("refused"): time.sleep(0.02)
os.write(fd, b"\x1d"); until(fd, b"detached"); os.waitpid(pid, 0); open("free", "w").close()
said = json.loads(script.communicate()[0])["result"]
print(said[0], said[1], first(said[2]), said[3])
