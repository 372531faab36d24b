"""Runs random orchestrations, replays one step of each, and compares the result with a model and with a full run."""
import hashlib, json, os, random, subprocess, sys

AGENT = "#!/bin/sh\np=$(cat)\ncase $p in *constant*) echo same;; *) printf %s \"$p\" | sha256sum | cut -c 1-16;; esac\n"


def moonlet(*words):
    at = words.index("--") if "--" in words else len(words)
    done = subprocess.run(["moonlet", *words[:at], "--json", *words[at:]], capture_output=True, text=True)
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{words}: {done.stdout[-500:]} {done.stderr[-500:]}")


def orchestration(rng):
    """Makes levels of parallel steps. A step's prompt uses steps of earlier levels, and some steps answer a constant."""
    steps, levels, done = [], [], []
    while len(steps) < 40:
        level = []
        for _ in range(min(rng.randint(1, 6), 40 - len(steps))):
            name = f"s{len(steps)}"
            deps = rng.sample(done, min(len(done), rng.randint(0, 3)))
            steps.append({"name": name, "deps": deps, "constant": rng.random() < 0.2})
            level.append(steps[-1])
        done += [step["name"] for step in level]
        levels.append(level)
    return steps, levels


def prompt(step, answers):
    return " ".join([step["name"], "constant" if step["constant"] else "hash"] + [answers[d] for d in step["deps"]])


def answer(text):
    return "same" if "constant" in text else hashlib.sha256(text.encode()).hexdigest()[:16]


def model(steps, key, text):
    """Returns the answers and prompts of a full run in which the step `key` has another prompt."""
    answers, prompts = {}, {}
    for step in steps:
        prompts[step["name"]] = text if step["name"] == key else prompt(step, answers)
        answers[step["name"]] = answer(prompts[step["name"]])
    return answers, prompts


def script(levels):
    lines = ["local answers, own, text = {}, args[1], args[2]", "local function ask(c, step)",
             "  local parts = { step.name, step.constant and 'constant' or 'hash' }",
             "  for _, name in ipairs(step.deps) do parts[#parts + 1] = answers[name] end",
             "  local prompt = step.name == own and text or table.concat(parts, ' ')",
             "  return (c:agent { name = step.name, prompt = prompt }.text:gsub('%s+$', ''))", "end"]
    for level in levels:
        items = ", ".join("{ name = '%s', constant = %s, deps = { %s } }" % (
            s["name"], str(s["constant"]).lower(), ", ".join(f"'{d}'" for d in s["deps"])) for s in level)
        lines += ["do", f"  local level = {{ {items} }}",
                  "  local found = ctx:parallel(level, function(c, step) return ask(c, step) end,"
                  " { key = function(step) return step.name end })",
                  "  for i, step in ipairs(level) do answers[step.name] = found[i] end", "end"]
    return "\n".join(lines + ["return answers"]) + "\n"


def main(rounds):
    with open("../agent", "w") as out:
        out.write(AGENT)
    os.chmod("../agent", 0o755)
    runner = "command:" + os.path.abspath("../agent")
    common = ["--runner", runner, "--allow", "agents", "--plain"]
    for number in range(rounds):
        rng = random.Random(number)
        steps, levels = orchestration(rng)
        with open("s.lua", "w") as out:
            out.write(script(levels))
        first = moonlet("run", "s.lua", *common)
        before, prompts = model(steps, None, None)
        assert first["result"] == before, (number, first["error"])
        step = rng.choice(steps)
        text = "constant" if rng.random() < 0.2 else f"another prompt {number}"
        with open("../prompt", "w") as out:
            out.write(text)
        after, changed = model(steps, step["name"], text)
        wanted = {name for name in changed if changed[name] != prompts[name]} | {step["name"]}
        key = next(s["key"] for s in first["run"]["steps"] if s["key"].split("/")[-1] == step["name"])
        again = moonlet("run", "replay", first["run"]["id"], "--step", key, "--prompt", "../prompt", "--reason", "a step")
        assert again["result"] == after, (number, again["error"], again["result"], after)
        with open(f".agent/runs/{again['run']['id']}/steps.jsonl") as lines:
            records = [json.loads(line)["body"] for line in lines]
        paid = [r["key"].split("/")[-1] for r in records if r["type"] == "begin"]
        assert sorted(paid) == sorted(wanted), (number, sorted(paid), sorted(wanted))
        assert again["run"]["parent_run_id"] == first["run"]["id"]
        if number % 10 == 0:
            full = moonlet("run", "s.lua", *common, "--", step["name"], text)
            assert full["result"] == again["result"], number
            verified = moonlet("run", "verify", again["run"]["id"])
            assert verified["ok"], (number, verified)
    print("all is as a full run has it")


main(int(sys.argv[1]))
