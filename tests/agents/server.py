"""A model server on 127.0.0.1 that answers by a script: Responses for Codex, Messages for
Claude; gemini_api.py for Gemini, opencode_api.py for opencode. Standard library alone.

    server.py DIR      writes DIR/port when it listens; obeys DIR/script.json; logs to DIR/calls.jsonl
    server.py --login  prints an auth.json of Codex's that has expired; the server renews it at /oauth/token

The script is a list of rules {"when": TEXT, "do": [REPLY, …]}, read anew at every call. The first rule
whose text occurs in the prompt answers (one without "when" always does): its first call with the first
reply, and so on; the last reply stays. One with "for": N is over N seconds after its first call. Replies:

    {"text": T}                    the final answer
    {"tool": COMMAND}              a call of the shell tool; "arguments" are put beside it (Codex alone)
    {"write": FILE, "text": T}     a call of the tool that writes files (not Codex)
    {"read": FILE}                 a call of the tool that reads files (not Codex)
    {"mcp": TOOL, "given": {…}}    a call of a tool of the MCP server moonlet, by the name that the agent gives it
    {"status": N, …}               an HTTP error; "message", "type", "code", "headers", "body" say more
    {"hang": true}                 takes the request and never answers
    {"stall": T}                   begins with T and never ends
    {"drop": T}                    begins with T and closes the connection
    {"malformed": TEXT}            TEXT stands where an event should
    {"refused_by_model": true}     the model declines
    {"text": T, "cut_short": true} the answer ends where the model's room ends (opencode alone)

Beside any of them: "after" waits so many seconds first; "usage" is {"input", "cached", "output",
"reasoning"}; "fields" are put into the error's object. There and in headers "+N" stands for the Unix time
N seconds after the first call.
"""
import base64
import http.server
import json
import os
import select
import socketserver
import sys
import threading
import time

from gemini_api import Gemini
from opencode_api import Opencode

FOLDER = sys.argv[1]
LOCK = threading.Lock()
COUNTS, FIRST = {}, {}
CALLS = [0]
USAGE = {"input": 1000, "cached": 200, "output": 50, "reasoning": 10}


def log(**entry):
    entry["at"] = round(time.time(), 3)
    with LOCK:
        with open(os.path.join(FOLDER, "calls.jsonl"), "a", encoding="utf-8") as out:
            out.write(json.dumps(entry) + "\n")


def texts(value):
    """Returns all texts of a request."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)


def choose(prompt):
    with open(os.path.join(FOLDER, "script.json"), encoding="utf-8") as given:
        rules = json.load(given)
    for number, rule in enumerate(rules):
        key = (number, json.dumps(rule))
        if rule.get("when", "") in prompt and time.time() < FIRST.get(key, time.time()) + rule.get("for", 1e9):
            with LOCK:
                count = COUNTS.get(key, 0)
                COUNTS[key] = count + 1
                FIRST.setdefault(key, time.time())
            return rule["do"][min(count, len(rule["do"]) - 1)]
    return {"status": 400, "message": "no rule of the script is about this prompt"}


def filled(value):
    """"+N" becomes the time N seconds after the server's first call."""
    if isinstance(value, str) and value[:1] == "+" and value[1:].isdigit():
        return int(min(FIRST.values()) + int(value[1:]))
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    return value


