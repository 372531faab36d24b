"""The Gemini API for server.py: streamGenerateContent. Replies have the words of server.py, and

    {"finish": REASON}             the model ends with this finishReason and says nothing
"""
import re


def texts(value):
    """Returns all texts of a list of contents."""
    for content in value:
        for part in content.get("parts", []):
            if isinstance(part.get("text"), str):
                yield part["text"]


class Gemini:
    path = ":streamGenerateContent"

    @staticmethod
    def model(path):
        found = re.search(r"/models/([^:]+):", path)
        return found and found.group(1)

    @staticmethod
    def prompt(body):
        return "\n".join(texts(body.get("contents", [])))

    @staticmethod
    def is_turn(body):
        return True

    @staticmethod
    def tool_results(body):
        return [part["functionResponse"].get("response") for content in body.get("contents", [])
                for part in content.get("parts", []) if "functionResponse" in part]

    @staticmethod
    def begin(usage=None):
        return []

    @staticmethod
    def call(name, **arguments):
        return {"functionCall": {"name": name, "args": arguments}}

    @staticmethod
    def part(reply):
        if "tool" in reply:
            return Gemini.call("run_shell_command", command=reply["tool"], description="a test")
        if "write" in reply:
            return Gemini.call("write_file", file_path=reply["write"], content=reply["text"])
        if "read" in reply:
            return Gemini.call("read_file", file_path=reply["read"])
        if "mcp" in reply:
            return Gemini.call("mcp_moonlet_" + reply["mcp"], **reply.get("given", {}))
        return {"text": reply["text"]}

    @staticmethod
    def chunk(parts, finish=None, usage=None):
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
        if finish:
            candidate["finishReason"] = finish
        chunk = {"candidates": [candidate], "modelVersion": "gemini-test", "responseId": "r1"}
        if usage:
            chunk["usageMetadata"] = {
                "promptTokenCount": usage["input"], "cachedContentTokenCount": usage["cached"],
                "candidatesTokenCount": usage["output"] - usage["reasoning"],
                "thoughtsTokenCount": usage["reasoning"], "totalTokenCount": usage["input"] + usage["output"]}
        return None, chunk

    @staticmethod
    def answer(reply, usage):
        finish = "SAFETY" if reply.get("refused_by_model") else reply.get("finish")
        if finish and "text" not in reply:
            return [Gemini.chunk([], finish, usage)]
        return [Gemini.chunk([Gemini.part(reply)], finish or "STOP", usage)]

    @staticmethod
    def partial(text):
        return [Gemini.chunk([{"text": text}])]

    @staticmethod
    def error(reply):
        return {"error": {"code": reply["status"], "message": reply.get("message", "it failed"),
                          "status": reply.get("type", "UNKNOWN"), "details": reply.get("details", [])}}
