#!/usr/bin/env bash
# Parses all recordings of agent CLIs, and damaged streams, through the executable.
#   run.sh MOONLET [WORD]      all cases, or those whose name contains the word
# Prints "ok NAME" or "FAIL NAME: why" and exits with 1 if a case failed. Needs python3.
# recordings.tsv contains the expected results; README.md beside the recordings describes it.
set -u
[ $# -ge 1 ] || { echo "usage: $0 MOONLET [WORD]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
moonlet=$(realpath "$1")
word=${2:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/runners.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config LC_ALL=C.UTF-8 TZ=UTC
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir -p "$HOME" "$work/here"
cp "$here"/*.lua "$work/here"
cp -r "$here/../../data/recordings" "$work/here/data"
gzip -d "$work/here/data/"*.gz
cd "$work/here" || exit 1
failed=0

wanted() { [ -z "$word" ] || [[ $1 == *"$word"* ]]; }
tell() {
  if [ -z "$2" ]; then
    echo "ok $1"
  else
    echo "FAIL $1: $(tr '\n' ';' <<<"$2" | head -c 2000)"
    failed=1
  fi
}

# Each recording is a case, and its result must equal its line of recordings.tsv.
if wanted recording; then
  timeout 120 "$moonlet" run recordings.lua --json >out.json 2>err.txt </dev/null
  python3 "$here/rows.py" out.json >rows.tsv 2>>err.txt || tell recordings "$(tail -n 5 err.txt)"
  count=0
  while IFS=$'\t' read -r name rest; do
    count=$((count + 1))
    line=$(grep -P "^\Q$name\E\t" rows.tsv)
    why=
    [ "$line" = "$name"$'\t'"$rest" ] || why="$line, wanted $name $rest"
    tell "recording-$name" "$why"
  done <"$here/recordings.tsv"
  tell recordings-are-all "$([ "$count" -eq "$(wc -l <rows.tsv)" ] || echo "$count lines are expected, $(wc -l <rows.tsv) were made")"
fi

# Prints the largest resident size in kilobytes of moonlet while it runs a script.
peak() {
  python3 - "$moonlet" "$@" <<'PY'
import resource, subprocess, sys
code = subprocess.call([sys.argv[1], "run", sys.argv[2], "--json"], stdin=subprocess.DEVNULL,
                       stdout=open(sys.argv[3], "w"), stderr=subprocess.STDOUT)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if code == 0 else "exit code %d" % code)
PY
}

if wanted hostile-streams; then
  echo 'return 1' >nothing.lua
  base=$(peak nothing.lua base.json)
  most=$(timeout 300 bash -c "$(declare -f peak); moonlet='$moonlet'; peak hostile.lua hostile.json")
  why=
  if ! [[ $most =~ ^[0-9]+$ ]]; then
    why="$most: $(tail -c 1500 hostile.json)"
  elif ! grep -q '"streams":40' hostile.json; then
    why="$(tail -c 300 hostile.json)"
  fi
  tell hostile-streams "$why"
  why=
  # Sanitizers add memory of their own, so skip the limit.
  if [[ $most =~ ^[0-9]+$ ]] && ! nm "$moonlet" 2>/dev/null | grep -qE '__(asan|tsan)_init' && [ $((most - base)) -gt 65536 ]; then
    why="$((most - base)) KB over the $base KB that an empty script takes"
  fi
  tell hostile-streams-memory "$why"
  echo "# memory: $base KB for an empty script, $most KB for the hostile streams" >&2
fi
exit "$failed"
