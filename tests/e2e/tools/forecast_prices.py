#!/usr/bin/env python3
"""Compares forecast costs with the costs of the resumes. The costs of the agents differ by a factor of more than ten.

    forecast_prices.py COUNT SEED made-up|recorded      works in the present folder; exit code 1 if fewer than 95 % lie in their range
"""
import json
import os
import random
import subprocess
import sys

MOONLET = os.environ["MOONLET"]
KIND = sys.argv[3]
# Made-up costs of agent calls in USD. Most calls are cheap, and some cost ten times as much.
COSTS = [0.021, 0.024, 0.026, 0.031, 0.033, 0.034, 0.038, 0.041, 0.043, 0.047, 0.052, 0.055, 0.058, 0.064, 0.071, 0.078,
            0.086, 0.094, 0.105, 0.118, 0.131, 0.149, 0.172, 0.214]
# Costs in USD of 19 recorded calls of Claude Code. Most made one request, and some made several.
RECORDED = [0.007295] * 12 + [0.01459] * 5 + [0.02918, 0.004377]
SCRIPT = """
local function ask(c, name)
  return c:agent { name = name, prompt = name, runner = "command", argv = { "./agent.sh" }, events = "moonlet", retry = 1 }.text
end
local seen = ctx:parallel({ "a", "b", "c", "d" }, function(c, name) return ask(c, name) end, { need = 1 })
return { ask(ctx, "judge"), ask(ctx, "sum"), #seen }
"""
AGENT = """#!/usr/bin/env bash
name=$(cat)
read -r mode cost < <(grep "^$name " modes | cut -d' ' -f2-)
[ "$mode" = fail ] && exit 3
printf '%s\\n' '{"type":"session","id":"s","model":"m1"}' '{"type":"text","text":"fine"}' \\
  "{\\"type\\":\\"usage\\",\\"input_tokens\\":100,\\"output_tokens\\":20,\\"cost_usd\\":$cost}" '{"type":"done","status":"ok"}'
"""
NAMES = ["a", "b", "c", "d", "judge", "sum"]


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def moonlet(*words):
    done = subprocess.run([MOONLET, *words, "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def set_modes(rng, failing):
    """Draws a cost for each agent: a recorded one, or one up to 20 % away from one of COSTS."""
    def cost():
        return rng.choice(RECORDED) if KIND == "recorded" else rng.choice(COSTS) * rng.uniform(0.85, 1.2)

    write("modes", "".join(f"{name} {'fail' if name in failing else 'ok'} {cost():.6f}\n" for name in NAMES))


def cost_of(run):
    return run["usage"]["cost_usd"] or 0.0


def main():
    count, rng = int(sys.argv[1]), random.Random(int(sys.argv[2]))
    write("s.lua", SCRIPT)
    write("agent.sh", AGENT)
    os.chmod("agent.sh", 0o755)
    for _ in range(4):
        set_modes(rng, [])
        moonlet("run", "s.lua", "--allow", "all")
    within, paid, outside = 0, 0, []
    for _ in range(count):
        set_modes(rng, rng.sample(NAMES[:4], rng.randint(1, 3)) + rng.sample(NAMES[4:], 1))
        before = moonlet("run", "s.lua", "--allow", "all")["run"]
        made = moonlet("resume", before["id"], "--forecast")["result"]
        set_modes(rng, [])
        after = moonlet("resume", before["id"])["run"]
        totals, spent = made["totals"]["usd"], cost_of(after) - cost_of(before)
        if totals["low"] <= spent + 1e-9 and spent <= totals["most"] + 1e-9:
            within += 1
        else:
            outside.append(f"{before['id']}: {spent:.4f} not in {totals['low']:.4f} to {totals['most']:.4f}")
        usage = {step["key"]: step["usage"]["cost_usd"] for step in after["steps"] if step["kind"] == "agent"}
        known = sum(usage[row["key"]] for row in made["steps"] if row["outcome"] == "paid")
        paid += totals["low"] <= known + 1e-9 and known <= totals["high"] + 1e-9
    for line in outside:
        print(line)
    print(f"{count} resumes: {within} cost what the forecast says in all, {paid} for the steps that it lists as paid")
    return 0 if min(within, paid) >= 0.95 * count else 1


if __name__ == "__main__":
    sys.exit(main())
