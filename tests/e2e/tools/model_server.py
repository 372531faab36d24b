#!/usr/bin/env python3
"""A model server on 127.0.0.1 for moonlet-executor: it speaks Responses and Chat Completions, and answers request
after request with the replies of a script, the last one again and again. Standard library alone.

    model_server.py DIR [--chat | --responses] [--by=N]    obeys DIR/script.json, logs to DIR/requests.jsonl

It writes DIR/port when it listens, and ends when DIR/stop exists or its parent is gone. With --chat there is no
/responses, with --responses no /chat/completions. With --by=N the reply follows from the conversation: one for each N
outputs of tools in it. A reply holds any of:

    "text": T                         what the model says
    "refusal": T                      what the model says in place of an answer
    "filtered": true                  the provider's filter withholds the answer
    "incomplete": true                the last call is marked as broken off (Responses)
    "calls": [[NAME, {ARGUMENT: …}]]  calls of tools; a text in place of the arguments is sent as it is
    "reasoning": T                    a reasoning item (Responses)
    "status": N, "headers", "body"    an HTTP error; "code" and "message" fill the usual body
    "drop": true                      closes the connection in the middle of the answer
    "malformed": TEXT                 TEXT stands where an event should
    "failed": CODE                    the stream ends with this error
    "cut": true                       the answer ends where the model's room ends
    "piece": N                        arguments come in pieces of N bytes (default: all at once)
    "bytes": N                        the stream itself is written N bytes at a time
    "crlf": true                      lines end with CR LF, and comments stand between the events
    "whole": true                     one JSON object, no stream
    "wait": SECONDS                   before it answers
    "hang": true                      never answers
    "endless": TEXT                   TEXT again and again, until the client has gone
    "if": TEXT, "else": REPLY         only when TEXT occurs in the request
"""
import http.server
import json
import os
import sys
import threading
import time

FOLDER = sys.argv[1]
ONLY = next((word[2:] for word in sys.argv[2:] if word in ("--chat", "--responses")), None)
BY = next((int(word[5:]) for word in sys.argv[2:] if word.startswith("--by=")), None)
LOCK = threading.Lock()
COUNT = [0]
USAGE = {"input": 1000, "cached": 200, "output": 50, "reasoning": 10}


def next_reply(body):
    with LOCK:
        number = COUNT[0]
        COUNT[0] += 1
        if BY:
            number = json.dumps(body).count('"function_call_output"') // BY
        with open(os.path.join(FOLDER, "script.json"), encoding="utf-8") as file:
            script = json.load(file)
        reply = script[min(number, len(script) - 1)]
        while "if" in reply and reply["if"] not in json.dumps(body):
            reply = reply["else"]
    return number, reply


def arguments_of(given):
    return given if isinstance(given, str) else json.dumps(given)


def pieces(text, size):
    size = size or max(1, len(text))
    return [text[at:at + size] for at in range(0, len(text), size)] or [""]


class Responses:
    @staticmethod
    def items(number, reply):
        items = []
        if "reasoning" in reply:
            items.append({"type": "reasoning", "id": "rs_%d" % number, "summary": [],
                          "encrypted_content": reply["reasoning"]})
        if "text" in reply:
            items.append({"type": "message", "id": "msg_%d" % number, "role": "assistant", "status": "completed",
                          "content": [{"type": "output_text", "text": reply["text"], "annotations": []}]})
        if "refusal" in reply:
            items.append({"type": "message", "id": "ref_%d" % number, "role": "assistant", "status": "completed",
                          "content": [{"type": "refusal", "refusal": reply["refusal"]}]})
        for index, (name, given) in enumerate(reply.get("calls", [])):
            items.append({"type": "function_call", "id": "fc_%d_%d" % (number, index), "status": "completed",
                          "call_id": "call_%d_%d" % (number, index), "name": name,
                          "arguments": arguments_of(given)})
        if reply.get("incomplete"):
            items[-1]["status"] = "incomplete"
        return items

    @staticmethod
    def whole(number, reply):
        ends = "max_output_tokens" if reply.get("cut") else "content_filter" if reply.get("filtered") else None
        response = {"id": "resp_%d" % number, "status": "incomplete" if ends else "completed",
                    "output": Responses.items(number, reply), "usage": {
                        "input_tokens": USAGE["input"], "output_tokens": USAGE["output"],
                        "input_tokens_details": {"cached_tokens": USAGE["cached"]},
                        "output_tokens_details": {"reasoning_tokens": USAGE["reasoning"]},
                        "total_tokens": USAGE["input"] + USAGE["output"]}}
        if ends:
            response["incomplete_details"] = {"reason": ends}
        return response

    @staticmethod
    def events(number, reply):
        yield {"type": "response.created", "response": {"id": "resp_%d" % number}}
        for index, item in enumerate(Responses.items(number, reply)):
            empty = {**item, **({"arguments": ""} if "arguments" in item else {}),
                     **({"content": []} if item["type"] == "message" else {})}
            yield {"type": "response.output_item.added", "output_index": index, "item": empty}
            if item["type"] == "function_call":
                for piece in pieces(item["arguments"], reply.get("piece")):
                    yield {"type": "response.function_call_arguments.delta", "output_index": index, "delta": piece}
            elif "text" in item.get("content", [{}])[0]:
                for piece in pieces(item["content"][0]["text"], reply.get("piece")):
                    yield {"type": "response.output_text.delta", "output_index": index, "delta": piece}
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        if "failed" in reply:
            yield {"type": "response.failed", "response": {"error": {"code": reply["failed"], "message": "it failed"}}}
        else:
            kind = "response.incomplete" if reply.get("cut") or reply.get("filtered") else "response.completed"
            yield {"type": kind, "response": {**Responses.whole(number, reply), "output": []}}


