"""Runs a real agent as a person's own program does, over its structured protocol, and answers the form of a gate.

    mcp_form.py codex|claude BIN PROMPT ANSWER [ARG…]

ANSWER is what the person chooses: approve, reject or decline. ARG are further words of the agent's command line. Prints
what the form asked and how the turn ended.
"""
import json
import queue
import subprocess
import sys
import threading
import time

AGENT, BIN, PROMPT, ANSWER = sys.argv[1:5]
ARGS = sys.argv[5:]
LIMIT = 120


class Peer:
    def __init__(self, argv):
        self.agent = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.end = time.time() + LIMIT

    def read(self):
        for line in self.agent.stdout:
            try:
                self.lines.put(json.loads(line))
            except ValueError:
                pass
        self.lines.put(None)

    def send(self, message):
        self.agent.stdin.write(json.dumps(message) + "\n")
        self.agent.stdin.flush()

    def messages(self):
        while time.time() < self.end:
            try:
                message = self.lines.get(timeout=1)
            except queue.Empty:
                continue
            if message is None:
                return
            yield message
        print("no end within %d s" % LIMIT)

    def close(self):
        self.agent.stdin.close()
        try:
            self.agent.wait(20)
        except subprocess.TimeoutExpired:
            self.agent.kill()


def chosen():
    if ANSWER == "decline":
        return {"action": "decline"}
    return {"action": "accept", "content": {"answer": ANSWER}}


def codex():
    peer = Peer([BIN, "app-server", *ARGS])
    peer.send({"id": 1, "method": "initialize", "params": {
        "clientInfo": {"name": "test", "title": "test", "version": "1"}, "capabilities": {"experimentalApi": True}}})
    for message in peer.messages():
        if message.get("id") == 1 and "result" in message:
            peer.send({"method": "initialized"})
            peer.send({"id": 2, "method": "thread/start", "params": {
                "model": "mock-1", "approvalPolicy": "on-request", "sandbox": "read-only"}})
        elif message.get("id") == 2 and "result" in message:
            peer.send({"id": 3, "method": "turn/start", "params": {
                "threadId": message["result"]["thread"]["id"], "input": [{"type": "text", "text": PROMPT}]}})
        elif message.get("method") == "mcpServer/elicitation/request":
            params = message["params"]
            if (params.get("_meta") or {}).get("codex_approval_kind") == "mcp_tool_call":
                peer.send({"id": message["id"], "result": {"action": "accept", "content": {}}})
            else:
                print("form:", params["message"].split("\n")[0])
                peer.send({"id": message["id"], "result": chosen()})
        elif "id" in message and "method" in message:
            peer.send({"id": message["id"], "error": {"code": -32601, "message": "not here"}})
        elif message.get("method") == "turn/completed":
            print("turn:", message["params"]["turn"]["status"])
            break
    peer.close()


def claude():
    peer = Peer([BIN, "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
                 "--permission-prompt-tool", "stdio", *ARGS])
    peer.send({"type": "control_request", "request_id": "r1", "request": {"subtype": "initialize"}})
    peer.send({"type": "user", "message": {"role": "user", "content": PROMPT}, "parent_tool_use_id": None,
               "session_id": ""})
    for message in peer.messages():
        request = message.get("request") or {}
        if message.get("type") == "control_request":
            answer = {"behavior": "allow", "updatedInput": request.get("input", {})}
            if request["subtype"] == "elicitation":
                print("form:", request["message"].split("\n")[0])
                answer = chosen()
            peer.send({"type": "control_response", "response": {
                "subtype": "success", "request_id": message["request_id"], "response": answer}})
        elif message.get("type") == "result":
            print("turn:", message["subtype"])
            break
    peer.close()


{"codex": codex, "claude": claude}[AGENT]()
