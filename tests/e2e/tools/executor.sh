# Helpers of the cases of moonlet-executor. Source it. The functions start the executor and a model server, which answers
# by script.json.
# shellcheck shell=bash
unset OPENAI_API_KEY REASONING_EFFORT MAX_ITERS STATE_DIR REPO_ROOT OPENAI_MODEL
# The folder is outside of the repository in which the executor works.
SERVED=$(dirname "$PWD")/served
EXECUTOR=$(dirname "$MOONLET")/moonlet-executor

# serve [--chat | --responses] restarts the server. The server ends with the shell.
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
# replies JSON sets the next replies of the server.
replies() { mkdir -p "$SERVED" && printf '%s' "$1" >"$SERVED/script.json"; }
# requests [FILTER] prints how many requests that match FILTER the server has received.
requests() { grep -c "${1:-.}" "$SERVED/requests.jsonl"; }

# Removes the executor's warning that mounts are impossible, as in a container.
unwarned() { grep -v 'no mounts are possible here'; }

plan() {
  "$EXECUTOR" --plan-template >plan.md
  printf 'plan.md\n' >>.git/info/exclude
}
