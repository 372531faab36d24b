"""Splits cases.txt into one folder per case, and compares the preset's answer with the expected one."""
import json
import os
import sys

KNOWN = {"path", "reinstall", "checks", "check", "no-check", "reason", "never", "absent", "args", "error", "start",
         "state"}


def split(source, target, words):
    blocks, name = [], None
    with open(source, encoding="utf-8") as text:
        for number, line in enumerate(text, 1):
            if line.startswith("== "):
                name = line[3:].strip()
                blocks.append((name, [], []))
                body = False
            elif name is None:
                if line.strip() and not line.startswith("#"):
                    sys.exit(f"{source}:{number}: a case begins with '== NAME'")
            elif not body and line.strip() == "--":
                body = True
            elif body:
                blocks[-1][2].append(line)
            elif line.strip():
                key, _, value = line.partition(":")
                if key not in KNOWN:
                    sys.exit(f"{source}:{number}: unknown key '{key}'")
                blocks[-1][1].append((key, value.strip()))
    seen = set()
    for index, (name, wants, setup) in enumerate(blocks):
        if name in seen:
            sys.exit(f"{source}: the case '{name}' is there twice")
        seen.add(name)
        if words and not any(word in name for word in words):
            continue
        folder = os.path.join(target, f"{index:03d}-{name}")
        os.mkdir(folder)
        with open(os.path.join(folder, "setup.sh"), "w", encoding="utf-8") as out:
            out.writelines(setup)
        with open(os.path.join(folder, "wants.json"), "w", encoding="utf-8") as out:
            json.dump(wants, out)
        with open(os.path.join(folder, "args"), "w", encoding="utf-8") as out:
            out.writelines(word + "\n" for key, value in wants if key == "args" for word in value.split())
        with open(os.path.join(folder, "absent"), "w", encoding="utf-8") as out:
            out.writelines(value + "\n" for key, value in wants if key == "absent")
        if ("start", "nothing") in wants:
            open(os.path.join(folder, "bare-start"), "w").close()


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def command_of(entry):
    return entry if isinstance(entry, str) else entry.get("command", "")


def problems(folder, wants):
    if read(folder, "setup.code").strip() != b"0":
        yield "its setup failed: " + read(folder, "setup.log").decode("utf-8", "replace").strip()[-200:]
        return
    raw, code = read(folder, "out.json"), int(read(folder, "code"))
    try:
        envelope = json.loads(raw.decode("utf-8"))
    except ValueError as why:
        yield f"its output is not JSON ({why}): {raw[:200]!r} {read(folder, 'err.txt')[:300]!r}"
        return
    if (read(folder, "before") != read(folder, "after")) != (("state", "changes") in wants):
        yield "the state of the repository is not what it was"
    error = next((value for key, value in wants if key == "error"), None)
    if error is not None:
        kind = (envelope.get("error") or {}).get("kind")
        if kind != error or code == 0:
            yield f"error kind {kind} with exit {code}, wanted {error}"
        return
    result = envelope.get("result")
    # An agent that changed the repository without a sandbox degrades the run.
    if code != (4 if ("state", "changes") in wants else 0) or not isinstance(result, dict):
        yield f"exit {code}: {json.dumps(envelope.get('error'))[:300]}"
        return
    if set(result) != {"path", "reasons", "validation", "reinstall"}:
        yield f"the result has the keys {sorted(result)}"
        return
    checks = [command_of(entry) for entry in result["validation"]]
    reasons = "\n".join(result["reasons"])
    appeared = read(folder, "appeared").decode().split("\n") if os.path.exists(folder + "/appeared") else []
    wanted_checks = [value for key, value in wants if key == "check"]
    for key, value in wants:
        if key == "path" and result["path"] != value:
            yield f"path {result['path']}, wanted {value} ({result['reasons'][:3]})"
        elif key == "reinstall":
            given = " ".join(["yes" if result["reinstall"]["needed"] else "no"] + list(result["reinstall"]["skills"]))
            if given != value:
                yield f"reinstall '{given}', wanted '{value}'"
        elif key == "checks" and value == "none" and checks:
            yield f"checks {checks}, wanted none"
        elif key == "checks" and value == "only" and checks != wanted_checks:
            yield f"checks {checks}, wanted {wanted_checks}"
        elif key == "check" and value not in checks:
            yield f"no check '{value}' in {checks}"
        elif key == "no-check" and any(value in check for check in checks):
            yield f"a check with '{value}' in {checks}"
        elif key == "reason" and value not in reasons:
            yield f"no reason with '{value}' in {result['reasons']}"
        elif key == "never" and (value.encode() in raw or value.encode() in read(folder, "err.txt")):
            yield f"'{value}' was told"
        elif key == "absent" and value in appeared:
            yield f"something made {value}"
    if not result["reasons"]:
        yield "no reason at all"
    if any(control in reasons for control in map(chr, list(range(32)) + [127]) if control != "\n"):
        yield "a control character in a reason"


def compare(folder):
    name = os.path.basename(folder)[4:]
    wants = [tuple(pair) for pair in json.loads(read(folder, "wants.json"))]
    found = list(problems(folder, wants))
    print(f"FAIL {name}: {'; '.join(found)}" if found else f"ok {name}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "split":
        split(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        for case in sys.argv[2:]:
            compare(case)
