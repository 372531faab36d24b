# What the cases of moonlet-executor share. To be sourced: a model server that obeys script.json, and the executor.
# shellcheck shell=bash
unset OPENAI_API_KEY REASONING_EFFORT MAX_ITERS STATE_DIR REPO_ROOT OPENAI_MODEL
EXECUTOR=$(dirname "$MOONLET")/moonlet-executor

# serve [--chat | --responses]: starts the server anew; it ends with the shell.
serve() {
  rm -rf served/port served/requests.jsonl served/stop
  mkdir -p served
  [ -e served/script.json ] || echo '[{"text":"Done."}]' >served/script.json
  python3 "$TOOLS/model_server.py" served "$@" &
  SERVER=$!
  while ! [ -s served/port ]; do sleep 0.02; done
  export OPENAI_BASE_URL=http://127.0.0.1:$(cat served/port)/v1
}
stop_serving() {
  touch served/stop
  wait "$SERVER"
}
# script JSON: the replies to come.
script() { mkdir -p served && printf '%s' "$1" >served/script.json; }
# requests [FILTER]: how many requests the server saw.
requests() { grep -c "${1:-.}" served/requests.jsonl; }

plan() {
  "$EXECUTOR" --plan-template >plan.md
  printf 'served/\nplan.md\n' >>.git/info/exclude
}
