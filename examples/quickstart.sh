#!/usr/bin/env bash
# Installs what is missing, builds moonlet, and has the preset triangulated-review check uncommitted
# changes of the current repository with linters and diff checks. It needs no model and no key, and
# costs nothing. If nothing is uncommitted, it reviews a demo change with planted faults, repeats
# the review with mock reviewers, and prints the command for your own repository.
# `--build-only` stops after the build. Other arguments, such as --json, go to `moonlet run`; with
# them, it reviews the last commit if nothing is uncommitted.
set -euo pipefail

if [ "${1-}" = --help ] || [ "${1-}" = -h ]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 0
fi

here=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=examples/setup.sh
. "$root/examples/setup.sh"

in_work_tree() { [ "$(git -C "$1" rev-parse --is-inside-work-tree 2>/dev/null)" = true ]; }

is_clean() { [ -z "$(git -C "$1" status --porcelain 2>/dev/null)" ]; }

# Makes a repository with a small change that has faults for linters and diff checks.
make_demo() {
  local demo
  demo=$(mktemp -d "${TMPDIR:-/tmp}/moonlet-demo.XXXXXX")
  (
    cd "$demo"
    git init -q
    mkdir src
    printf '# Demo\n\nA repository to try moonlet on.\n' >README.md
    cat >src/names.py <<'PLANTED'
def parse(text):
    return text.split()


def first(text):
    return parse(text)[0]
PLANTED
    printf 'from names import first\n\nprint(first("ada lovelace"))\n' >src/greet.py
    printf '#!/bin/sh\nset -e\n' >clean.sh
    git add .
    git -c user.name=demo -c user.email=demo@localhost -c commit.gpgsign=false \
      commit -q -m 'Start the demo'
    cat >src/names.py <<'PLANTED'
import json


def parse(text):
    breakpoint()
    return text.split(separator)
PLANTED
    # shellcheck disable=SC2016 # The text is the demo's.
    printf 'rm -rf $1/*\n' >>clean.sh
  ) >&2
  printf '%s' "$demo"
}

moonlet_install_needs review
moonlet_build release moonlet_install_files
[ "${1-}" != --build-only ] || exit 0

is_demo=
if [ $# -eq 0 ] && in_work_tree "$here" && is_clean "$here"; then
  where=$(make_demo)
  is_demo=1
elif in_work_tree "$here"; then
  where=$here
elif in_work_tree "$root"; then
  where=$root
  say "$here is not in a git repository; looking at $root"
else
  if git -C "$root" rev-parse 2>&1 | grep -q 'dubious ownership'; then
    say "git does not read $root because it belongs to another user; to allow it:" \
      "git config --global --add safe.directory '$root'"
  else
    say "neither $here nor $root is in a git repository"
  fi
  where=$(make_demo)
  say "made one to try moonlet on: $where"
fi

moonlet=$root/build/release/moonlet
cd "$where"
if [ -z "$is_demo" ]; then
  exec "$moonlet" run triangulated-review --offline "$@"
fi
say "nothing is uncommitted in $here, so this is a change with planted faults, in $where"
"$moonlet" run triangulated-review --offline
say "the same review with agents, played by the runner mock, which makes its answers up:"
# The mock's answers are invented, so the verdict is degraded (exit code 4).
"$moonlet" run triangulated-review --runner mock || [ $? -eq 4 ]
say "these two reviews lie in $where/.agent; remove $where when you have read them"
say "to install it for yourself: cmake --install $root/build/release --prefix ~/.local"
say "to review a repository of yours, before you commit:" \
  "cd YOUR-REPOSITORY && $moonlet run triangulated-review"
