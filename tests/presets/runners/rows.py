"""Converts the result of recordings.lua to lines of recordings.tsv: rows.py OUT.json"""
import hashlib
import json
import sys

COUNTS = ["input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens"]


def main():
    envelope = json.load(open(sys.argv[1]))
    if not envelope["ok"]:
        sys.exit(json.dumps(envelope["error"]))
    print("\t".join(["name", "status", "class", "usage", "cost", "text", "files", "denied", "events", "message"]))
    for row in envelope["result"]["rows"]:
        usage = row["usage"] or {}
        counts = "/".join("-" if usage.get(n) is None else str(usage[n]) for n in COUNTS) if usage else "-"
        cost = "-" if usage.get("cost_usd") is None else "%g %s" % (usage["cost_usd"], usage["cost_is"])
        text = row["text"]
        shown = json.dumps(text, ensure_ascii=False)
        if len(shown) > 120:
            shown = "%d bytes %s" % (len(text.encode()), hashlib.sha256(text.encode()).hexdigest()[:16])
        kind = row.get("class") or "-"
        if row.get("cause"):
            kind += "(" + row["cause"] + ")"
        error = row["error"] or {}
        print("\t".join([row["name"], row["status"], kind, counts, cost, shown, ",".join(row["files"]) or "-",
                         ",".join(d["tool"] for d in row["denied"]) or "-", row["events"] or "-",
                         error.get("message", "-").replace("\n", "\\n")[:160]]))


main()
