#!/usr/bin/env python3
"""Compares the forecasts of random runs with what their resumes do.

    forecast_runs.py COUNT SEED      a fault prints the seed of its run; exit code 1

Each run has a random script (fan-outs, pipelines, races, gates, functions, commands, checks), and agents that answer, fail,
or take long. It ends by itself, or its host is killed, or its keeper too; then the script may be edited. The forecast is
made, the run is resumed, and its journal shows which steps were reused, adopted, paid or refused.
"""
import json
import os
import random
import signal
import subprocess
import sys
import time

MOONLET = os.environ["MOONLET"]
AGENT = """#!/usr/bin/env bash
prompt=$(cat)
name=${prompt##*$'\\n'}
read -r mode cost < <(grep "^$name " modes | cut -d' ' -f2-)
[ "$mode" = fail ] && exit 3
[ "$mode" = slow ] && sleep 1.5
[ "$mode" = stuck ] && sleep 100
printf '%s\\n' '{"type":"session","id":"s","model":"m1"}' "{\\"type\\":\\"text\\",\\"text\\":\\"answer of $name\\"}" \\
  "{\\"type\\":\\"usage\\",\\"input_tokens\\":100,\\"output_tokens\\":20,\\"cost_usd\\":${cost:-0.01}}" '{"type":"done","status":"ok"}'
"""


