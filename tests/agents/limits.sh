# The cases of run.sh about the limits of running agents: functions that print what is wrong. Each answer of the model
# server costs 1050 tokens and calls a tool.
# shellcheck shell=bash disable=SC2154,SC2034

# spend [SECONDS] makes the model call one quick tool after another, with a pause before each answer. All calls differ,
# because Gemini stops an agent that repeats itself.
# The server logs an answer as paid once it is written, so a killed agent's last answer may not count as paid.
spend() {
  serve "$("$python" -c 'import json, sys
print(json.dumps([{"do": [{"tool": "echo %d" % i, "after": float(sys.argv[1])} for i in range(300)]}]))' "${1:-0}")"
}

case_limit_of_a_call() {
  spend
  ask 'prompt = "Loop.", sandbox = "workspace-write", timeout = "150s", budget = { tokens = 5000 }'
  go
  want 'code == 1' 'verdict == "failed"' 'error.kind == "budget"' 'model["class"] == "limit"' 'len(model.attempts) == 1' \
    'len(turns) >= 5' 'len(paid) >= 4' 'len(paid) <= 9' 'run.usage.input_tokens >= 1000 * len(paid)' \
    'run.usage.input_tokens <= 1000 * len(paid) + 5000' 'run.usage.partial'
  nothing_left
}

# Parallel agents share one budget, and their tokens count while they still run.
case_limit_of_the_run() {
  spend
  cat >"$case/ask.lua" <<'END'
return ctx:parallel({ "a", "b" }, function(c, name)
  return c:agent { name = name, prompt = "Loop.", sandbox = "workspace-write", timeout = "150s" }.text
end, { settle = true })
END
  go --budget tokens=12000
  want 'code == 5' 'verdict == "budget"' 'error.kind == "budget"' '[m["class"] for m in models.values()] == ["budget"] * 2' \
    'len(turns) >= 12' 'len(paid) >= 10' 'len(paid) <= 18' 'run.usage.input_tokens >= 1000 * len(paid)'
  # The usage of the run equals the charged tokens, and a resume starts no agent. Count the starts in keeper.log, because
  # the model server may log the last call of a killed agent long after the agent's end.
  local before
  before=$(agent_starts)
  moon run resume R-001
  want 'code == 5'
  if [ "$before" -lt 2 ] || [ "$(agent_starts)" != "$before" ]; then echo "it was asked again: $before, $(agent_starts)"; fi
}

agent_starts() { grep -c '"record":"start".*"attempt":"[^"]*@' .agent/runs/R-001/keeper.log; }

case_limit_of_turns() {
  spend
  ask 'prompt = "Loop.", sandbox = "workspace-write", timeout = "150s", turns = 3'
  go
  want 'code == 1' 'verdict == "failed"' 'error.kind == "budget"' 'model["class"] == "limit"' 'len(turns) >= 3' \
    'len(paid) >= 2' 'len(paid) <= 6' 'run.usage.input_tokens >= 1000 * len(paid)'
}

# An agent continues to use tokens after its host was killed. The host that adopts it ends it at once.
case_limit_after_a_killed_host() {
  spend 0.5
  ask 'prompt = "Loop.", sandbox = "workspace-write", timeout = "150s", budget = { tokens = 5000 }'
  start run "$case/ask.lua" --allow all --runner "$runner" --task-id t1
  until_true 30 turns 2
  kill -9 "$host"
  ended 5
  until_true 30 turns 7
  moon run resume R-001
  want 'code == 1' 'error.kind == "budget"' 'model["class"] == "limit"' 'len(model.attempts) == 1' 'len(turns) <= 14' \
    'run.usage.input_tokens >= 1000 * len(paid)'
}

# A tool is silent for longer than the agent's idle limit.
case_quiet_tool_opencode() {
  serve '[{"do": [{"tool": "sleep 26; echo slept"}, {"text": "Done."}]}]'
  ask 'prompt = "Sleep.", sandbox = "workspace-write", idle = "18s"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "Done."' '"slept" in str(turns[1].results)'
}

case_killed_by_its_tool_opencode() {
  serve '[{"do": [{"tool": "kill -9 $PPID; sleep 5"}]}]'
  ask 'prompt = "Kill.", sandbox = "workspace-write", retry = 1'
  go
  want 'code == 1' 'model["class"] == "killed"' 'run.usage.input_tokens >= 1000' 'run.usage.estimated'
}
