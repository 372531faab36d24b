# Tests hooks of the real agent programs. Each session or turn becomes a run with its model, its
# usage, the user's prompt, and the files that the edit tool and the shell wrote. run.sh and
# cases.sh define the helper functions.
# shellcheck shell=bash disable=SC2154,SC2034

# Puts moonlet into PATH, because hooks start it by name.
moonlet_in_path() {
  mkdir -p "$case/bin" && ln -sf "$moonlet" "$case/bin/moonlet"
  export PATH=$case/bin:$PATH
}

# settings FILE EVENT… writes a settings file with hooks, whose timeout suffices on a loaded
# machine. TIMEOUT has the unit of the agent program.
settings() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  "$python" - "$moonlet hook $runner" "$timeout" "$@" >"$file" <<'END'
import json, sys
command = {"type": "command", "command": sys.argv[1], "timeout": int(sys.argv[2])}
print(json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}},
                  "hooks": {name: [{"hooks": [command]}] for name in sys.argv[3:]}}))
END
}

# recorded RUN PRESET EXPRESSION… checks expressions over a run. It polls, because agents do not
# wait for their hooks.
recorded() {
  until_true 40 is_recorded "$@" && return
  shift 2
  want "$@"
  cat "$case/out.json" "$case/err.txt"
}
is_recorded() {
  moon run show "$1" --answer
  local preset=$2
  shift 2
  [ -z "$(want 'code == 0' 'verdict == "ok"' "run.preset == '$preset'" "$@")" ]
}

# whole MODEL TURNS [NAME…] sets the expected facts of a run for which the server sent TURNS answers.
whole() {
  local model=$1 count=$2
  shift 2
  facts=("run.runner == '$runner'" "run.model == '$model'" "len(paid) >= $count" "run.duration_ms > 100"
    "run.usage.input_tokens == 1000 * $count" "run.usage.cached_input_tokens == 200 * $count"
    "run.usage.output_tokens == 50 * $count" "run.usage.total_tokens == 1050 * $count"
    "sorted(run.files_changed) == '$*'.split()" "run.steps[0].usage.input_tokens == 1000 * $count")
}

# kept PROMPT checks that the prompt is recorded and no answer is, that `run verify` passes, and
# that `moonlet usage` counts the run.
kept() {
  "$moonlet" run show last --prompt | grep -qxF -- "$1" || echo "the prompt is $("$moonlet" run show last --prompt)"
  if grep -rl 'privately said' .agent; then echo "an answer was kept"; fi
  "$moonlet" run verify all 2>&1 | grep -q 'all as it was written' || "$moonlet" run verify all
  "$moonlet" usage --by runner | grep -q "^$runner " || "$moonlet" usage --by runner
}

edits='[{"when": "Generate a title", "do": [{"text": "A title"}]}, {"do": [{"write": "FILE", "text": "made"},
  {"tool": "echo two > two.txt"}, {"text": "privately said"}]}]'

case_hook_claude() {
  serve "${edits/FILE/$PWD/made.txt}"
  timeout=60 settings .claude/settings.json SessionStart UserPromptSubmit PostToolUse PermissionRequest SessionEnd
  export CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS=60000
  commit settings
  echo mine >before.txt
  timeout -k 5 60 "$cache/node_modules/.bin/claude" -p "make it" --model sonnet --permission-mode acceptEdits \
    --allowedTools Bash,Write </dev/null >"$case/agent.txt" 2>&1 || cat "$case/agent.txt"
  whole claude-test 3 made.txt two.txt
  recorded 1 claude-session "${facts[@]}" '"1 prompt, 2 tools, 0 denials" in r.answer'
  kept 'make it'
}

case_hook_gemini() {
  serve "${edits/FILE/$PWD/made.txt}"
  timeout=60000 settings ~/.gemini/settings.json SessionStart BeforeAgent AfterTool SessionEnd
  echo mine >before.txt
  timeout -k 5 60 "$cache/node_modules/.bin/gemini" --skip-trust -m gemini-2.5-pro --approval-mode yolo -p "make it" \
    </dev/null >"$case/agent.txt" 2>&1 || cat "$case/agent.txt"
  whole gemini-2.5-pro 3 made.txt two.txt
  recorded 1 gemini-session "${facts[@]}" 'run.usage.reasoning_output_tokens == 30' \
    '"1 prompt, 2 tools, 0 denials" in r.answer'
  kept 'make it'
}

