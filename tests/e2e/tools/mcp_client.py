"""A scripted client of `moonlet mcp` for the end-to-end cases.

    from mcp_client import Client
    with Client(revision="2025-06-18", capabilities={…}, roots=[…], answer=fn) as c:
        c.tools()               names of the tools
        c.call(NAME, **args)    the result of a tool, or a protocol error as {"error": …}
        c.send(message), c.request(method, params), c.raw(text)
`answer(method, params)` answers what the server asks. Notifications collect in c.notes, what the server asked in
c.asked. Every line that the server prints must be one JSON-RPC message.
"""
import json
import os
import queue
import subprocess
import threading

META = "io.modelcontextprotocol/"


class Client:
    def __init__(self, revision="2025-06-18", capabilities=None, roots=None, answer=None, name="tester", env=None,
                 cwd=None, begin=True):
        self.revision, self.capabilities, self.answer = revision, capabilities or {}, answer
        self.roots, self.name, self.begin = roots, name, begin
        if roots is not None:
            self.capabilities = {**self.capabilities, "roots": {}}
        self.stateless = revision == "2026-07-28"
        self.notes, self.asked, self.waiting, self.strays = [], [], {}, queue.Queue()
        self.next_id, self.lock = 0, threading.Lock()
        self.server = subprocess.Popen([os.environ.get("MOONLET", "moonlet"), "mcp"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, env={**os.environ, **(env or {})}, cwd=cwd)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        if self.begin and not self.stateless:
            self.hello = self.request("initialize", {"protocolVersion": self.revision,
                                                     "capabilities": self.capabilities,
                                                     "clientInfo": {"name": self.name, "version": "1.0"}})
            self.send({"method": "notifications/initialized"})
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.server.stdin.closed:
            self.server.stdin.close()
        code = self.server.wait(60)
        self.reader.join(10)
        return code

    def raw(self, data):
        self.server.stdin.write(data if isinstance(data, bytes) else data.encode())
        self.server.stdin.flush()

    def send(self, message):
        with self.lock:
            self.raw(json.dumps({"jsonrpc": "2.0", **message}) + "\n")

    def read(self):
        for line in self.server.stdout:
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0", line
            if "method" in message and "id" in message:
                self.asked.append(message)
                threading.Thread(target=self.reply, args=(message,), daemon=True).start()
            elif "method" in message:
                self.notes.append(message)
            elif message.get("id") in self.waiting:
                self.waiting.pop(message["id"]).put(message)
            else:
                self.strays.put(message)
        for box in list(self.waiting.values()):
            box.put({"error": {"code": 0, "message": "the server is gone"}})

    def reply(self, message):
        if message["method"] == "roots/list":
            result = {"roots": [{"uri": "file://" + root} for root in self.roots or []]}
        else:
            result = self.answer(message["method"], message["params"]) if self.answer else None
        if result is not None:
            self.send({"id": message["id"], "result": result})

    def begin_request(self, method, params=None, id_=None):
        self.next_id += 1
        id_ = self.next_id if id_ is None else id_
        params = dict(params or {})
        if self.stateless:
            params["_meta"] = {META + "protocolVersion": self.revision, META + "clientCapabilities": self.capabilities,
                               META + "clientInfo": {"name": self.name, "version": "1.0"}, **params.get("_meta", {})}
        self.waiting[id_] = queue.Queue()
        box = self.waiting[id_]
        self.send({"id": id_, "method": method, "params": params})
        return id_, box

    def request(self, method, params=None, timeout=90):
        answer = self.begin_request(method, params)[1].get(timeout=timeout)
        return answer["result"] if "result" in answer else {"error": answer["error"]}

    def tools(self):
        return [tool["name"] for tool in self.request("tools/list")["tools"]]

    def call(self, tool, **arguments):
        return self.request("tools/call", {"name": tool, "arguments": arguments, "_meta": {"progressToken": tool}})


def text(result):
    return result["content"][0]["text"] if "content" in result else "error: " + result["error"]["message"]


def kind(result):
    """Returns the kind of a tool's error, or None."""
    if "error" in result:
        return "protocol %d" % result["error"]["code"]
    return result["structuredContent"]["error"]["kind"] if result["isError"] else None


def state(result):
    return result["structuredContent"]["run"]["state"]


def run(result):
    return result["structuredContent"]["run"]["id"]


def config(text_):
    folder = os.path.join(os.environ["HOME"], ".config/moonlet")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.lua"), "w", encoding="utf-8") as out:
        out.write(text_)


def record():
    """Returns the recorded calls as (tool, outcome)."""
    with open(".agent/mcp.jsonl", encoding="utf-8") as lines:
        return [(entry["tool"], entry["outcome"]) for entry in map(json.loads, lines)]
