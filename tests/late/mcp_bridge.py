#!/usr/bin/env python3
"""A loopback bridge from streamable HTTP to `moonlet mcp` on its standard streams, for the conformance suite.

    mcp_bridge.py DIR      writes DIR/port when it listens; runs until its standard input ends

Each session has a server of its own, started by `initialize`; requests without a session share one. A request is answered
by a stream of events: what the server sends until it has answered, then the answer.
"""
import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import uuid

FOLDER = sys.argv[1]
LIMIT = 120


class Session:
    def __init__(self):
        self.server = subprocess.Popen([os.environ["MOONLET"], "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.boxes, self.lock = {}, threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.server.stdout:
            message = json.loads(line)
            with self.lock:
                if "method" not in message:
                    box = self.boxes.pop(json.dumps(message.get("id")), None)
                    boxes = [box] if box else []
                else:
                    boxes = list(self.boxes.values())[-1:]
            for box in boxes:
                box.put(message)

    def send(self, data):
        with self.lock:
            self.server.stdin.write(data + b"\n")
            self.server.stdin.flush()

    def expect(self, id_):
        box = queue.Queue()
        with self.lock:
            self.boxes[json.dumps(id_)] = box
        return box

    def close(self):
        self.server.stdin.close()
        self.server.wait(30)


SESSIONS = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_local(self):
        for name in ("Host", "Origin"):
            value = (self.headers.get(name) or "127.0.0.1").split("//")[-1].rsplit(":", 1)[0]
            if value not in ("127.0.0.1", "localhost", "[::1]"):
                self.answer(403)
                return False
        return True

    def do_GET(self):
        self.answer(405, headers=[("Allow", "POST, DELETE")])

    def do_DELETE(self):
        session = SESSIONS.pop(self.headers.get("Mcp-Session-Id"), None)
        if session:
            session.close()
        self.answer(200 if session else 404)

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.is_local():
            return
        try:
            message = json.loads(data)
        except ValueError:
            message = None
        name, headers = self.headers.get("Mcp-Session-Id"), []
        if isinstance(message, dict) and message.get("method") == "initialize":
            name = uuid.uuid4().hex
            SESSIONS[name] = Session()
            headers = [("Mcp-Session-Id", name)]
        elif name and name not in SESSIONS:
            return self.answer(404)
        elif not name:
            SESSIONS.setdefault(name, Session())
        session = SESSIONS[name]
        is_request = isinstance(message, dict) and "method" in message and message.get("id") is not None
        if isinstance(message, dict) and not is_request and ("method" in message or "result" in message or "error" in message):
            session.send(json.dumps(message).encode())
            return self.answer(202)
        box = session.expect(message["id"] if is_request else None)
        session.send(data.replace(b"\n", b" "))
        self.stream(box, headers)

    def stream(self, box, headers):
        first = box.get(timeout=LIMIT)
        if "method" not in first:
            code = first.get("error", {}).get("code")
            status = {-32022: 400, -32700: 400, -32600: 400, -32601: 404}.get(code, 200)
            return self.answer(status, json.dumps(first).encode(), [*headers, ("Content-Type", "application/json")])
        self.send_response(200)
        for name, value in [*headers, ("Content-Type", "text/event-stream"), ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"event: message\ndata: " + json.dumps(first).encode() + b"\n\n")
            self.wfile.flush()
            if "method" not in first:
                return None
            first = box.get(timeout=LIMIT)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(FOLDER + "/port.new", "w", encoding="utf-8") as out:
        out.write(str(server.server_address[1]))
    os.rename(FOLDER + "/port.new", FOLDER + "/port")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    for session in SESSIONS.values():
        session.close()


main()
