"""Helps run.sh: writes the files of a case, and checks the result of a review."""
import json
import os
import random
import re
import string
import sys

ALNUM = string.ascii_letters + string.digits
MADE = {
    "STRIPE": (24, ALNUM), "GITHUB": (36, ALNUM), "AWSSECRET": (40, ALNUM), "PEM": (64, ALNUM),
    "AWSKEYID": (16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), "DIGITS": (12, string.digits), "SLACK": (24, ALNUM),
    "GOOGLE": (33, ALNUM),
}


def made(text, rnd):
    def value(match):
        length, letters = MADE[match.group(1)]
        return "".join(rnd.choice(letters) for _ in range(length))
    return re.sub("@(" + "|".join(MADE) + ")@", value, text)


def plant(source, target):
    """Writes the files of a source ("=== path" begins one)."""
    rnd, out = random.Random(7), None
    for raw in open(source, encoding="utf-8"):
        raw = raw.rstrip("\n")
        head = re.match(r"=== (\S+)$", raw)
        if head:
            if out:
                out.close()
            path = os.path.join(target, head.group(1))
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            out = open(path, "w", encoding="utf-8")
        elif out:
            out.write(made(raw, rnd) + "\n")
    out.close()


class Attributes(dict):
    __getattr__ = dict.__getitem__


def want(outcome, code, *expressions):
    text = open(outcome, encoding="utf-8").read()
    try:
        envelope = json.loads(text, object_hook=Attributes)
    except ValueError:
        print("no envelope, exit code %s: %r" % (code, text[:200]))
        return
    names = {"e": envelope, "r": envelope.result, "run": envelope.run, "code": int(code), "error": envelope.error,
             "text": text}
    if envelope.result and "findings" in envelope.result:
        names.update(found=envelope.result.findings, unverified=envelope.result.unverified,
                     refuted=envelope.result.refuted, lost=envelope.result.lost,
                     rules=[f["rule"] for f in envelope.result.findings if "rule" in f])
    for expression in expressions:
        try:
            if not eval(expression, dict(names)):
                left = re.match(r"(.+) [=!<>]=? ", expression)
                value = repr(eval(left.group(1), dict(names)))[:300] if left else ""
                print("not so: %s (exit code %s) %s" % (expression, code, value))
        except Exception as error:
            print("%s: %s %s" % (expression, type(error).__name__, error))


if __name__ == "__main__":
    {"plant": plant, "want": want}[sys.argv[1]](*sys.argv[2:])
