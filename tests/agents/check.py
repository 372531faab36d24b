"""Checks the outcome of a run: check.py CASE CODE MILLISECONDS EXPRESSION…"""
import glob
import json
import os
import re
import sys


class Attributes(dict):
    __getattr__ = dict.__getitem__


def load(path):
    with open(path, encoding="utf-8") as given:
        return json.load(given, object_hook=Attributes)


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as given:
        return [json.loads(line, object_hook=Attributes) for line in given]


def main(case, code, took, *expressions):
    with open(os.path.join(case, "out.json"), encoding="utf-8") as given:
        text = given.read()
    with open(os.path.join(case, "err.txt"), encoding="utf-8", errors="replace") as given:
        err = given.read()
    try:
        envelope = json.loads(text, object_hook=Attributes)
    except ValueError:
        print("no envelope, exit code %s after %s ms: %r, stderr %r" % (code, took, text[:200], err[-600:]))
        return
    calls = lines(os.path.join(case, "server", "calls.jsonl"))
    turns = [call for call in calls if call.kind == "turn"]
    ends = [call for call in calls if call.kind == "end"]
    paid = [call for call in calls if call.kind == "end" and call.outcome == "paid"]
    models = sorted(glob.glob(os.path.join(case, "home/project/.agent/sidecars/*/**/model.json"), recursive=True))
    names = {"e": envelope, "r": envelope.get("result"), "run": envelope.get("run"), "error": envelope.get("error"),
             "code": int(code), "took": int(took), "err": err, "turns": turns, "paid": paid, "ends": ends, "calls": calls,
             "verdict": (envelope.get("run") or {}).get("verdict"), "re": re, "os": os, "json": json,
             "record": load(sorted(glob.glob(os.path.join(case, "home/project/.agent/runs/*/run.json")))[0]),
             "model": load(models[0]) if models else None,
             "models": {load(path)["step"]: load(path) for path in models}}
    shown = None
    for expression in expressions:
        try:
            if not eval(expression, names):
                left = re.match(r"([\w.\[\]\"()]+) (?:[=!<>]=?|in|not in) ", expression)
                value = repr(eval(left.group(1), names))[:300] if left else ""
                about = envelope.get("error") or {}
                print("not so: %s: %s" % (expression, value))
                shown = "exit code %s, %s, %s ms, %d turns, %d paid; %s" % (
                    code, names["verdict"], took, len(turns), len(paid), about.get("message"))
        except Exception as problem:  # a wrong outcome can make an expression raise anything
            print("not so: %s: %s %s" % (expression, type(problem).__name__, problem))
            shown = "exit code %s, %s, %s ms, %d turns; %s; %r" % (
                code, names["verdict"], took, len(turns), (envelope.get("error") or {}).get("message"), err[-300:])
    if shown:
        print(shown)


def prompts(case, large):
    """Returns whether the server received every prompt of the case unchanged."""
    with open(os.path.join(case, "out.json"), encoding="utf-8") as given:
        wanted = json.load(given)["result"]["prompts"]
    if large:
        wanted["large"] = ("0123456789abcde\n" * (1 << 16))[:-1] + "!"
    heard = []

    def collect(value):
        if isinstance(value, str):
            heard.append(value)
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            collect(item)

    for path in glob.glob(os.path.join(case, "server/request-*.json")):
        collect(load(path))
    for name, text in wanted.items():
        if not any(text == one.strip() or text in one for one in heard):
            print("the prompt '%s' did not come through" % name)


if __name__ == "__main__":
    if sys.argv[1] == "--prompts":
        prompts(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
