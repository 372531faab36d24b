"""forge_journal.py FILE BODY…: appends records with the given bodies to a journal, numbered and chained
as they should be, so that only their content is wrong. BODY may be @huge or @deep.
forge_journal.py FILE --add COUNT BYTES: appends so many ends of steps, each with a value of so many bytes.
forge_journal.py FILE --replace OLD NEW: writes NEW for OLD in all of them, and chains them anew."""
import hashlib
import json
import sys


def body_of(text):
    if text == "@huge":
        return '{"type":"fact","key":"huge","input_hash":"x","result":"' + "y" * (15 << 20) + '"}'
    if text == "@deep":
        return '{"type":"fact","key":"deep","input_hash":"x","result":' + "[" * 5000 + "]" * 5000 + "}"
    return text


def line_of(number, previous, last, body):
    durable = ',"rest_durable":true' if last.get("rest_durable") else ""
    head = '{"number":%d,"generation":%d%s,"previous":"%s"' % (number, last["generation"], durable, previous)
    rest = ',"body":%s}' % body
    link = hashlib.sha256((head + rest).encode()).hexdigest()[:32]
    return link, (head + ',"hash":"' + link + '"' + rest + "\n").encode()


path = sys.argv[1]
with open(path, "rb") as file:
    lines = file.read().splitlines()
if sys.argv[2] == "--replace":
    previous = json.loads(lines[0])["previous"]
    with open(path, "wb") as file:
        for line in lines:
            body = line.decode().split(',"body":', 1)[1][:-1].replace(sys.argv[3], sys.argv[4])
            record = json.loads(line)
            previous, text = line_of(record["number"], previous, record, body)
            file.write(text)
    sys.exit()
last = json.loads(lines[-1])
last["rest_durable"] = True
bodies = sys.argv[2:]
if bodies[0] == "--add":
    value = "y" * int(bodies[2])
    end = '{"input_hash":"%032d","key":"work-%d","driven_ms":1,"status":"ok","type":"end","result":{"text":"%s"},"verb":"exec"}'
    bodies = (end % (i, i, value) for i in range(int(bodies[1])))
with open(path, "ab") as file:
    number, previous = last["number"], last["hash"]
    for text in bodies:
        number += 1
        previous, line = line_of(number, previous, last, body_of(text))
        file.write(line)
