#!/usr/bin/env bash
# Runs the precommit-classifier in many small repositories and compares its answers.
#   run.sh MOONLET [NAME…]     all cases, or those whose name contains one of the words
# Prints "ok NAME" or "FAIL NAME: why" and exits with 1 if a case failed. Needs git and python3.
# cases.txt contains the cases and explains their form.
set -u
[ $# -ge 1 ] || { echo "usage: $0 MOONLET [NAME...]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
moonlet=$1
case $moonlet in
  */*) moonlet=$(cd "$(dirname "$moonlet")" && pwd)/$(basename "$moonlet") ;;
esac
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/precommit.XXXXXX")
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=tester GIT_AUTHOR_EMAIL=t@example.org GIT_AUTHOR_DATE='2024-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=tester GIT_COMMITTER_EMAIL=t@example.org GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config LC_ALL=C
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir -p "$work/home" "$work/cases"
python3 "$here/check.py" split "$here/cases.txt" "$work/cases" "$@" || exit 2
(cd "$work" && bash -eu "$here/base.sh" "$work/base") || { echo "FAIL base repository"; exit 1; }

# Prints the state that the preset must not change: files, index, references. It starts no program
# of git's configuration.
state_of() {
  git -C "$1" -c core.fsmonitor=false ls-files -sz 2>/dev/null
  git -C "$1" for-each-ref 2>/dev/null
  (cd "$1" && find . \( -name .git -o -name .agent \) -prune -o ! -type d -printf '%p %s %m %T@ %l\n' | sort)
}

run_case() {
  local dir=$1 at name words runner
  if [ -e "$dir/bare-start" ]; then
    mkdir "$dir/repo"
  else
    cp -R "$work/base" "$dir/repo"
  fi
  (cd "$dir/repo" && CASE=$dir bash -eu -o pipefail "$dir/setup.sh" >"$dir/setup.log" 2>&1)
  echo $? >"$dir/setup.code"
  at=$dir/repo
  [ -e "$dir/where" ] && at=$(cat "$dir/where")
  mapfile -t words <"$dir/args"
  runner=(--offline)
  # The agent of a case may misbehave, because it runs without a sandbox.
  [ -e "$dir/agent.sh" ] && runner=(--runner "command:bash $dir/agent.sh" --unconfined)
  state_of "$at" >"$dir/before"
  (cd "$at" && "$moonlet" run precommit-classifier "${runner[@]}" --json "${words[@]}" \
    >"$dir/out.json" 2>"$dir/err.txt" </dev/null)
  echo $? >"$dir/code"
  while read -r name; do
    [ -e "$dir/$name" ] && echo "$name" >>"$dir/appeared"
  done <"$dir/absent"
  state_of "$at" >"$dir/after"
  rm -rf "$dir/repo"
}

jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
shopt -s nullglob
cases=("$work"/cases/*/)
[ ${#cases[@]} -gt 0 ] || exit 0
for dir in "${cases[@]}"; do
  while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do wait -n || true; done
  run_case "${dir%/}" &
done
wait
python3 "$here/check.py" compare "${cases[@]%/}" >"$work/told" || echo "FAIL check.py ended early" >>"$work/told"
cat "$work/told"
! grep -q '^FAIL' "$work/told"
