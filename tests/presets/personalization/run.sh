#!/usr/bin/env bash
# Runs the personalization-scanner over two corpora in which preferences, secrets and personal data are planted, and
# tells its precision, its recall and what leaked.
#   run.sh MOONLET
# Prints "ok …" and "FAIL …" lines and the figures; ends with 1 when something failed. Needs git and python3.
# A corpus is a folder, NAME.planted (what must be found) and NAME.private (what must not occur anywhere); values.py
# makes its secrets.
set -u
[ $# -ge 1 ] || { echo "usage: $0 MOONLET" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
moonlet=$1
case $moonlet in
  */*) moonlet=$(cd "$(dirname "$moonlet")" && pwd)/$(basename "$moonlet") ;;
esac
work=$(mktemp -d "${TMPDIR:-/tmp}/personalization.XXXXXX")
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CONFIG_NOSYSTEM=1 PYTHONDONTWRITEBYTECODE=1
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config LC_ALL=C.UTF-8
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir -p "$HOME"
failed=0

say() {
  if [ "$1" = 0 ]; then echo "ok $2"; else echo "FAIL $2"; failed=1; fi
}

# repository DIR [CORPUS]: a repository, with a corpus where one is named
repository() {
  mkdir -p "$1" && git -C "$1" init -q || exit 1
  [ $# -lt 2 ] || python3 "$here/check.py" fill "$2" "$1" || exit 1
}

# scan DIR ARG…: runs the scanner; out.json, err.txt and code are beside DIR
scan() {
  local dir=$1
  shift
  (cd "$dir" && "$moonlet" run personalization-scanner --json "$@" >"$dir.json" 2>"$dir.err" </dev/null)
  echo $? >"$dir.code"
}

for corpus in tidepool lumen; do
  repository "$work/$corpus" "$corpus"
  inputs=()
  while IFS= read -r path; do inputs+=(--input "file:$path"); done < <(
    cd "$work/$corpus" && find . -name .git -prune -o -type f -print | sed 's,^\./,,' | LC_ALL=C sort)
  scan "$work/$corpus" --runner rules "${inputs[@]}"
  say "$(cat "$work/$corpus.code")" "$corpus: exit code 0"
  if [ -s "$work/$corpus.json" ]; then
    python3 "$here/check.py" score "$corpus" "$work/$corpus" "$work/$corpus.json" || failed=1
  else
    cat "$work/$corpus.err"
    failed=1
  fi
done
exit "$failed"