class Chat:
    @staticmethod
    def calls(number, reply):
        return [{"index": index, "id": "call_%d_%d" % (number, index), "type": "function",
                 "function": {"name": name, "arguments": arguments_of(given)}}
                for index, (name, given) in enumerate(reply.get("calls", []))]

    @staticmethod
    def finish(reply):
        return "length" if reply.get("cut") else "content_filter" if reply.get("filtered") \
            else "tool_calls" if reply.get("calls") else "stop"

    @staticmethod
    def usage():
        return {"prompt_tokens": USAGE["input"], "completion_tokens": USAGE["output"],
                "total_tokens": USAGE["input"] + USAGE["output"],
                "prompt_tokens_details": {"cached_tokens": USAGE["cached"]},
                "completion_tokens_details": {"reasoning_tokens": USAGE["reasoning"]}}

    @staticmethod
    def whole(number, reply):
        message = {"role": "assistant", "content": reply.get("text"), "refusal": reply.get("refusal"),
                   "tool_calls": Chat.calls(number, reply)}
        return {"id": "chatcmpl-%d" % number, "choices": [{"index": 0, "message": message,
                                                           "finish_reason": Chat.finish(reply)}],
                "usage": Chat.usage()}

    @staticmethod
    def events(number, reply):
        def chunk(delta, finish=None):
            return {"id": "chatcmpl-%d" % number, "object": "chat.completion.chunk",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        yield chunk({"role": "assistant", "content": ""})
        for piece in pieces(reply.get("text", ""), reply.get("piece")):
            yield chunk({"content": piece})
        for piece in pieces(reply.get("refusal", ""), reply.get("piece")):
            yield chunk({"refusal": piece})
        for call in Chat.calls(number, reply):
            yield chunk({"tool_calls": [{**call, "function": {"name": call["function"]["name"], "arguments": ""}}]})
            for piece in pieces(call["function"]["arguments"], reply.get("piece")):
                yield chunk({"tool_calls": [{"index": call["index"], "function": {"arguments": piece}}]})
        if "failed" in reply:
            yield {"error": {"code": reply["failed"], "message": "it failed"}}
            return
        yield chunk({}, Chat.finish(reply))
        yield {"id": "chatcmpl-%d" % number, "choices": [], "usage": Chat.usage()}
        yield "[DONE]"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send_json(self, status, body, headers=()):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        api = {"/v1/responses": Responses, "/v1/chat/completions": Chat}.get(self.path)
        if api is None or ONLY == ("chat" if api is Responses else "responses"):
            return self.send_json(404, {"error": {"message": "Not Found", "code": 404}})
        number, reply = next_reply(body)
        with LOCK, open(os.path.join(FOLDER, "requests.jsonl"), "a", encoding="utf-8") as log:
            log.write(json.dumps({"path": self.path, "authorization": self.headers.get("Authorization"),
                                  "at": time.time(), "body": body}) + "\n")
        time.sleep(reply.get("wait", 0))
        if reply.get("hang"):
            time.sleep(3600)
        if "endless" in reply:
            return self.endless(reply["endless"].encode() * 1000)
        if "status" in reply:
            error = {"error": {"message": reply.get("message", "no"), "type": "t", "code": reply.get("code")}}
            return self.send_json(reply["status"], reply.get("body", error), reply.get("headers", {}))
        if reply.get("whole"):
            return self.send_json(200, api.whole(number, reply))
        self.stream(api.events(number, reply), reply)

    def endless(self, piece):
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(piece)
        except OSError:
            pass

    def stream(self, events, reply):
        end = "\r\n" if reply.get("crlf") else "\n"
        blocks = []
        for event in events:
            name = "" if isinstance(event, str) or "type" not in event else "event: %s%s" % (event["type"], end)
            data = event if isinstance(event, str) else json.dumps(event)
            blocks.append("%s%sdata: %s%s%s" % (": ping" + end if reply.get("crlf") else "", name, data, end, end))
        if "malformed" in reply:
            blocks.insert(1, "data: %s%s%s" % (reply["malformed"], end, end))
        text = "".join(blocks).encode()
        if reply.get("drop"):
            text = text[:len(text) // 2]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        if reply.get("drop"):
            self.send_header("Content-Length", str(len(text) * 2))
        self.end_headers()
        size = reply.get("bytes") or len(text)
        for at in range(0, len(text), size):
            self.wfile.write(text[at:at + size])
            self.wfile.flush()
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(FOLDER, "port.new"), "w", encoding="utf-8") as out:
        out.write(str(server.server_port))
    os.rename(os.path.join(FOLDER, "port.new"), os.path.join(FOLDER, "port"))
    parent = os.getppid()
    while os.getppid() == parent and not os.path.exists(os.path.join(FOLDER, "stop")):
        time.sleep(0.02)


main()
