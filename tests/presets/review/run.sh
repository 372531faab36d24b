#!/usr/bin/env bash
# Tests of findings, merge, rules and triangulated-review, through the executable alone.
# usage: run.sh MOONLET
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
moonlet=$(realpath "${1:?usage: run.sh MOONLET}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CONFIG_HOME="$work/config" GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
failed=0

ok() { echo "ok   $1"; }
fail() { echo "FAIL $1"; failed=$((failed + 1)); }
check() { # what, status of the test
  if [ "$2" -eq 0 ]; then ok "$1"; else fail "$1"; fi
}

repo() { # name -> an empty repository with this tree's presets
  mkdir -p "$work/$1" && cd "$work/$1" || exit 2
  git init -q -b main . && git config user.email t@example.org && git config user.name t
}

commit() { git add -A && git commit -qm "$1"; }

. "$here/cases.sh"

echo
if [ "$failed" -gt 0 ]; then
  echo "$failed failed"
  exit 1
fi
echo "all passed"
