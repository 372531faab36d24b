"""forge_journal.py FILE BODY…: appends records with the given bodies to a journal, numbered and chained
as they should be, so that only what they say is wrong. BODY may be @huge or @deep.
forge_journal.py FILE --add COUNT BYTES: appends so many ends of steps, each with a value of so many bytes.
forge_journal.py FILE --replace OLD NEW: writes NEW for OLD in all of them, and chains them anew."""
import hashlib
import json
import sys


def body_of(text):
    if text == "@huge":
        return '{"t":"fact","k":"huge","h":"x","v":"' + "y" * (15 << 20) + '"}'
    if text == "@deep":
        return '{"t":"fact","k":"deep","h":"x","v":' + "[" * 5000 + "]" * 5000 + "}"
    return text


def line_of(number, previous, last, body):
    durable = ',"d":1' if last.get("d") else ""
    head = '{"n":%d,"g":%d%s,"p":"%s"' % (number, last["g"], durable, previous)
    rest = ',"body":%s}' % body
    link = hashlib.sha256((head + rest).encode()).hexdigest()[:32]
    return link, (head + ',"h":"' + link + '"' + rest + "\n").encode()


path = sys.argv[1]
with open(path, "rb") as file:
    lines = file.read().splitlines()
if sys.argv[2] == "--replace":
    previous = json.loads(lines[0])["p"]
    with open(path, "wb") as file:
        for line in lines:
            body = line.decode().split(',"body":', 1)[1][:-1].replace(sys.argv[3], sys.argv[4])
            record = json.loads(line)
            previous, text = line_of(record["n"], previous, record, body)
            file.write(text)
    sys.exit()
last = json.loads(lines[-1])
last["d"] = 1
bodies = sys.argv[2:]
if bodies[0] == "--add":
    value = "y" * int(bodies[2])
    end = '{"h":"%032d","k":"work-%d","ms":1,"s":"ok","t":"end","v":{"text":"%s"},"verb":"exec"}'
    bodies = (end % (i, i, value) for i in range(int(bodies[1])))
with open(path, "ab") as file:
    number, previous = last["n"], last["h"]
    for text in bodies:
        number += 1
        previous, line = line_of(number, previous, last, body_of(text))
        file.write(line)
