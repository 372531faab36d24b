#!/usr/bin/env bash
# Tests `moonlet mcp` with 10,000 hostile messages, with the protocol's conformance suite, and with real agents, and
# validates the plugin folder. Cases whose npm packages cannot be installed are skipped by name.
#   mcp.sh MOONLET [WORD]
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
MOONLET=$(realpath "$1")
export MOONLET PYTHONDONTWRITEBYTECODE=1
word=${2:-}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/moonlet-tests/mcp
suite=@modelcontextprotocol/conformance@0.2.0-alpha.12
node=node@22.23.3
validator=skills-ref@0.1.5
passed=0 failed=0 skipped=0

work=$(mktemp -d /tmp/mcp.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
home=$HOME
export HOME=$work/home
unset "${!XDG_@}" MOONLET_WORKER
mkdir -p "$HOME/.config/moonlet" "$work/project/presets"
cd "$work/project" || exit 1
git init -q .
echo 'return require "moonlet".preset { name = "x", summary = "Answers.", run = function() return "x" end }' >presets/x.lua
echo 'return { mcp = { presets = { "x" } } }' >"$HOME/.config/moonlet/config.lua"

# try NAME COMMAND… runs a command as a case, and prints its output if it fails.
try() {
  local name=$1
  shift
  if [[ $name != *"$word"* ]]; then return; fi
  if "$@" >"$work/log" 2>&1; then
    passed=$((passed + 1))
    echo "ok $name"
  else
    failed=$((failed + 1))
    echo "FAILED: $name"
    tail -n 30 "$work/log"
  fi
}

skip() {
  if [[ $1 != *"$word"* ]]; then return; fi
  skipped=$((skipped + 1))
  echo "skipped $1: $2"
}

# conforms REVISION runs the conformance suite through the bridge. Only the expected tests may fail.
conforms() {
  local status bridge
  rm -f "$work/port"
  exec 7> >(exec python3 "$here/mcp_bridge.py" "$work")
  bridge=$!
  until [ -s "$work/port" ]; do sleep 0.1; done
  timeout 300 "$cache/node_modules/.bin/node" "$cache/node_modules/@modelcontextprotocol/conformance/dist/index.js" server \
    --url "http://127.0.0.1:$(cat "$work/port")/mcp" --requirements "$1" -o "$work/results" \
    --expected-failures "$here/mcp_expected_$1.yml"
  status=$?
  exec 7>&-
  wait "$bridge"
  return "$status"
}

valid_skills() {
  local skill
  for skill in "$root"/stdlib/plugin/skills/*; do
    "$cache/node_modules/.bin/node" "$cache/node_modules/.bin/skills-ref" validate "$skill" || return 1
  done
}

for seed in 1 2 3 4; do try "2,500 hostile messages, seed $seed" python3 "$root/tests/e2e/tools/mcp_hostile.py" 2500 "$seed"; done
if ! command -v npm >/dev/null; then
  reason="npm is not installed"
elif ! [ -x "$cache/node_modules/.bin/node" ] &&
  ! { mkdir -p "$cache" && cd "$cache" && timeout 600 npm install --no-save --no-audit --no-fund --loglevel=error \
    "$suite" "$node" "$validator" >"$work/npm" 2>&1; }; then
  reason="npm could not install the suite: $(tail -n 1 "$work/npm")"
else
  reason=
fi
cd "$work/project" || exit 1
for revision in 2025-11-25 2026-07-28; do
  if [ -n "$reason" ]; then skip "conformance $revision" "$reason"; else try "conformance $revision" conforms "$revision"; fi
done
if [ -n "$reason" ]; then skip "skills-ref" "$reason"; else try "skills-ref" valid_skills; fi

# The tests with real agents are a separate suite, which counts its own cases.
if [[ "real agents" == *"$word"* ]]; then
  HOME=$home MOONLET_SOAK=1 "$root/tests/agents/run.sh" "$MOONLET" mcp- >"$work/agents" 2>&1
  sed '$d' "$work/agents"
  if [[ $(tail -n 1 "$work/agents") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
  else
    failed=$((failed + 1))
  fi
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
