# Shared by the cases of moonlet-executor. To be sourced: a model server that obeys script.json, and the executor.
# shellcheck shell=bash
unset OPENAI_API_KEY REASONING_EFFORT MAX_ITERS STATE_DIR REPO_ROOT OPENAI_MODEL
# The folder is outside of the repository in which the executor works.
SERVED=$(dirname "$PWD")/served
EXECUTOR=$(dirname "$MOONLET")/moonlet-executor

# serve [--chat | --responses]: starts the server anew; it ends with the shell.
serve() {
  rm -rf "$SERVED/port" "$SERVED/requests.jsonl" "$SERVED/stop"
  mkdir -p "$SERVED"
  [ -e "$SERVED/script.json" ] || echo '[{"text":"Done."}]' >"$SERVED/script.json"
  python3 "$ROOT/tests/e2e/tools/model_server.py" "$SERVED" "$@" &
  SERVER=$!
  while ! [ -s "$SERVED/port" ]; do sleep 0.02; done
  export OPENAI_BASE_URL=http://127.0.0.1:$(cat "$SERVED/port")/v1
}
stop_serving() {
  touch "$SERVED/stop"
  wait "$SERVER"
}
# replies JSON: sets the next replies.
replies() { mkdir -p "$SERVED" && printf '%s' "$1" >"$SERVED/script.json"; }
# requests [FILTER]: prints the number of requests that the server received.
requests() { grep -c "${1:-.}" "$SERVED/requests.jsonl"; }

# Drops the warning of places where no mounts are possible, such as a container.
unwarned() { grep -v 'no mounts are possible here'; }

plan() {
  "$EXECUTOR" --plan-template >plan.md
  printf 'plan.md\n' >>.git/info/exclude
}
