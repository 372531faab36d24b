"""forge_journal.py FILE BODY…: appends records with the given bodies to a journal, numbered and chained
as they should be, so that only what they say is wrong. BODY may be @huge or @deep."""
import hashlib
import json
import sys


def body_of(text):
    if text == "@huge":
        return '{"t":"fact","k":"huge","h":"x","v":"' + "y" * (15 << 20) + '"}'
    if text == "@deep":
        return '{"t":"fact","k":"deep","h":"x","v":' + "[" * 5000 + "]" * 5000 + "}"
    return text


path = sys.argv[1]
with open(path, "rb") as file:
    last = json.loads(file.read().splitlines()[-1])
with open(path, "ab") as file:
    number, previous = last["n"], last["h"]
    for text in sys.argv[2:]:
        number += 1
        head = '{"n":%d,"g":%d,"d":1,"p":"%s"' % (number, last["g"], previous)
        rest = ',"body":%s}' % body_of(text)
        previous = hashlib.sha256((head + rest).encode()).hexdigest()[:32]
        file.write((head + ',"h":"' + previous + '"' + rest + "\n").encode())
