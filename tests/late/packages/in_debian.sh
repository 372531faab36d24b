#!/usr/bin/env bash
# Tests the Debian packages in a minimal Debian system. tests/late/packages.sh copies this script into that system, with
# the packages in `old/`, the packages with a higher version in `new/`, and example programs. Prints "ok NAME" or
# "FAIL NAME" for each case, the output of a failed case indented, and "done" at the end.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
export HOME=$PWD/home DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
mkdir home

check() {
  local name=$1
  shift
  if "$@" >log 2>&1; then
    echo "ok $name"
  else
    echo "FAIL $name"
    sed 's/^/    /' log | tail -n 40
  fi
}

# Lists all files of the system, except those that apt and dpkg manage for themselves.
files() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path "$PWD" -o -path /tmp -o -path /var/cache \
    -o -path /var/lib/apt -o -path /var/log -o -path '/var/lib/dpkg/*-old' \) -prune -o -print | sort
}

install_packages() { apt-get -q -y install --no-install-recommends "$@"; }

# Checks that the installed version of each package equals that of its file in the folder $1.
has_version_of() {
  local deb name
  for deb in "$1"/*.deb; do
    name=$(dpkg-deb -f "$deb" Package)
    if [ "$(dpkg-query -W -f '${Version}' "$name")" != "$(dpkg-deb -f "$deb" Version)" ]; then
      dpkg-query -W "$name"
      return 1
    fi
  done
}

runs_a_preset() {
  rm -rf repository && git init -q repository && touch repository/a.txt &&
    (cd repository && moonlet run precommit-classifier --json) | tee envelope && grep -q '"ok":true' envelope
}
has_manual_page() { gzip -dc /usr/share/man/man1/moonlet.1.gz | grep "^\.Dt MOONLET 1"; }
completes() { (. /usr/share/bash-completion/completions/moonlet && complete -p moonlet); }

# The C programs link the shared library. The C++ program links the static one by CMake, and so needs every library
# that libmoonlet-dev depends on.
by_pkg_config() {
  local program
  for program in first main; do
    # shellcheck disable=SC2046
    cc -o "$program" "embed-c/$program.c" $(pkg-config --cflags --libs moonlet) || return 1
  done
}
by_cmake() { cmake -S embed -B built && cmake --build built; }
programs_run() {
  rm -rf repository && git init -q repository && (cd repository && ../first) | tee envelope &&
    grep -q '"ok":true' envelope && ./main repository | grep 'greeting.txt: Good day, Ada!' &&
    ./built/embed repository | grep -F '"closed":[1,2,3]'
}
python_program_runs() { [ "$(python3 embed-python/moonlet.py repository)" = 42 ]; }

is_purged() {
  ! dpkg-query -W moonlet libmoonlet1 libmoonlet-dev 2>/dev/null
}
nothing_is_left() { files >after && diff before after; }

files >before
check "apt installs moonlet with what it needs" install_packages ./old/moonlet_*.deb git
check "moonlet tells its version" moonlet --version
check "moonlet runs a preset" runs_a_preset
check "the manual page is there" has_manual_page
check "bash completes moonlet" completes
compilers=(g++ cmake make pkg-config python3)
check "apt installs the library and compilers" install_packages ./old/libmoonlet*.deb "${compilers[@]}"
check "C programs compile and link by pkg-config" by_pkg_config
check "a C++ program builds by CMake" by_cmake
check "the compiled programs run" programs_run
check "a Python program runs" python_program_runs
check "apt upgrades the packages" install_packages ./new/*.deb
check "the upgraded packages are installed" has_version_of new
check "the upgraded moonlet runs a preset" runs_a_preset
check "programs run with the upgraded library" programs_run
check "apt removes moonlet" apt-get -q -y remove moonlet
check "the library stays when the command is removed" programs_run
check "apt purges all packages" \
  apt-get -q -y purge --autoremove libmoonlet1 libmoonlet-dev git "${compilers[@]}"
check "no package is left" is_purged
check "no file is left" nothing_is_left
echo "done"
