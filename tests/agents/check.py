"""Looks at what a run gave: check.py CASE CODE MILLISECONDS EXPRESSION…"""
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
    paid = [call for call in calls if call.kind == "end" and call.outcome == "paid"]
    models = sorted(glob.glob(os.path.join(case, "home/project/.agent/sidecars/*/**/model.json"), recursive=True))
    names = {"e": envelope, "r": envelope.get("result"), "run": envelope.get("run"), "error": envelope.get("error"),
             "code": int(code), "took": int(took), "err": err, "turns": turns, "paid": paid, "calls": calls,
             "verdict": (envelope.get("run") or {}).get("verdict"), "re": re, "os": os, "json": json,
             "model": load(models[0]) if models else None,
             "models": {load(path)["step"]: load(path) for path in models}}
    for expression in expressions:
        try:
            if not eval(expression, names):
                left = re.match(r"(.+?) (?:[=!<>]=?|in|not in) ", expression)
                value = repr(eval(left.group(1), names))[:300] if left else ""
                about = envelope.get("error") or {}
                print("not so: %s: %s (exit code %s, %s ms; %s; %d turns)" % (
                    expression, value, code, took, about.get("message"), len(turns)))
        except Exception as problem:  # whatever a wrong outcome makes of an expression
            print("%s: %s %s (exit code %s; %r)" % (expression, type(problem).__name__, problem, code, err[-300:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