class Script:
    """A random script, as a list of stages; its text can be edited."""

    def __init__(self, rng):
        self.rng, self.names, self.count = rng, [], 0
        self.stages = [self.stage() for _ in range(rng.randint(1, 4))]
        self.edited = None  # the name of the agent whose prompt was edited
        self.absent = rng.choice(self.names) if rng.random() < 0.15 else None  # an agent whose program is not installed

    def name(self):
        self.count += 1
        self.names.append(f"n{self.count}")
        return self.names[-1]

    def stage(self):
        kind = self.rng.choice(["agent", "agent", "parallel", "parallel", "pipeline", "any", "step", "gate", "exec",
                                "validate", "read", "nested", "pcall"])
        number = self.rng.randint(2, 4)
        return kind, [self.name() for _ in range(number if kind in ("parallel", "pipeline", "any", "nested") else 2)]

    def agent(self, ctx, name):
        if name == self.absent:
            return f'{ctx}:agent {{ name = "{name}", prompt = "{name}", runner = "gemini" }}.text'
        again = "again\\n" if name == self.edited else ""
        return (f'{ctx}:agent {{ name = "{name}", prompt = "{again}{name}", runner = "command", '
                f'argv = {{ "./agent.sh" }}, events = "moonlet", retry = 1 }}.text')

    def text(self):
        lines = ["local all = {}", "local function add(x) all[#all + 1] = tostring(x) end"]
        for i, (kind, names) in enumerate(self.stages):
            first, second = names[0], names[1]
            items = ", ".join(f'"{n}"' for n in names)
            calls = ", ".join(f"{n} = function(c) return {self.agent('c', n)} end" for n in names)
            by_name = f"({{ {calls} }})[n](c)"
            if kind == "agent":
                lines.append(f"add({self.agent('ctx', first)})")
            elif kind == "pcall":
                lines.append(f"local ok = pcall(function() return {self.agent('ctx', first)} end) add(ok)")
            elif kind in ("parallel", "nested"):
                need = ["", ", need = 1", ", settle = true", ", limit = 2"][i % 4] if kind == "parallel" else ", need = 1"
                fan = f'ctx:parallel({{ {items} }}, function(c, n) return {by_name} end, {{ name = "p{i}"{need} }})'
                lines.append(f'ctx:scope({{ name = "s{i}" }}, function(ctx) {fan} end)' if kind == "nested" else fan)
            elif kind == "pipeline":
                lines.append(f'ctx:pipeline({{ {items} }}, function(c, n) return {by_name} end, function(c, v) '
                             f'return {self.agent("c", second + "x")} end, {{ name = "l{i}", need = 1 }})')
            elif kind == "any":
                lines.append(f'ctx:any({{ {items} }}, function(c, n) return {by_name} end, {{ name = "a{i}" }})')
            elif kind == "step":
                lines.append(f'add(ctx:step("f{i}", {{}}, function(c) return {self.agent("c", first)} end))')
            elif kind == "gate":
                lines.append(f'ctx:gate {{ action = "go on {i}", name = "g{i}" }}')
            elif kind == "exec":
                lines.append(f'add(ctx:exec {{ "git", "--version", sandbox = "read-only", name = "e{i}" }}.code)')
            elif kind == "validate":
                lines.append(f'ctx:validate {{ command = {{ "true" }}, name = "v{i}" }}')
            elif kind == "read":
                lines.append('add(ctx:read("notes.txt"))')
        return "\n".join(lines + ["return #all"]) + "\n"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def moonlet(*words, check=None):
    done = subprocess.run([MOONLET, *words, "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check is not None and done.returncode not in check:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}: {done.stdout[:600]} {done.stderr[:600]}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def records(run):
    with open(f".agent/runs/{run}/steps.jsonl") as file:
        return [json.loads(line)["body"] for line in file if line.endswith("\n")]


def snapshot():
    found = {}
    for folder, _, names in os.walk(".agent"):
        for name in names:
            # A forecast reads the ledger, and SQLite changes files of its own for that.
            if name.startswith("ledger.db") or name in ("stdout.log", "stderr.log", "keeper.log", "exit.json"):
                continue
            path = os.path.join(folder, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                found[path] = file.read()
    return found


def start(run, wait_for, limits):
    """Starts the run, and kills its host once enough agents have started."""
    host = subprocess.Popen([MOONLET, "run", "s.lua", "--allow", "all", "--json", *limits], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while host.poll() is None and wait_for is not None and time.monotonic() < deadline:
        try:
            if sum(item["type"] == "begin" for item in records(run)) >= wait_for:
                time.sleep(0.05)
                host.send_signal(signal.SIGKILL)
                host.wait()
                return True
        except (OSError, json.JSONDecodeError, KeyError):
            pass
        time.sleep(0.01)
    host.wait()
    return False


def kill_keeper(run):
    if not os.path.exists(f".agent/runs/{run}/keeper.log"):
        return
    with open(f".agent/runs/{run}/keeper.log") as file:
        for line in file:
            item = json.loads(line)
            if item.get("record") == "keeper":
                for who in ("worker", "guard"):
                    try:
                        os.kill(item[who], signal.SIGKILL)
                    except (ProcessLookupError, TypeError):
                        pass


def modes(names, rng, failing):
    lines = []
    for name in names:
        mode = rng.choice(["ok", "ok", "ok", "fail", "slow"]) if failing else "ok"
        lines.append(f"{name} {mode} 0.0{rng.randint(1, 9)}")
    write("modes", "\n".join(lines) + "\n")


def compare(run, made, before, after):
    """Compares the journal of the resume with the forecast, and returns the faults."""
    faults = []
    begun, adopted, ended = [], set(), {}
    for item in after[len(before):]:
        if item["type"] == "begin":
            begun.append(item["key"])
        elif item["type"] == "attempt" and item["outcome"].get("taken_over") \
                and item["outcome"].get("status") != "abandoned":
            adopted.add(item["key"])
        elif item["type"] == "end":
            ended[item["key"]] = item
    with open(f".agent/runs/{run}/run.json") as file:
        record = json.load(file)
    steps = {step["key"]: step for step in record["steps"]}
    paid = [row["key"] for row in made["steps"] if row["outcome"] == "paid"]
    for row in made["steps"]:
        key, outcome = row["key"], row["outcome"]
        racing = "/" in key and key.startswith("a")
        if row["kind"] != "agent":
            if outcome == "asks" and steps.get(key, {}).get("status") != "parked":
                faults.append(f"{key} was to ask, and is {steps.get(key)}")
            continue
        if outcome == "reused" and (key in begun or key in adopted):
            faults.append(f"{key} was to be reused, and was paid or adopted")
        elif outcome == "adopted" and key not in adopted and not racing:
            faults.append(f"{key} was to be adopted, and was not")
        elif outcome == "paid" and key not in begun and not racing:
            faults.append(f"{key} was to be paid, and was not begun")
        elif outcome == "refused" and key in begun:
            faults.append(f"{key} was to be refused ({row['why']}), and was begun")
    outcomes = {row["key"]: row["outcome"] for row in made["steps"]}
    for key in adopted:
        # A resume adopts a failed attempt first, and then repeats the step.
        if outcomes.get(key) not in ("adopted", "unknown") and not (outcomes.get(key) == "paid" and key in begun):
            faults.append(f"{key} was adopted, and the forecast has it as {outcomes.get(key)}")
    if begun and paid and begun[0] not in paid:
        faults.append(f"the first step that was paid is {begun[0]}, not one of {paid}")
    if begun and not paid and made["ends"] == "end":
        faults.append(f"{begun} were paid, and the forecast had nothing to pay")
    return faults


def one(seed):
    rng = random.Random(seed)
    folder = f"run-{seed}"
    os.makedirs(folder)
    os.chdir(folder)
    try:
        subprocess.run(["git", "init", "-q", "."], check=True)
        write("agent.sh", AGENT)
        os.chmod("agent.sh", 0o755)
        write("notes.txt", "notes\n")
        script = Script(rng)
        names = script.names + [name + "x" for name in script.names]
        write("s.lua", script.text())
        modes(names, rng, True)
        how = rng.choice(["ends", "ends", "killed", "killed", "lost"])
        limits = ["--budget", f"agents={rng.randint(1, 4)}"] if rng.random() < 0.15 else []
        killed = start("R-001", None if how == "ends" else rng.randint(1, 4), limits)
        if killed and how == "lost":
            kill_keeper("R-001")
            time.sleep(0.2)
        modes(names, rng, False)
        if rng.random() < 0.4:
            script.edited = rng.choice(names)
            write("s.lua", script.text())
        if rng.random() < 0.2:
            write("notes.txt", "other notes\n")
        fresh = ["--fresh"] if rng.random() < 0.2 else []
        envelope = moonlet("run", "show", "R-001")["run"]
        if envelope["verdict"] == "ok":
            return []
        before, files = records("R-001"), snapshot()
        made = moonlet("resume", "R-001", "--forecast", *fresh, check=(0,))["result"]
        again = moonlet("resume", "R-001", "--forecast", *fresh, check=(0,))["result"]
        faults = []
        if snapshot() != files:
            changed = [path for path, text in snapshot().items() if files.get(path) != text]
            faults.append(f"the forecast changed {changed}")
        if made["hash"] != again["hash"]:
            faults.append("two forecasts of the same run differ")
        moonlet("resume", "R-001", *fresh)
        faults += compare("R-001", made, before, records("R-001"))
        return [f"seed {seed} ({how}{', killed' if killed else ''}): {fault}" for fault in faults]
    finally:
        os.chdir("..")


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    faults = []
    for i in range(count):
        faults += one(seed + i)
    for fault in faults:
        print(fault)
    print(f"{count} runs, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
