#!/usr/bin/env python3
"""Parses each line of an OTLP file with protobuf's JSON reader and the public .proto files.

    otlp.py PROTO-DIR BUILD-DIR FILE…

Prints the number of spans of each file. The exit code is 1 if a line cannot be parsed or a span has
no parent in its file or around it.
"""
import json
import os
import subprocess
import sys

protos, build, files = sys.argv[1], sys.argv[2], sys.argv[3:]
names = [os.path.relpath(os.path.join(folder, name), protos)
         for folder, _, listed in os.walk(protos) for name in listed if name.endswith(".proto")]
subprocess.run(["protoc", f"-I{protos}", f"--python_out={build}", *names], check=True)
sys.path.insert(0, build)
from google.protobuf import json_format  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: E402

for name in files:
    spans = []
    for line in open(name, encoding="utf-8"):
        json_format.Parse(line, trace_service_pb2.ExportTraceServiceRequest())
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                assert scope["scope"]["version"], "the scope has no version"
                spans += scope["spans"]
    ids = {span["spanId"] for span in spans}
    assert len(ids) == len(spans), "two spans have the same id"
    roots = [span for span in spans if span.get("parentSpanId") not in ids]
    assert len(roots) == 1, f"{len(roots)} spans have no parent"
    assert all(len(span["traceId"]) == 32 and len(span["spanId"]) == 16 for span in spans)
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
    print(f"{os.path.basename(name)}: {len(spans)} spans")
