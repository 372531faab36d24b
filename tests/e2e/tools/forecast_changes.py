#!/usr/bin/env python3
"""Changes something between a forecast and a resume with the forecast's hash, and checks that the resume starts nothing.

    forecast_changes.py COUNT      works in the present folder; exit code 1 after a fault
"""
import json
import os
import subprocess
import sys

MOONLET = os.environ["MOONLET"]
CONFIG = os.path.join(os.environ["XDG_CONFIG_HOME"], "moonlet", "config.lua")
CONFIG_TEXT = 'return { prices = { m1 = { input = 1, output = %s } }, runners = { claude = { model = "%s" } } }\n'
PRESET = """local m = require "moonlet"
return m.preset { name = "review", summary = "Reviews notes.", needs = { agents = { "command" }, read = { "." } },
  run = function(ctx)
    local seen = ctx:read("notes.txt")
    ctx:agent { name = "first", prompt = "first\\n" .. #seen, runner = "command", argv = { "./agent.sh" }, events = "moonlet" }
    local facts = ctx:read("facts.txt")
    local prompt = m.prompt.reviewer { lens = "risks", artifact = facts }
    ctx:parallel({ "a", "b" }, function(c, name)
      local argv = name == "a" and { "sh", "-c", "cat >/dev/null; exit 3" } or { "./agent.sh" }
      return c:agent { name = name, prompt = prompt, inputs = name == "a" and { "input.txt" } or nil, argv = argv,
        runner = "command", events = "moonlet", retry = 1 }.text
    end, { need = 1 })
  end,
}
"""
AGENT = """#!/usr/bin/env bash
prompt=$(cat)
[ -e broken ] && [[ $prompt != first* ]] && exit 3
printf '%s\\n' '{"type":"session","id":"s","model":"m1"}' '{"type":"text","text":"fine"}' \\
  '{"type":"usage","input_tokens":100,"output_tokens":20,"cost_usd":0.02}' '{"type":"done","status":"ok"}'
"""


def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def moonlet(*words):
    done = subprocess.run([MOONLET, *words, "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, json.loads(done.stdout), done.stderr


def set_up():
    write(CONFIG, CONFIG_TEXT % (10, "m1"))
    write("presets/review/init.lua", PRESET)
    write("presets/review/prompts/reviewer.md", "Look at {{artifact}} as {{lens}}.\n")
    write("agent.sh", AGENT)
    os.chmod("agent.sh", 0o755)
    for name in ("notes.txt", "facts.txt", "input.txt"):
        write(name, name + "\n")


def changes(count):
    """Lists the changes to try as (what, path, text, further options)."""
    kinds = [
        ("the preset", "presets/review/init.lua", lambda i: PRESET + f"-- {i}\n"),
        ("a prompt's file", "presets/review/prompts/reviewer.md", lambda i: f"Look {i} times at {{{{artifact}}}} as {{{{lens}}}}.\n"),
        ("a file that an unpaid prompt reads", "facts.txt", lambda i: f"other facts {i}\n"),
        ("a file that an unpaid agent gets", "input.txt", lambda i: f"other input {i}\n"),
        ("a file that a fresh resume reads", "notes.txt", lambda i: "n" * (20 + i) + "\n"),
        ("the model", CONFIG, lambda i: CONFIG_TEXT % (10, f"m{i + 2}")),
        ("the price", CONFIG, lambda i: CONFIG_TEXT % (11 + i, "m1")),
    ]
    for i in range(count):
        what, path, text = kinds[i % len(kinds)]
        yield what, path, text(i)


def main():
    set_up()
    write("broken", "")
    code, envelope, noise = moonlet("run", "review", "--allow", "needs")
    if envelope["run"] is None:
        print(f"no run: {envelope} {noise}")
        return 1
    os.remove("broken")
    faults = []
    fresh, bound = ["--fresh", "--budget", "tokens=50000"], ["--up-to", "tokens=50000"]
    code, made, noise = moonlet("resume", "1", "--forecast", *fresh)
    if code != 0 or not any(step["outcome"] == "paid" for step in made["result"]["steps"]):
        print(f"no forecast: {code} {made} {noise}")
        return 1
    sha, journal = made["result"]["hash"], ".agent/runs/R-001/steps.jsonl"
    before, count = read(journal), int(sys.argv[1])
    for what, path, text in changes(count):
        was = read(path)
        write(path, text)
        code, envelope, noise = moonlet("resume", "1", *bound, "--sha", sha, "--allow", "needs", *fresh)
        if code != 2 or "the forecast has changed" not in (envelope["error"] or {}).get("message", ""):
            faults.append(f"{what}: exit {code}: {envelope['error']}")
        if read(journal) != before:
            print(f"{what}: the run was driven")
            return 1
        write(path, was)
    code, made, _ = moonlet("resume", "1", "--forecast", *fresh)
    if made["result"]["hash"] != sha:
        faults.append("the forecast of the unchanged run is another one")
    for fault in faults:
        print(fault)
    code, envelope, noise = moonlet("resume", "1", *bound, "--sha", sha, *fresh)
    begun = read(journal)[len(before):].count('"type":"begin"')
    print(f"{count} changes, {len(faults)} faults; unchanged: exit {code}, {begun} agents begun")
    return 1 if faults or code != 4 or begun != 2 else 0


if __name__ == "__main__":
    sys.exit(main())
