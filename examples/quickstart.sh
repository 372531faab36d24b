#!/usr/bin/env bash
# From nothing to a first answer: installs what is missing, builds moonlet, and lets the preset
# triangulated-review look at what is not committed in the repository you stand in, or else at its last
# commit, with deterministic rules: no model, no key, no cost.
#   examples/quickstart.sh [options of `moonlet run`, such as --json]
set -euo pipefail

here=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=examples/setup.sh
. "$root/examples/setup.sh"

in_work_tree() { [ "$(git -C "$1" rev-parse --is-inside-work-tree 2>/dev/null)" = true ]; }

# A repository with a small change in it that a review has something to say of, for a checkout that has
# no git state to look at.
make_demo() {
  local demo
  demo=$(mktemp -d "${TMPDIR:-/tmp}/moonlet-demo.XXXXXX")
  (
    cd "$demo"
    git init -q
    printf '# Demo\n\nA repository to try moonlet on.\n' >README.md
    mkdir src
    printf 'int add(int a, int b) { return a + b; }\n' >src/add.c
    printf 'check:\n\tcc -fsyntax-only src/*.c\n' >Makefile
    git add .
    git -c user.name=demo -c user.email=demo@localhost -c commit.gpgsign=false \
      commit -q -m 'Start the demo'
    printf '\nint same(int a, int b) {\n  if (a = b) return 1;\n  return 0;\n}\n' >>src/add.c
  ) >&2
  printf '%s' "$demo"
}

moonlet_install_needs
moonlet_build release moonlet

if in_work_tree "$here"; then
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

cd "$where"
exec "$root/build/release/moonlet" run triangulated-review --runner rules "$@"
