#!/usr/bin/env python3
"""Starts a hundred sessions, one of which prints endlessly. Measures the others' response times and the keepers' memory.

    many_sessions.py MOONLET [COUNT]
"""
import glob
import json
import os
import subprocess
import sys
import time

MOONLET, COUNT = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100


def session(*words):
    return subprocess.run([MOONLET, "session", *words], check=True, capture_output=True, text=True).stdout


def keeper_pids(name):
    """Returns the pids of the guard and the worker of a session."""
    with open(f".agent/sessions/{name}/keeper.log", encoding="utf-8") as log:
        record = json.loads(log.readline())
    return [record["guard"], record["worker"]]


def private_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        fields = {line.split(":")[0]: line.split()[1] for line in file if line.endswith("kB\n")}
    return int(fields["Private_Dirty"]) + int(fields["Private_Clean"])


ids = [session("start", "--", "sh", "-c", "echo up; while read l; do echo got $l; done").strip() for _ in range(COUNT)]
flood = session("start", "--log-cap", "16000000", "--", "sh", "-c", "yes 'a line of some sixty characters that comes again and again'").strip()
time.sleep(1)
begin = time.time()
before = json.loads(session("explain", flood, "--json"))["result"]["facts"]["log_end"]
took = []
for name in ids:
    since = time.monotonic()
    session("screen", name)
    took.append((time.monotonic() - since) * 1000)
after = json.loads(session("explain", flood, "--json"))["result"]["facts"]["log_end"]
rate = (after - before) / (time.time() - begin) / (1 << 20)
took.sort()
own = [sum(private_kb(pid) for pid in keeper_pids(name)) for name in ids[:20]]
since = time.monotonic()
session("list", "--json")
listed = (time.monotonic() - since) * 1000
subprocess.run([MOONLET, "session", "kill", flood, "--grace", "100ms"], check=True, capture_output=True)
for name in ids:
    session("kill", name, "--grace", "50ms")
print(f"{COUNT} sessions beside one of {rate:.0f} MiB/s: an answer takes {took[len(took) // 2]:.0f} ms, "
      f"at most {took[-1]:.0f}; a list of all {listed:.0f} ms; guard and worker have {max(own)} KB of their own")
sys.exit(0 if took[int(len(took) * 0.95)] < 100 and max(own) < 4500 else 1)
