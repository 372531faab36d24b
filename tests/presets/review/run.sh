#!/usr/bin/env bash
# Tests findings, their merge, linters, diff checks and the preset triangulated-review by running
# moonlet.
#   run.sh MOONLET [WORD]      all cases, or those whose name contains the word
# Prints "ok NAME" or "FAIL NAME: why" and exits with 1 if a case failed. Needs git and python3.
set -u
[ $# -ge 1 ] || { echo "usage: $0 MOONLET [WORD]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
moonlet=$(realpath "$1")
word=${2:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/review.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config LC_ALL=C.UTF-8
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=tester GIT_AUTHOR_EMAIL=t@example.org GIT_COMMITTER_NAME=tester GIT_COMMITTER_EMAIL=t@example.org
export PATH=$here/agents:$PATH
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir -p "$HOME"

# Makes an empty repository in the current folder.
repo() { git init -q -b main . && git config core.autocrlf false; }
commit() { git add -A && git commit -q --allow-empty -m "$1"; }

# Runs the preset and keeps its result for `want`. A case selects linters by setting `linters`.
linters=none
review() {
  "$moonlet" run triangulated-review --json --linters "$linters" "$@" >"$case/out.json" 2>"$case/err.txt" </dev/null
  code=$?
}

# Checks Python expressions over the result, and prints those that are false.
want() {
  python3 "$here/check.py" want "$case/out.json" "$code" "$@"
}

# Commits the files of a source, in which "=== path" begins a file. Secrets are made at run time, so
# that scanners do not report them in this repository.
plant() {
  python3 "$here/check.py" plant "$1" . && commit "${2:-Add the shop}"
}

# shellcheck source=tests/presets/review/cases.sh
. "$here/cases.sh"
# shellcheck source=tests/presets/review/checks.sh
. "$here/checks.sh"
# shellcheck source=tests/presets/review/linters.sh
. "$here/linters.sh"
# shellcheck source=tests/presets/review/hostile.sh
. "$here/hostile.sh"

failed=0
for name in $(compgen -A function case_); do
  title=${name#case_}
  title=${title//_/-}
  [ -z "$word" ] || [[ $title == *"$word"* ]] || continue
  case=$work/$title
  mkdir -p "$case/repo"
  why=$(cd "$case/repo" && "$name" 2>&1) && [ -z "$why" ]
  if [ $? -eq 0 ]; then
    echo "ok $title"
  else
    echo "FAIL $title: $(tr '\n' ';' <<<"${why:-it ended with an error}")"
    failed=1
  fi
  rm -rf "$case"
done
exit "$failed"
