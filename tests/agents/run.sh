#!/usr/bin/env bash
# Tests moonlet with the real Codex CLI, Claude Code, Gemini CLI and opencode, whose versions package.json pins. A
# scripted model server on 127.0.0.1 answers the agents.
#   run.sh MOONLET [WORD]      all cases, or those whose name contains the word
# Prints "ok NAME", "FAIL NAME: why" or "skipped NAME: why" for each case, and the counts last. The agents
# are installed once, into ${XDG_CACHE_HOME:-~/.cache}/moonlet-tests/agents. If that fails, the cases are
# skipped. Needs git and python3. MOONLET_SOAK=1 runs the long cases too, MOONLET_JOBS limits how many
# cases run at once, and MOONLET_KEEP=1 keeps the folders of failed cases.
set -uo pipefail
[ $# -ge 1 ] || { echo "usage: $0 MOONLET [WORD]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
moonlet=$(realpath "$1")
word=${2:-}
python=$(python3 -c 'import sys; print(sys.executable)') || { echo "$0: python3 is missing" >&2; exit 2; }

if [ "$(uname -s)" != Linux ]; then
  echo "skipped the real agents: what is left of them is looked for in /proc"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi

# --- the agents ------------------------------------------------------------------------------------
cache=${XDG_CACHE_HOME:-$HOME/.cache}/moonlet-tests/agents

# Installs the agents unless the pinned versions are installed already. On failure, prints the reason.
missing() {
  local pinned
  pinned=$(sha256sum <"$here/package-lock.json")
  if [ "$(cat "$cache/pinned" 2>/dev/null)" != "$pinned" ]; then
    command -v npm >/dev/null || { echo "npm is not installed" && return; }
    mkdir -p "$cache" || { echo "$cache cannot be made" && return; }
    (
      flock 9
      [ "$(cat "$cache/pinned" 2>/dev/null)" = "$pinned" ] && exit
      cp "$here/package.json" "$here/package-lock.json" "$cache/" &&
        cd "$cache" && timeout 600 npm install --no-save --fetch-retries=1 --no-audit --no-fund --loglevel=error >"$cache/npm.log" 2>&1 &&
        printf '%s\n' "$pinned" >"$cache/pinned"
    ) 9>"$cache/.lock" || { echo "npm could not install them (see $cache/npm.log)" && return; }
  fi
  # Gemini CLI needs Node.js 20, and Debian 12 has 18.
  if [ "$(node -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0)" -lt 20 ] && ! [ -x "$cache/node_modules/.bin/node" ]; then
    (cd "$cache" && timeout 600 npm install --no-save --no-audit --no-fund --loglevel=error node@22.23.3 >"$cache/npm.log" 2>&1) ||
      { echo "npm could not install Node.js 22 (see $cache/npm.log)" && return; }
  fi
  local runner
  for runner in codex claude gemini opencode; do
    [ -x "$cache/node_modules/.bin/$runner" ] || { echo "npm has not installed $runner for this system" && return; }
  done
}

# --- helpers of cases: each case runs in its own repository, beneath its own HOME --------------------
# serve RULES starts the model server of the case with this script (see server.py).
serve() {
  mkdir -p "$case/server"
  obey "$1"
  "$python" -B "$here/server.py" "$case/server" >"$case/server/log" 2>&1 &
  server=$!
  until [ -s "$case/server/port" ]; do sleep 0.05; done
  configure "$(cat "$case/server/port")"
}

# obey RULES gives the running server another script.
obey() {
  printf '%s\n' "$1" >"$case/server/script.new" && mv "$case/server/script.new" "$case/server/script.json"
}

stop_server() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
  server=
}

# codex_config PORT prints a config file for Codex with a provider at that port.
codex_config() {
  cat <<END
model = "mock-1"
model_provider = "local"
[model_providers.local]
name = "local"
base_url = "http://127.0.0.1:$1/v1"
wire_api = "responses"
env_key = "LOCAL_API_KEY"
END
}

