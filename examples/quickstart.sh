#!/usr/bin/env bash
# From nothing to a first answer: installs what is missing, builds moonlet, and lets the preset
# triangulated-review look at what is not committed in the repository you stand in, with deterministic
# rules: no model, no key, no cost. Where nothing is to be reviewed it shows a small change with planted
# defects, and the line that reviews a repository of yours.
#   examples/quickstart.sh [options of `moonlet run`, such as --json: then the last commit is reviewed
#   where nothing else is]
set -euo pipefail

here=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=examples/setup.sh
. "$root/examples/setup.sh"

in_work_tree() { [ "$(git -C "$1" rev-parse --is-inside-work-tree 2>/dev/null)" = true ]; }

is_clean() { [ -z "$(git -C "$1" status --porcelain 2>/dev/null)" ]; }

# A repository with a small change in it that a review has something to say of.
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
    cat >src/fetch.py <<'PLANTED'
import subprocess


def fetch(name, seen=[]):
    print("here", name)
    subprocess.run(f"curl https://example.org/{name}", shell=True)
    try:
        seen.append(open(name).read())
    except Exception:
        pass
    return seen
PLANTED
    git add -N src/fetch.py
  ) >&2
  printf '%s' "$demo"
}

moonlet_install_needs
moonlet_build release moonlet_install_files

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

cd "$where"
if [ -z "$is_demo" ]; then
  exec "$root/build/release/moonlet" run triangulated-review --offline "$@"
fi
say "nothing is uncommitted in $here, so this is a change with planted defects, in $where"
"$root/build/release/moonlet" run triangulated-review --offline
say "to install it for yourself: cmake --install $root/build/release --prefix ~/.local"
say "to review a repository of yours, before you commit:" \
  "cd YOUR-REPOSITORY && $root/build/release/moonlet run triangulated-review"
