"""The Chat Completions API for server.py, as opencode's provider "@ai-sdk/openai-compatible" uses it."""
import itertools
import json

CALLS = itertools.count(1)


def chunk(delta, finish=None):
    return ("", {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mock-1",
                 "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def delta_of(reply):
    """Returns the model's message and its finish reason."""
    if "tool" in reply:
        name, given = "bash", {"command": reply["tool"], "description": "a test"}
    elif "write" in reply:
        name, given = "write", {"filePath": reply["write"], "content": reply["text"]}
    elif "read" in reply:
        name, given = "read", {"filePath": reply["read"]}
    elif "mcp" in reply:
        name, given = "moonlet_" + reply["mcp"], reply.get("given", {})
    elif reply.get("refused_by_model"):
        return {"content": ""}, "content_filter"
    else:
        return {"content": reply["text"]}, "length" if reply.get("cut_short") else "stop"
    return {"tool_calls": [{"index": 0, "id": "call_%d" % next(CALLS), "type": "function",
                            "function": {"name": name, "arguments": json.dumps(given)}}]}, "tool_calls"


class Opencode:
    path = "/chat/completions"

    @staticmethod
    def prompt(body):
        return "\n".join(text_of(message.get("content")) for message in body.get("messages", [])
                         if message.get("role") != "system")

    @staticmethod
    def is_turn(body):
        return True

    @staticmethod
    def tool_results(body):
        return [text_of(message.get("content")) for message in body.get("messages", [])
                if message.get("role") == "tool"]

    @staticmethod
    def begin(usage):
        return [chunk({"role": "assistant", "content": ""})]

    @staticmethod
    def answer(reply, usage):
        delta, finish = delta_of(reply)
        kind, last = chunk({})
        last.update(choices=[], usage={
            "prompt_tokens": usage["input"], "completion_tokens": usage["output"],
            "total_tokens": usage["input"] + usage["output"],
            "prompt_tokens_details": {"cached_tokens": usage["cached"]},
            "completion_tokens_details": {"reasoning_tokens": usage["reasoning"]}})
        return [chunk(delta), chunk({}, finish), (kind, last)]

    @staticmethod
    def partial(text):
        return [chunk({"content": text})]

    @staticmethod
    def error(reply):
        return {"error": {"message": reply.get("message", "it failed"), "type": reply.get("type", "server_error"),
                          "param": None, "code": reply.get("code"), **reply.get("fields", {})}}