# configure PORT writes the user's configs of moonlet and the agents, with a provider at that port.
configure() {
  mkdir -p "$XDG_CONFIG_HOME/moonlet"
  cat >"$XDG_CONFIG_HOME/moonlet/config.lua" <<END
return { runners = {
  codex = { program = "$cache/node_modules/.bin/codex", model = "mock-1", env = { "LOCAL_API_KEY" },
    args = { "-c", "model_provider=local", "-c",
      'model_providers.local={name="local",base_url="http://127.0.0.1:$1/v1",wire_api="responses",env_key="LOCAL_API_KEY"}' } },
  claude = { program = "$cache/node_modules/.bin/claude", model = "sonnet",
    env = { "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY" } },
  gemini = { program = "$cache/node_modules/.bin/gemini", model = "gemini-2.5-pro" },
  opencode = { program = "$cache/node_modules/.bin/opencode", model = "local/mock-1", env = { "LOCAL_API_KEY" } },
} }
END
  cat >"$case/opencode.json" <<END
{"provider": {"local": {"npm": "@ai-sdk/openai-compatible", "name": "local",
  "options": {"baseURL": "http://127.0.0.1:$1/v1", "apiKey": "{env:LOCAL_API_KEY}"},
  "models": {"mock-1": {"name": "mock-1", "limit": {"context": 200000, "output": 8000}}}}}}
END
  export OPENCODE_CONFIG=$case/opencode.json
  export GEMINI_API_KEY=sk-test-local-0123456789 GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$1
  export LOCAL_API_KEY=sk-test-local-0123456789 ANTHROPIC_API_KEY=sk-test-local-0123456789
  export ANTHROPIC_BASE_URL=http://127.0.0.1:$1
}

# ask FIELDS writes a script that calls ctx:agent once, with these fields and a name.
ask() {
  cat >"$case/ask.lua" <<END
local answer = ctx:agent { name = "ask", $1 }
return { text = answer.text, data = answer.data, files = answer.files_changed, usage = answer.usage }
END
}

# go [ARG…] runs the script of `ask` with the case's runner, and saves the outcome for `want`.
go() { moon run "$case/ask.lua" --allow all --runner "$runner" --task-id t1 "$@"; }

# moon ARG… runs moonlet with --json. It sets `code` to the exit code and `took` to the milliseconds.
moon() {
  local began
  began=$(date +%s%3N)
  timeout -k 5 "$((${limit:-60} * patience))" "$moonlet" "$@" --json >"$case/out.json" 2>"$case/err.txt" </dev/null
  code=$?
  took=$(($(date +%s%3N) - began))
  runs=$((runs + 1))
  cp "$case/out.json" "$case/out-$runs.json"
}

# start ARG… runs moonlet with --json in the background, and sets `host` to its process id.
start() {
  set -m # without job control, bash starts the background job with SIGINT ignored
  # If the tests themselves were started with SIGINT ignored, the shell cannot reset it, but `env` can.
  env --default-signal=INT "$moonlet" "$@" --json >"$case/out.json" 2>"$case/err.txt" </dev/null &
  host=$!
  set +m
}

# ended SECONDS waits until $host has ended, and kills it after that time. Sets `code` and `took`.
ended() {
  local began
  began=$(date +%s%3N)
  until_true "$1" gone "$host" || kill -9 "$host"
  wait "$host" 2>/dev/null
  code=$?
  took=$(($(date +%s%3N) - began))
}