def login(refresh, seconds):
    """Makes Codex's login with ChatGPT, whose tokens expire after that many seconds."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    token = ".".join([part({"alg": "none"}), part({"exp": int(time.time()) + seconds, "https://api.openai.com/auth": {
        "chatgpt_plan_type": "pro", "chatgpt_account_id": "account"}}), part({})])
    return {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "last_refresh": "2026-01-01T00:00:00Z", "tokens": {
        "id_token": token, "access_token": token, "refresh_token": refresh, "account_id": "account"}}


class Codex:
    """The Responses API."""
    path = "/responses"

    @staticmethod
    def prompt(body):
        return "\n".join(texts(body.get("input", "")))

    @staticmethod
    def is_turn(body):
        return True

    @staticmethod
    def tool_results(body):
        return [item.get("output") for item in body.get("input", [])
                if isinstance(item, dict) and item.get("type") == "function_call_output"]

    @staticmethod
    def begin():
        return [("response.created", {"response": {"id": "resp_1"}})]

    @staticmethod
    def answer(reply, usage):
        if "tool" in reply:
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_%d" % CALLS[0], "name": "exec_command",
                    "arguments": json.dumps({"cmd": reply["tool"], "yield_time_ms": 20000, **reply.get("arguments", {})})}
        elif "mcp" in reply:
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_%d" % CALLS[0], "name": reply["mcp"],
                    "namespace": "mcp__moonlet", "arguments": json.dumps(reply.get("given", {}))}
        elif reply.get("refused_by_model"):
            item = {"type": "message", "role": "assistant", "id": "msg_1",
                    "content": [{"type": "refusal", "refusal": "I cannot help with that."}]}
        else:
            item = {"type": "message", "role": "assistant", "id": "msg_1",
                    "content": [{"type": "output_text", "text": reply["text"]}]}
        return [
            ("response.output_item.added", {"output_index": 0, "item": item}),
            ("response.output_item.done", {"output_index": 0, "item": item}),
            ("response.completed", {"response": {"id": "resp_1", "usage": {
                "input_tokens": usage["input"], "input_tokens_details": {"cached_tokens": usage["cached"]},
                "output_tokens": usage["output"],
                "output_tokens_details": {"reasoning_tokens": usage["reasoning"]},
                "total_tokens": usage["input"] + usage["output"]}}}),
        ]

    @staticmethod
    def partial(text):
        return [("response.output_item.added", {"output_index": 0, "item": {
            "type": "message", "role": "assistant", "id": "msg_1", "content": []}}),
            ("response.output_text.delta", {"output_index": 0, "delta": text})]

    @staticmethod
    def error(reply):
        return {"error": {"message": reply.get("message", "it failed"), "type": reply.get("type", "server_error"),
                          "param": None, "code": reply.get("code"), **filled(reply.get("fields", {}))}}


class Claude:
    """The Messages API."""
    path = "/messages"

    @staticmethod
    def prompt(body):
        return "\n".join(texts(body.get("messages", "")))

    @staticmethod
    def is_turn(body):
        # Claude also sends small requests for itself, without tools.
        return bool(body.get("tools"))

    @staticmethod
    def tool_results(body):
        return [block.get("content") for message in body.get("messages", [])
                for block in (message["content"] if isinstance(message.get("content"), list) else [])
                if isinstance(block, dict) and block.get("type") == "tool_result"]

    @staticmethod
    def begin(usage=None):
        usage = usage or USAGE
        return [("message_start", {"message": {
            "id": "msg_%d" % CALLS[0], "type": "message", "role": "assistant", "model": "claude-test", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {
                "input_tokens": usage["input"] - usage["cached"], "cache_read_input_tokens": usage["cached"],
                "cache_creation_input_tokens": 0, "output_tokens": 1}}})]

    @staticmethod
    def block(reply):
        if "tool" in reply:
            return {"type": "tool_use", "id": "toolu_%d" % CALLS[0], "name": "Bash",
                    "input": {"command": reply["tool"], "description": "a test"}}
        if "write" in reply:
            return {"type": "tool_use", "id": "toolu_%d" % CALLS[0], "name": "Write",
                    "input": {"file_path": reply["write"], "content": reply["text"]}}
        if "read" in reply:
            return {"type": "tool_use", "id": "toolu_%d" % CALLS[0], "name": "Read", "input": {"file_path": reply["read"]}}
        if "mcp" in reply:
            return {"type": "tool_use", "id": "toolu_%d" % CALLS[0], "name": "mcp__moonlet__" + reply["mcp"],
                    "input": reply.get("given", {})}
        if "structured" in reply:
            return {"type": "tool_use", "id": "toolu_%d" % CALLS[0], "name": "StructuredOutput",
                    "input": reply["structured"]}
        return {"type": "text", "text": "" if reply.get("refused_by_model") else reply["text"]}

    @staticmethod
    def stop_reason(reply, block):
        return ("refusal" if reply.get("refused_by_model")
                else "tool_use" if block["type"] == "tool_use" else "end_turn")

    @staticmethod
    def answer(reply, usage):
        block = Claude.block(reply)
        if block["type"] == "tool_use":
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            empty = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        return [
            ("content_block_start", {"index": 0, "content_block": empty}),
            ("content_block_delta", {"index": 0, "delta": delta}),
            ("content_block_stop", {"index": 0}),
            ("message_delta", {"delta": {"stop_reason": Claude.stop_reason(reply, block), "stop_sequence": None},
                               "usage": {"output_tokens": usage["output"]}}),
            ("message_stop", {}),
        ]

    @staticmethod
    def whole(reply, usage):
        """Sends an answer in one piece, for a request without streaming."""
        message = Claude.begin(usage)[0][1]["message"]
        block = Claude.block(reply)
        message.update(content=[block], stop_reason=Claude.stop_reason(reply, block))
        message["usage"]["output_tokens"] = usage["output"]
        return message

    @staticmethod
    def partial(text):
        return [("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
                ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}})]

    @staticmethod
    def error(reply):
        return {"type": "error", "error": {"type": reply.get("type", "api_error"),
                                           "message": reply.get("message", "it failed"),
                                           **filled(reply.get("fields", {}))}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    close_connection = True

    def log_message(self, *_):
        pass

    def gone(self, seconds):
        """Waits; returns true when the other side has closed the connection."""
        end = time.time() + seconds
        while time.time() < end:
            ready, _, _ = select.select([self.connection], [], [], min(0.2, max(0, end - time.time())))
            if ready:
                try:
                    if not self.connection.recv(4096):
                        return True
                except OSError:
                    return True
        return False

    def events(self, events):
        for kind, data in events:
            if kind:  # Gemini's events have no names
                self.wfile.write(("event: %s\n" % kind).encode())
                data = {"type": kind, **data}
            self.wfile.write(("data: %s\n\n" % json.dumps(data)).encode())
        self.wfile.flush()

    def send_json(self, status, value, headers=None):
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in filled(headers or {}).items():
            self.send_header(name, str(text))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        log(kind="other", path=self.path)
        self.send_json(404, {"error": {"message": "there is nothing here"}})

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        api = next((api for api in (Codex, Claude, Gemini, Opencode) if self.path.split("?")[0].endswith(api.path)), None)
        try:
            body = json.loads(data)
        except ValueError:
            body = {}
        if not api or not api.is_turn(body):
            log(kind="other", path=self.path)
            if self.path.endswith("/oauth/token"):
                self.send_json(200, login("renewed", 3600)["tokens"])
            elif api:
                self.send_json(200, Claude.whole({"text": "ok"}, USAGE))
            else:
                self.send_json(404, {"error": {"message": "there is nothing here"}})
            return
        with LOCK:
            CALLS[0] += 1
            number = CALLS[0]
        prompt = api.prompt(body)
        reply = choose(prompt)
        about = {"kind": "turn", "number": number, "api": api.__name__.lower(), "reply": reply,
                 "model": body.get("model") or api is Gemini and Gemini.model(self.path), "stream": bool(body.get("stream")), "size": len(data),
                 "key": next((self.headers[name] for name in ("Authorization", "x-api-key", "x-goog-api-key")
                              if self.headers.get(name)), None),
                 "results": api.tool_results(body)}
        log(**about)
        with open(os.path.join(FOLDER, "request-%d.json" % number), "wb") as out:
            out.write(data)
        try:
            outcome = self.reply(api, body, reply)
        except OSError:
            outcome = "gone"
        log(kind="end", number=number, outcome=outcome)

    def reply(self, api, body, reply):
        if self.gone(reply.get("after", 0)):
            return "gone"
        if "status" in reply:
            self.send_json(reply["status"], reply.get("body") or api.error(reply), reply.get("headers"))
            return "refused"
        if reply.get("hang"):
            self.gone(3600)
            return "gone"
        usage = {**USAGE, **reply.get("usage", {})}
        if api is Claude and not body.get("stream"):
            self.send_json(200, Claude.whole(reply if "text" in reply else {"text": "whole"}, usage))
            return "paid"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.events(api.begin() if api is Codex else api.begin(usage))
        for kind in ("stall", "drop"):
            if kind in reply:
                self.events(api.partial(reply[kind]))
                if kind == "stall":
                    self.gone(3600)
                return "cut"
        if "malformed" in reply:
            name = "" if api is Gemini else "event: response.output_item.done\n"
            self.wfile.write(("%sdata: %s\n\n" % (name, reply["malformed"])).encode())
            return "cut"
        self.events(api.answer(reply, usage))
        return "paid"


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    server = Server(("127.0.0.1", 0), Handler)
    path = os.path.join(FOLDER, "port")
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write("%d\n" % server.server_address[1])
    os.rename(path + ".new", path)
    # Exit if the process that started the server has died.
    parent = os.getppid()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.getppid() == parent:
        time.sleep(0.5)


if __name__ == "__main__":
    if FOLDER == "--login":
        print(json.dumps(login("first", -3600)))
    else:
        main()
