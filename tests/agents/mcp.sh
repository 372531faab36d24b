# Tests real agents as main agents, which use `moonlet mcp` and the skills. run.sh sources this file. The messages
# between the agent and the server are saved in $case/mcp-in and $case/mcp-out.
# shellcheck shell=bash disable=SC2154,SC2034

gemini_shares_soak+=" soak_mcp_preset soak_mcp_cancel soak_mcp_parked"
opencode_shares_soak+=" soak_mcp_preset soak_mcp_cancel soak_mcp_parked"

# main_agent_setup writes presets with their rights, a wrapper that logs the server's messages, and the agent's settings.
main_agent_setup() {
  local port
  port=$(cat "$case/server/port")
  mkdir -p presets "$case/codex" "$HOME/.gemini"
  cat >presets/slow.lua <<'END'
local m = require "moonlet"
return m.preset { name = "slow", summary = "Counts.", args = { steps = m.arg.integer { default = 3 } },
  run = function(ctx, args)
    for i = 1, args.steps do
      ctx:phase("step " .. i)
      ctx:sleep(0.5)
    end
    return "counted to " .. args.steps
  end }
END
  cat >presets/ship.lua <<'END'
local m = require "moonlet"
return m.preset { name = "ship", summary = "Asks for a push.", run = function(ctx)
  ctx:gate { action = "push the release", why = "others see it" }
  return "pushed"
end }
END
  commit presets
  sed -i '1s/return {/return { mcp = { presets = { "slow", "ship" } },/' "$XDG_CONFIG_HOME/moonlet/config.lua"
  cat >"$case/tap" <<END
#!/bin/sh
tee -a "$case/mcp-in" | "$moonlet" mcp 2>>"$case/mcp-err" | tee -a "$case/mcp-out"
END
  chmod +x "$case/tap"
  codex_config "$port" >"$case/codex/config.toml"
  cat >>"$case/codex/config.toml" <<END
[mcp_servers.moonlet]
command = "$case/tap"
default_tools_approval_mode = "approve"
END
  printf '{"mcpServers": {"moonlet": {"command": "%s", "args": [], "env": {}}}}\n' "$case/tap" >"$case/mcp.json"
  printf '{"mcpServers": {"moonlet": {"command": "%s", "trust": true}}, "security": {"auth": {"selectedType": "gemini-api-key"}}}\n' \
    "$case/tap" >"$HOME/.gemini/settings.json"
  "$python" - "$case/opencode.json" "$case/tap" <<'END'
import json, sys
with open(sys.argv[1]) as file:
    config = json.load(file)
config["mcp"] = {"moonlet": {"type": "local", "command": [sys.argv[2]], "enabled": True}}
with open(sys.argv[1], "w") as file:
    json.dump(config, file)
END
  export CODEX_HOME=$case/codex ENABLE_TOOL_SEARCH=false IS_SANDBOX=1 MCP_CONNECTION_NONBLOCKING=0 GEMINI_CLI_TRUST_WORKSPACE=true
}

# main_agent PROMPT… runs the agent once, directly and not as a step of moonlet.
main_agent() {
  local bin=$cache/node_modules/.bin
  case $runner in
    codex) timeout 90 "$bin/codex" exec --skip-git-repo-check --json "$@" ;;
    claude) timeout 90 "$bin/claude" -p "$@" --mcp-config "$case/mcp.json" --strict-mcp-config --model sonnet \
      --allowedTools=mcp__moonlet --output-format stream-json --verbose ;;
    gemini) timeout 90 "$bin/gemini" -y -m gemini-2.5-pro -p "$@" ;;
    opencode) timeout 200 "$bin/opencode" run --title moonlet -m local/mock-1 "$@" ;;
  esac >>"$case/agent-out" 2>>"$case/agent-err" </dev/null
}

# seen FILE PATTERN WHAT reports that WHAT is missing unless a line of FILE matches PATTERN.
seen() { grep -qE -- "$2" "$case/$1" || echo "$3: $(tail -c 400 "$case/$1"; tail -c 600 "$case/agent-err")"; }