gone() { [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null || echo Z)" = Z ]; }

# want EXPRESSION… checks Python expressions over the outcome, and prints those that are false.
want() { "$python" "$here/check.py" "$case" "$code" "$took" "$@"; }

commit() { git add -A && git commit -q --allow-empty -m "$1"; }

# Prints the case's processes: those with its folder in their environment, and moonlet with an open file in it.
processes() {
  local entry pid
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    if [ "$pid" = "$BASHPID" ] || [ "$pid" = "$server" ] || [ "$pid" = "$self" ]; then continue; fi
    if grep -qsF -- "HOME=$case/" "$entry/environ" || is_moonlet "$pid"; then printf '%s\n' "$pid"; fi
  done
}

# Finds moonlet by its open files, because keepers have an empty environment.
is_moonlet() {
  [ "$(readlink "/proc/$1/exe")" = "$moonlet" ] && find "/proc/$1/fd" -lname "$case/*" 2>/dev/null | grep -q .
}

nobody() { [ -z "$(processes)" ]; }

# Waits up to two seconds for the processes of the case to end, then prints and kills the remaining ones.
nothing_left() {
  local end=$((SECONDS + 2)) pid left
  while :; do
    left=$(processes)
    if [ -z "$left" ]; then return; fi
    if [ "$SECONDS" -gt "$end" ]; then break; fi
    sleep 0.2
  done
  for pid in $left; do
    echo "process $pid is left: $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | head -c 200)"
    kill -9 "$pid" 2>/dev/null
  done
}

# until_true SECONDS COMMAND… repeats a command until it succeeds, or reports a timeout.
until_true() {
  local end=$((SECONDS + $1 * patience))
  shift
  until "$@"; do
    if [ "$SECONDS" -gt "$end" ]; then
      echo "waited in vain for: $*"
      return 1
    fi
    sleep 0.1
  done
}

# turns N succeeds if the server has received at least N requests.
turns() { [ "$(cat "$case/server/calls.jsonl" 2>/dev/null | grep -c '"kind": "turn"')" -ge "$1" ]; }

# shellcheck source=tests/agents/cases.sh
. "$here/cases.sh"
# shellcheck source=tests/agents/reviews.sh
. "$here/reviews.sh"
# shellcheck source=tests/agents/limits.sh
. "$here/limits.sh"
# shellcheck source=tests/agents/gemini.sh
. "$here/gemini.sh"
# shellcheck source=tests/agents/opencode.sh
. "$here/opencode.sh"
# shellcheck source=tests/agents/confinement.sh
. "$here/confinement.sh"
# shellcheck source=tests/agents/patterns.sh
. "$here/patterns.sh"
# shellcheck source=tests/agents/sessions.sh
. "$here/sessions.sh"
# shellcheck source=tests/agents/hooks.sh
. "$here/hooks.sh"
# shellcheck source=tests/agents/remote.sh
. "$here/remote.sh"
# shellcheck source=tests/agents/mcp.sh
. "$here/mcp.sh"

# uses_tools NAME succeeds if a tool of this case runs in Codex's own sandbox.
uses_tools() { declare -f "$1" | grep -qE '"tool"|rules <<|try_options' && ! declare -f "$1" | grep -q 'confine = "host"'; }

# --- one case: "NAME RUNNER" -------------------------------------------------------------------------
run_case() {
  local name=$1 title why self server='' runs=0 code=0 took=0 began=$SECONDS patience=1
  runner=$2
  # The agent program takes seconds to start.
  if [ "$runner" = opencode ]; then patience=3; fi
  title=${name#case_}
  title=${title#soak_}
  title=$runner-${title//_/-}
  case=$work/$title
  if [ "$runner" = codex ] && [ -z "$namespaces" ] && uses_tools "$name"; then
    echo "skipped $title: Codex confines its tools by user namespaces, which this system refuses"
    return
  fi
  mkdir -p "$case/home/project" "$case/tmp"
  why=$(
    self=$BASHPID
    export case HOME=$case/home TMPDIR=$case/tmp XDG_CONFIG_HOME=$case/home/.config
    cd "$HOME/project" && git init -q -b main . && echo 'A project' >README.md && commit start
    "$name" 2>&1
    stop_server
    nothing_left
  )
  if [ -z "$why" ]; then
    echo "ok $title ($((SECONDS - began)) s)"
  else
    echo "FAIL $title: $(tr '\n' ';' <<<"$why" | head -c 3000)"
  fi
  if [ -z "${MOONLET_KEEP:-}" ]; then rm -rf "$case"; fi
}

# --- all of them -------------------------------------------------------------------------------------
# Claude runs these cases only with MOONLET_SOAK=1. They mostly test moonlet itself, and Codex always runs them.
claude_soak="patterns review_all_quota review_two_fail login_refused_to_three prompts_refused read_only_by_the_host \
  host_killed_while_it_writes quota_without_a_time rate_for_ever limit_after_a_killed_host"

# takes NAME RUNNER succeeds if the case runs with the runner: the case's name ends with the runner's, or has no such
# ending and the runner is Codex, Claude or one that shares the case.
takes() {
  local shares=${2}_shares shares_soak=${2}_shares_soak one
  for one in codex claude gemini opencode; do
    if [[ $1 == *_$one ]]; then
      [ "$one" = "$2" ]
      return
    fi
  done
  if [ "$2" = claude ] && [ -z "${MOONLET_SOAK:-}" ]; then
    [[ " $claude_soak " != *" ${1#case_} "* ]]
    return
  fi
  if [ "$2" = codex ] || [ "$2" = claude ]; then return; fi
  [[ " ${!shares} ${MOONLET_SOAK:+${!shares_soak}} " == *" ${1#case_} "* ]]
}

list_cases() {
  local name runner
  # Start the cases with long waits first.
  for name in $(compgen -A function case_ | grep quota) $(compgen -A function case_ | grep -v quota); do
    if [[ $name == case_soak_* ]] && [ -z "${MOONLET_SOAK:-}" ]; then continue; fi
    for runner in codex claude gemini opencode; do
      if ! takes "$name" "$runner"; then continue; fi
      title=${name#case_}
      if [ -n "$word" ] && ! [[ $runner-${title//_/-} == *"$word"* ]]; then continue; fi
      printf '%s %s\n' "$name" "$runner"
    done
  done
}

cases=()
while IFS= read -r line; do cases+=("$line"); done < <(list_cases)
if [ ${#cases[@]} -eq 0 ]; then
  echo "0 passed, 0 failed"
  exit 0
fi
reason=$(missing)
if [ -n "$reason" ]; then
  echo "skipped the real agents: $reason"
  echo "0 passed, 0 failed, ${#cases[@]} skipped"
  exit 0
fi

# If the system's Node.js is too old, a newer one is installed beside the agents.
if [ -x "$cache/node_modules/.bin/node" ]; then PATH=$cache/node_modules/.bin:$PATH; fi
namespaces=$(unshare --user --map-root-user echo yes 2>/dev/null)

work=$(mktemp -d /tmp/agents.XXXXXX) || exit 1
trap '[ -n "${MOONLET_KEEP:-}" ] || rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8 TZ=UTC TERM=dumb
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=tester GIT_AUTHOR_EMAIL=t@example.org GIT_COMMITTER_NAME=tester GIT_COMMITTER_EMAIL=t@example.org
unset "${!GIT_DIR@}" "${!GIT_WORK_TREE@}" "${!GIT_INDEX_FILE@}" "${!XDG_@}" "${!CODEX@}" "${!CLAUDE@}" "${!ANTHROPIC@}" \
  "${!OPENAI@}" "${!GEMINI@}" "${!OPENCODE@}" "${!GOOGLE@}" http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy

for line in "${cases[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "${MOONLET_JOBS:-4}" ]; do wait -n; done
  # shellcheck disable=SC2086
  run_case $line >>"$work/results" &
done
wait
cat "$work/results"
passed=$(grep -c '^ok ' "$work/results")
skipped=$(grep -c '^skipped ' "$work/results")
failed=$((${#cases[@]} - passed - skipped))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