# opencode reports no end of a session, so each turn becomes a run, and the second run names the
# first. opencode_run ARG… starts opencode. It may hang while it requests its plugin package from npm,
# so it is started once more after a timeout.
opencode_run() {
  local try code
  for try in 1 2; do
    code=0
    timeout -k 5 90 "$cache/node_modules/.bin/opencode" run "$@" -m local/mock-1 --auto </dev/null >"$case/agent.txt" 2>&1 || code=$?
    if [ $code != 124 ] && [ $code != 137 ]; then break; fi
  done
  [ $code = 0 ] || { echo "opencode ended with $code at try $try" && cat "$case/agent.txt"; }
}

case_hook_opencode() {
  serve '[{"do": [{"text": "ready"}]}]'
  moonlet_in_path
  mkdir -p ~/.config/opencode/plugins
  # The first start with a plugin downloads the plugin package. A repeated start must not be recorded.
  echo 'export const Nothing = async () => ({})' >~/.config/opencode/plugins/moonlet.js
  opencode_run hello
  moonlet hook opencode --plugin >~/.config/opencode/plugins/moonlet.js
  obey "${edits/FILE/$PWD/made.txt}"
  echo mine >before.txt
  opencode_run make-it
  whole mock-1 3 made.txt two.txt
  recorded 1 opencode-turn "${facts[@]}" '"1 prompt, 2 tools, 0 denials" in r.answer' 'run.parent_run_id is None'
  kept make-it
  echo mine >between.txt
  obey '[{"do": [{"tool": "echo three > three.txt"}, {"text": "privately said"}]}]'
  opencode_run -c again
  whole mock-1 2 three.txt
  recorded 2 opencode-turn "${facts[@]}" 'run.parent_run_id == "R-001"'
  kept again
}

codex_exec() {
  timeout -k 5 60 "$cache/node_modules/.bin/codex" exec -s danger-full-access "$@" </dev/null >"$case/agent.txt" 2>&1 ||
    cat "$case/agent.txt"
}

# The first turn has no earlier state to compare with, so its files are found by their modification
# times.
case_hook_codex() {
  serve '[{"do": [{"tool": "apply_patch <<EOF\n*** Begin Patch\n*** Add File: made.txt\n+made\n*** End Patch\nEOF"},
    {"tool": "echo two > two.txt"}, {"text": "privately said"}]}]'
  moonlet_in_path
  mkdir -p ~/.codex
  echo 'notify = ["moonlet", "hook", "codex"]' >~/.codex/config.toml
  codex_config "$(cat "$case/server/port")" >>~/.codex/config.toml
  echo mine >before.txt
  sleep 0.1
  codex_exec "make it"
  whole mock-1 3 made.txt two.txt
  recorded 1 codex-turn "${facts[@]}" 'run.usage.reasoning_output_tokens == 30' 'run.parent_run_id is None'
  kept 'make it'
  echo mine >between.txt
  sleep 0.1
  obey '[{"do": [{"tool": "echo three > three.txt; git add -A; git commit -qm More"}, {"text": "privately said"}]}]'
  codex_exec resume --last "again"
  whole mock-1 2 three.txt
  recorded 2 codex-turn "${facts[@]}" 'run.parent_run_id == "R-001"'
  kept again
}

# An opencode that moonlet starts does not load the user's plugin, so it is recorded once.
case_hook_of_its_own_opencode() {
  serve '[{"do": [{"text": "All is well."}]}]'
  moonlet_in_path
  mkdir -p ~/.config/opencode/plugins
  moonlet hook opencode --plugin >~/.config/opencode/plugins/moonlet.js
  ask 'prompt = "How is it?"'
  go
  want 'code == 0' 'r.text == "All is well."' 'run.id == "R-001"'
  sleep 1
  moon run list
  want 'len(r.runs) == 1'
  if ls .agent/ambient/opencode-* 2>/dev/null; then echo "its turn was noted"; fi
}
