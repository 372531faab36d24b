# Cases of run.sh with interactive sessions of Codex and Claude. run.sh and cases.sh define the helper functions.
# shellcheck shell=bash disable=SC2154,SC2034

# s ARG… runs `moonlet session ARG…`.
s() { timeout -k 5 60 "$moonlet" session "$@" 2>>"$case/err.txt"; }

# shows SESSION TEXT waits until the session's screen contains TEXT.
shows() {
  until_true 30 on_screen "$1" "$2" && return
  s screen "$1"
  s explain "$1"
}
on_screen() { s screen "$1" --history 200 | grep -qF -- "$2"; }

# noted SESSION TEXT waits until the session's events contain TEXT.
noted() { until_true 30 grep -q -- "$2" ".agent/sessions/$1/events.jsonl"; }

# watch SESSION answers the prompt for trust by a rule, and denies all other prompts.
watch() {
  "$moonlet" session watch "$1" --answer trust=approve >>"$case/watch.txt" 2>&1 &
  watcher=$!
}

# quits SESSION presses Ctrl-C twice, because Claude exits only on a second one within a second, and waits for the end.
quits() {
  s submit "$1" --keys ctrl-c
  s submit "$1" --keys ctrl-c
  s wait "$1" --timeout 3s >/dev/null
}

session_story() {
  local id
  id=$(s start -- "$@")
  [ "$id" = S-001 ] || echo "started as '$id'"
  watch "$id"
  noted "$id" '"act":"answer".*trust.*"type":"intervention"'
  shows "$id" 'for shortcuts'
  s wait "$id" --until prompt --timeout 30s >/dev/null
  s submit "$id" 'say hello'
  shows "$id" 'Hello from the model.'
  s wait "$id" --until prompt --timeout 30s | grep -q waiting-for-input || echo "it is not ready after its turn"
  s submit "$id" 'please make it'
  noted "$id" '"act":"answer".*approval.*"type":"intervention"'
  [ ! -e made ] || echo "what was denied was done"
  kill "$watcher"; wait "$watcher" 2>/dev/null
  s wait "$id" --until prompt --timeout 30s >/dev/null
  until_true 30 quits "$id"
  s wait "$id" --timeout 10s >/dev/null || s explain "$id"
  # The recorded output of the programs draws an identical screen in tmux.
  if command -v tmux >/dev/null; then
    mkdir -p "$case/compared"
    cp ".agent/sessions/$id/output-0000000000000000.log" "$case/compared/printed"
    (cd "$case/compared" && "$python" -B "$here/../e2e/tools/tmux_compare.py" "$moonlet" --log printed 120x40)
  fi
  id=$(s resume "$id")
  [ "$id" = S-002 ] || echo "resumed as '$id': $(tail -3 "$case/err.txt")"
  shows "$id" 'Hello from the model.'
  grep -q '"type":"context"' ".agent/sessions/$id/events.jsonl" || echo "the context was not looked for"
  s kill "$id" --grace 500ms >/dev/null
}

# resumes HISTORY PROGRAM ARG… resumes sessions of a program. Half of the resumes are fresh starts or find the history
# deleted. HISTORY is the folder with the program's history.
resumes() {
  local history=$1 count=20 i id code wanted
  shift
  s start -- "$@" >/dev/null
  watch S-001
  noted S-001 '"act":"answer".*trust.*"type":"intervention"'
  shows S-001 'for shortcuts'
  s wait S-001 --until prompt --timeout 30s >/dev/null
  s submit S-001 'say hello to number 42'
  shows S-001 'Hello from the model.'
  s wait S-001 --until prompt --timeout 30s >/dev/null
  until_true 30 quits S-001
  kill "$watcher" 2>/dev/null; wait "$watcher" 2>/dev/null
  for ((i = 0; i < count; i++)); do
    code=0 wanted=0
    case $((i % 4)) in
      0 | 1) id=$(s resume S-001) || code=$? ;;
      2) wanted=1; id=$(s resume S-001 -- "$@") || code=$? ;;
      3) wanted=1; mv "$history" "$history.gone"; id=$(s resume S-001) || code=$? ;;
    esac
    [ "$code" -eq "$wanted" ] || echo "resume $i ended with $code instead of $wanted: $(tail -2 "$case/err.txt")"
    s kill "${id:-$((i + 2))}" --grace 300ms >/dev/null
    if [ -e "$history.gone" ]; then rm -rf "$history" && mv "$history.gone" "$history"; fi
  done
}

case_soak_resumes_codex() {
  serve '[{"do": [{"text": "Hello from the model."}]}]'
  resumes "${CODEX_HOME:-$HOME/.codex}/sessions" "$cache/node_modules/.bin/codex" --no-alt-screen -m mock-1 \
    -c model_provider=local -c 'model_providers.local={name="local",base_url="http://127.0.0.1:'"$(cat "$case/server/port")"'/v1",wire_api="responses",env_key="LOCAL_API_KEY"}'
}

case_soak_resumes_claude() {
  serve '[{"do": [{"text": "Hello from the model."}]}]'
  mkdir -p "$HOME/.claude"
  printf '{"hasCompletedOnboarding": true, "customApiKeyResponses": {"approved": ["%s"]}}\n' \
    "${ANTHROPIC_API_KEY: -20}" >"$HOME/.claude.json"
  resumes "$HOME/.claude/projects" "$cache/node_modules/.bin/claude" --model sonnet
}

case_session_codex() {
  serve '[{"when": "make it", "do": [{"tool": "touch made", "arguments": {"sandbox_permissions": "require_escalated",
    "justification": "May I make it?"}}, {"text": "I stopped."}]},
    {"do": [{"text": "Hello from the model."}]}]'
  local port
  port=$(cat "$case/server/port")
  session_story "$cache/node_modules/.bin/codex" --no-alt-screen -a on-request -m mock-1 -c model_provider=local -c \
    'model_providers.local={name="local",base_url="http://127.0.0.1:'"$port"'/v1",wire_api="responses",env_key="LOCAL_API_KEY"}'
}

case_session_claude() {
  serve '[{"when": "make it", "do": [{"tool": "touch made"}, {"text": "I stopped."}]},
    {"do": [{"text": "Hello from the model."}]}]'
  mkdir -p "$HOME/.claude"
  printf '{"hasCompletedOnboarding": true, "customApiKeyResponses": {"approved": ["%s"]}}\n' \
    "${ANTHROPIC_API_KEY: -20}" >"$HOME/.claude.json"
  timeout=60 settings .claude/settings.json SessionStart UserPromptSubmit PostToolUse PermissionRequest SessionEnd
  export CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS=60000
  session_story "$cache/node_modules/.bin/claude" --model sonnet
  # The hook records a denial that the program shows on the screen.
  recorded 1 claude-session '"- denied: Bash" in r.answer'
}