# records EXPRESSION checks a Python expression over the recorded calls and the newest run.
records() {
  "$python" - "$1" <<'END'
import glob, json, sys
calls = [json.loads(line) for line in open(".agent/mcp.jsonl")] if glob.glob(".agent/mcp.jsonl") else []
runs = [json.load(open(path)) for path in sorted(glob.glob(".agent/runs/*/run.json"))]
if not eval(sys.argv[1]):
    print("false:", sys.argv[1], calls, [(run["id"], run["verdict"]) for run in runs])
END
}

# The agent lists the tools, calls a preset and receives its progress, and the model gets the result.
case_soak_mcp_preset() {
  serve '[{"do": [{"mcp": "preset_slow", "given": {"steps": 2}}, {"text": "Done."}]}]'
  main_agent_setup
  main_agent "count with moonlet" || echo "exit $?"
  seen mcp-in '"method": ?"tools/list"' 'it has not listed the tools'
  seen mcp-out '"method":"notifications/progress"' 'no progress was sent'
  seen mcp-out 'phase step' 'progress names no phase'
  grep -q 'counted to 2' "$case/server/request-2.json" || echo "the model has not seen the result: $(tail -c 500 "$case/agent-err")"
  records 'len(runs) == 1 and runs[0]["verdict"] == "ok" and calls[0]["outcome"] == "done" and runs[0]["options"]["asked_by"]'
}

# An agent that is stopped during a call, or reaches its own time limit, cancels the call, and moonlet cancels the run.
case_soak_mcp_cancel() {
  serve '[{"do": [{"mcp": "preset_slow", "given": {"steps": 60}}, {"text": "Done."}]}]'
  main_agent_setup
  case $runner in
    codex) printf 'tool_timeout_sec = 3\n' >>"$case/codex/config.toml" ;;
    claude) export MCP_TOOL_TIMEOUT=3000 ;;
    gemini) sed -i 's/"trust": true/"trust": true, "timeout": 6000/' "$HOME/.gemini/settings.json" ;;
    opencode)
      # This agent's own limit does not end a call. So the agent is stopped, and the config makes moonlet cancel the run.
      sed -i '1s/mcp = {/mcp = { vanished = "cancel",/' "$XDG_CONFIG_HOME/moonlet/config.lua"
      main_agent "count with moonlet" &
      until_true 60 test -e "$case/server/request-1.json"
      until_true 60 grep -qs phase "$case/mcp-out"
      pkill -TERM -P $! 2>/dev/null
      wait $!
      until_true 20 cancelled
      return
      ;;
  esac
  main_agent "count with moonlet"
  seen mcp-in 'notifications/cancelled' 'it has not cancelled the call'
  until_true 20 cancelled
}

cancelled() { records 'runs and runs[0]["verdict"] == "cancelled"' | grep -q . && return 1 || return 0; }

# A gate parks the run if no person can be asked, and the model is told how the user can continue it.
case_soak_mcp_parked() {
  serve '[{"do": [{"mcp": "preset_ship"}, {"text": "Done."}]}]'
  main_agent_setup
  main_agent "ship with moonlet" || echo "exit $?"
  grep -q 'moonlet answer R-001 approve' "$case/server/request-2.json" || echo "the model has not seen the way on"
  records 'runs[0]["verdict"] == "needs-human"'
}

# form ANSWER drives the agent by its structured protocol and answers the form of the gate, as a person would.
form() {
  local args=()
  if [ "$runner" = claude ]; then args=(--mcp-config "$case/mcp.json" --strict-mcp-config --model sonnet); fi
  timeout 150 "$python" -B "$here/mcp_form.py" "$runner" "$cache/node_modules/.bin/$runner" "ship with moonlet" "$1" "${args[@]}" \
    >"$case/form" 2>>"$case/agent-err"
  seen form '^form: moonlet, run R-00.* \(ship\): push the release' 'the person saw no form'
  seen form '^turn: (completed|success)' 'the turn did not end'
}

