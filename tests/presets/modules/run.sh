#!/usr/bin/env bash
# Tests modules without a preset's run: stdlib.lua those of the standard library, NAME.lua those of
# the preset NAME in a copy of its folder.
#   run.sh MOONLET [WORD]      all scripts, or those whose name contains the word
# Prints "ok NAME" or "FAIL NAME: why" and exits with 1 if a script failed.
set -u
[ $# -ge 1 ] || { echo "usage: $0 MOONLET [WORD]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
moonlet=$(realpath "$1")
word=${2:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/modules.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config LC_ALL=C.UTF-8
mkdir -p "$HOME" "$work/repo"

failed=0
for script in "$here"/*.lua; do
  name=$(basename "$script" .lua)
  [ -z "$word" ] || [[ $name == *"$word"* ]] || continue
  mkdir "$work/$name"
  if [ -d "$root/presets/$name" ]; then cp -R "$root/presets/$name/." "$work/$name"; fi
  cp "$script" "$work/$name/try-modules.lua"
  cp "$here/tools/expect.lua" "$work/$name/"
  if why=$("$moonlet" run "$work/$name/try-modules.lua" --repo "$work/repo" 2>&1 >"$work/out"); then
    echo "ok $name"
  else
    echo "FAIL $name: $(tr '\n' ';' <<<"$why")"
    failed=1
  fi
done
exit $failed
