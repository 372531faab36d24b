#!/usr/bin/env bash
# Tests the page of `moonlet web`: attacks its server, and uses the page in Chromium as a person would.
#   web.sh MOONLET [WORD]
# It uses the npm packages of export.sh. Screenshots are saved in $MOONLET_SHOTS, if it is set.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
moonlet=$(realpath "$1")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/moonlet-tests/export
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shots=${MOONLET_SHOTS:-$work/shots}
mkdir -p "$shots"
skipped=0

skip() {
  skipped=$((skipped + 1))
  echo "skipped $1: $2"
}

if ! [ -x "$(dirname "$moonlet")/moonlet-web" ]; then
  skip "the page" "moonlet-web is not built (libmicrohttpd-dev)"
  echo "0 passed, 0 failed, $skipped skipped"
  exit 0
fi
if ! command -v node >/dev/null; then
  skip "the page" "node is not installed"
  echo "0 passed, 0 failed, $skipped skipped"
  exit 0
fi
# shellcheck source=tests/late/export/packages.sh
. "$here/export/packages.sh"
why=$(missing)
modules=$cache
if [ -n "$why" ]; then
  modules=-
  skip "the page in Chromium" "$why"
fi
output=$(timeout -k 10 1100 node "$here/../web/run.mjs" "$modules" "$work" "$shots" "$moonlet" "${2:-}" 2>&1 </dev/null)
printf '%s\n' "$output" | sed '$d'
if [[ ${output##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
  echo "${BASH_REMATCH[0]}, $skipped skipped"
  [ "${BASH_REMATCH[2]}" -eq 0 ]
else
  printf '%s\n' "${output##*$'\n'}"
  echo "0 passed, 1 failed, $skipped skipped"
  exit 1
fi