# A person approves in the agent's own form, and the run continues. A declined form leaves the gate open.
mcp_form() {
  serve '[{"do": [{"mcp": "preset_ship"}, {"text": "Done."}, {"mcp": "preset_ship"}, {"text": "Done."}]}]'
  main_agent_setup
  # The agent also asks for permission to call the tool.
  sed -i '/approval_mode/d' "$case/codex/config.toml"
  form approve
  records 'runs[0]["verdict"] == "ok" and "through" in runs[0]["answers"][0]["by"] and runs[0]["answers"][0]["value"] == "approve"'
  form decline
  records 'runs[1]["verdict"] == "needs-human"'
}

case_soak_mcp_form_codex() { mcp_form; }
case_soak_mcp_form_claude() { mcp_form; }

# Codex includes the installed skills in its request.
case_soak_mcp_skills_codex() {
  serve '[{"do": [{"text": "Done."}]}]'
  main_agent_setup
  "$moonlet" skill install >/dev/null
  main_agent "hello"
  local name
  for name in sidecar orchestrate implement-plan supervise-session; do
    grep -q "$name" "$case/server/request-1.json" || echo "the request does not name the skill $name"
  done
}

# Claude accepts the plugin folder: its validator reports nothing, and a session lists the plugin, its skills and server.
case_soak_mcp_plugin_claude() {
  local plugin=$here/../../stdlib/plugin
  serve '[{"do": [{"text": "Done."}]}]'
  main_agent_setup
  timeout 60 "$cache/node_modules/.bin/claude" plugin validate "$plugin" >"$case/validate" 2>&1 </dev/null ||
    echo "claude plugin validate: $(cat "$case/validate")"
  PATH=$(dirname "$moonlet"):$PATH timeout 90 "$cache/node_modules/.bin/claude" -p hello --plugin-dir "$plugin" --model sonnet \
    --output-format stream-json --verbose >"$case/agent-out" 2>>"$case/agent-err" </dev/null
  seen agent-out '"name":"moonlet","path":"' 'it lists no plugin'
  seen agent-out '"mcp_servers":\[\{"name":"plugin:moonlet:moonlet","status":"connected"' 'it lists no server'
  seen agent-out 'moonlet:sidecar' 'it lists no skill'
}

# A new user installs the skills, registers the server, allows a preset, and asks for a review.
case_mcp_newcomer_codex() {
  serve '[{"when": "Review this change with moonlet", "do": [{"mcp": "preset_triangulated_review", "given": {"target": "worktree", "lenses": ["correctness", "tests"], "linters": ["none"]}}, {"text": "One finding."}]},
    {"do": [{"text": "{\"findings\": [{\"file\": \"README.md\", \"line\": 2, \"severity\": \"high\", \"claim\": \"It promises too much.\"}]}"}]}]'
  mkdir -p "$case/codex"
  export CODEX_HOME=$case/codex PATH=${moonlet%/*}:$PATH
  codex_config "$(cat "$case/server/port")" >"$case/codex/config.toml"
  "$moonlet" skill install >"$case/steps"
  # Perform the steps that the command prints, as a person would.
  grep -q '^  codex mcp add moonlet -- moonlet mcp$' "$case/steps" || echo "no step registers the server"
  "$cache/node_modules/.bin/codex" mcp add moonlet -- moonlet mcp >/dev/null 2>&1 || echo "codex mcp add failed"
  printf 'default_tools_approval_mode = "approve"\nenv_vars = ["LOCAL_API_KEY"]\n' >"$case/approve"
  sed -i "/^\[mcp_servers.moonlet\]/r $case/approve" "$case/codex/config.toml"
  sed -i '1s/return {/return { runner = "codex", mcp = { presets = { "triangulated-review" } },/' "$XDG_CONFIG_HOME/moonlet/config.lua"
  echo 'It does everything.' >>README.md
  main_agent "Review this change with moonlet." || echo "exit $?"
  records 'len(runs) == 1 and runs[0]["verdict"] == "ok" and runs[0]["preset"] == "triangulated-review"'
  grep -q 'It promises too much' "$case"/server/request-*.json || echo "the model has not seen the finding"
  seen agent-out 'One finding' 'it has not answered'
}
