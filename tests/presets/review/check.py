"""Helpers of run.sh: plants marked defects, and looks at what a review gave."""
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


def plant(source, target, expected):
    """Writes the files of a source ("=== path" begins one); lists where its defects are."""
    rnd, out, places, path, number = random.Random(7), None, [], None, 0
    for raw in open(source, encoding="utf-8"):
        raw = raw.rstrip("\n")
        head = re.match(r"=== (\S+)$", raw)
        if head:
            if out:
                out.close()
            path, number = head.group(1), 0
            os.makedirs(os.path.dirname(os.path.join(target, path)) or ".", exist_ok=True)
            out = open(os.path.join(target, path), "w", encoding="utf-8")
            continue
        if not out:
            continue
        number += 1
        line, mark, what = raw.partition("@@D ")
        if mark:
            places.append((path, number, what))
        out.write(made(line, rnd) + "\n")
    out.close()
    with open(expected, "w", encoding="utf-8") as table:
        for place in places:
            table.write("%s\t%d\t%s\n" % place)


def read_expected(path):
    """(file, first line, last line, what); a line of "-" stands for the file as a whole."""
    for row in open(path, encoding="utf-8"):
        fields = row.rstrip("\n").split("\t")
        file, place, what = fields[-3:]
        if place == "-":
            yield file, None, None, what
        else:
            first, _, last = place.partition("-")
            yield file, int(first), int(last or first), what


def found(outcome, expected, share, beside):
    """Fails unless the share of the defects was found, with at most so many findings beside them."""
    findings = json.load(open(outcome, encoding="utf-8"))["result"]["findings"]
    used, missed, total = set(), [], 0
    for file, first, last, what in read_expected(expected):
        total += 1
        hits = [i for i, f in enumerate(findings) if f["file"] == file and (
            f["line"] is None if first is None else f["line"] is not None and first <= f["line"] <= last)]
        used.update(hits)
        if not hits:
            missed.append("%s:%s %s" % (file, first, what))
    others = ["%s %s:%s" % (f["rule"], f["file"], f["line"]) for i, f in enumerate(findings) if i not in used]
    if total - len(missed) < float(share) * total:
        print("found %d of %d; missed: %s" % (total - len(missed), total, "; ".join(missed)))
    if len(others) > int(beside):
        print("%d findings beside the planted ones: %s" % (len(others), "; ".join(others)))


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
                left = re.match(r"(.+?) [=!<>]=? ", expression)
                value = repr(eval(left.group(1), dict(names)))[:300] if left else ""
                print("not so: %s (exit code %s) %s" % (expression, code, value))
        except Exception as error:
            print("%s: %s %s" % (expression, type(error).__name__, error))


if __name__ == "__main__":
    {"plant": plant, "found": found, "want": want}[sys.argv[1]](*sys.argv[2:])
