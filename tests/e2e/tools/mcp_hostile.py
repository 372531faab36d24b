#!/usr/bin/env python3
"""Sends hostile messages to `moonlet mcp` and checks that each request has exactly one answer.

    mcp_hostile.py COUNT [SEED]

The messages have wrong types, unknown methods, ids in use, huge texts, deep nesting, broken JSON and split lines; calls
are cancelled before they begin, and clients vanish in the middle. MOONLET names the executable. The last line is the
count of messages, answers and servers.
"""
import json
import os
import random
import subprocess
import sys
import threading
import time

COUNT, SEED = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 7
RANDOM = random.Random(SEED)
PER_CLIENT = 120
VALUES = [None, True, 0, -1, 1.5, 1e300, 2**70, "", "x", "\u0000", "\ud800", "é" * 50, [], {}, [[]], {"a": [1]}, "../..", "R-001",
          "/etc/passwd", "--allow=all", ["--allow", "all"], {"jsonrpc": "2.0"}]
METHODS = ["ping", "initialize", "tools/list", "tools/call", "resources/list", "resources/read", "server/discover",
           "resources/templates/list", "prompts/list", "logging/setLevel", "tasks/get", "rpc.discover", "", "tools/call\n"]
TOOLS = ["run_preset", "run_status", "run_wait", "run_resume", "run_cancel", "answer", "task_create", "task_start", "review",
         "preset_x", "session_submit", "review_approve", ""]
NOTES = ["notifications/cancelled", "notifications/initialized", "notifications/progress", "notifications/roots/list_changed",
         "notifications/none"]


def value():
    return RANDOM.choice(VALUES)


def params(method):
    if RANDOM.random() < 0.2:
        return value()
    if method == "tools/call":
        given = {"name": RANDOM.choice(TOOLS) if RANDOM.random() < 0.9 else value(), "arguments": {
            RANDOM.choice(["run", "preset", "repo", "text", "task", "title", "args", "wait_s", "cursor"]): value()
            for _ in range(RANDOM.randrange(4))}}
        if RANDOM.random() < 0.3:
            given["arguments"] = value()
        return given
    return {RANDOM.choice(["uri", "cursor", "_meta", "protocolVersion", "capabilities", "clientInfo"]): value()
            for _ in range(RANDOM.randrange(4))}


def message(number):
    """Returns a random message, and the id that must be answered, if any."""
    roll = RANDOM.random()
    if roll < 0.62:
        method = RANDOM.choice(METHODS)
        id_ = RANDOM.choice([number, "s%d" % number])
        return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params(method)}, id_
    if roll < 0.72:
        note = RANDOM.choice(NOTES)
        return {"jsonrpc": "2.0", "method": note, "params": {"requestId": RANDOM.choice([value(), number - 1])}}, None
    if roll < 0.8:
        return {RANDOM.choice(["jsonrpc", "id", "method", "params", "result", "error"]): value() for _ in range(3)}, None
    if roll < 0.85:
        return [{"jsonrpc": "2.0", "id": number, "method": "ping"}], None
    if roll < 0.9:
        return value(), None
    return RANDOM.choice(['{"jsonrpc":"2.0","id":%d' % number, "[" * 20000, "{" * 5, "\x00\x01", "{\"a\":1}}", '"' * 99,
                          '{"a":1,"a":2}', "é", "\xff\xfe", '{"jsonrpc":"2.0","id":1e999,"method":"ping"}']), None


class Client:
    def __init__(self):
        self.server = subprocess.Popen([os.environ["MOONLET"], "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
        self.answers, self.total = {}, 0
        self.readers = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=lambda: setattr(self, "stderr", self.server.stderr.read()), daemon=True)]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.server.stdout:
            answer = json.loads(line)
            assert answer["jsonrpc"] == "2.0" and ("result" in answer) != ("error" in answer) or "method" in answer, line
            self.total += 1
            key = json.dumps(answer.get("id"))
            self.answers[key] = self.answers.get(key, 0) + 1

    def send(self, data):
        """Sends bytes in parts, as a slow client would."""
        while data:
            size = RANDOM.choice([1, 7, 100, 4096, len(data)])
            self.server.stdin.write(data[:size])
            self.server.stdin.flush()
            data = data[size:] if size > 1 or RANDOM.random() < 0.2 else self.rest(data[size:])

    def rest(self, data):
        self.server.stdin.write(data)
        self.server.stdin.flush()
        return b""


def one_client(first, count):
    client, wanted, cancelled = Client(), {}, set()
    begin = {"jsonrpc": "2.0", "id": "begin", "method": "initialize",
             "params": {"protocolVersion": RANDOM.choice(["2025-06-18", "2025-11-25", "2026-07-28", "x"])}}
    if RANDOM.random() < 0.9:
        client.send(json.dumps(begin).encode() + b"\n")
    for number in range(first, first + count):
        made, id_ = message(number)
        if RANDOM.random() < 0.01:
            made, id_ = "x" * (5 << 20), None
        # In a message with a lone surrogate or a number over 64 bits, the server cannot read the id.
        if "\\ud800" in json.dumps(made) or str(2**70) in json.dumps(made):
            id_ = None
        if id_ is not None:
            wanted[json.dumps(id_)] = wanted.get(json.dumps(id_), 0) + 1
        text = made if isinstance(made, str) else json.dumps(made)
        client.send(text.encode("utf-8", "surrogatepass") + b"\n")
        if id_ is not None and RANDOM.random() < 0.1:
            cancelled.add(json.dumps(id_))
            client.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled",
                                    "params": {"requestId": id_}}).encode() + b"\n")
        if isinstance(made, dict) and made.get("method") == "notifications/cancelled":
            cancelled.add(json.dumps(made["params"]["requestId"]))
            cancelled.add(json.dumps("s%s" % made["params"]["requestId"]))
    # Some clients disconnect without waiting for answers, and the server must end.
    if RANDOM.random() < 0.2:
        wanted = {}
    deadline = time.time() + 60
    while time.time() < deadline and any(key not in client.answers and key not in cancelled for key in wanted):
        time.sleep(0.05)
    client.server.stdin.close()
    code = client.server.wait(60)
    assert code == 0, "the server ended with exit code %d: %r" % (code, client.stderr[-2000:])
    for key in wanted:
        seen = client.answers.get(key, 0)
        assert seen == 1 or seen == 0 and key in cancelled, "%s has %d answers" % (key, seen)
    return client.total


def main():
    done, answers, servers = 0, 0, 0
    while done < COUNT:
        count = min(PER_CLIENT, COUNT - done)
        answers += one_client(done + 1, count)
        done, servers = done + count, servers + 1
    print("%d messages, %d answers, %d servers" % (done, answers, servers))


main()
