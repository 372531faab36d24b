#!/usr/bin/env bash
# Tests moonlet as a part of other programs in C++, C and Python. Each case is a project outside of
# this tree, which finds moonlet in a moved installation, by FetchContent or by add_subdirectory. It
# must not link libcurl, and must not inherit options of moonlet's build.
#   package.sh MOONLET     the built executable, whose build folder is installed
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
moonlet=$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")
build=$(dirname "$moonlet")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/moonlet-package.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export XDG_STATE_HOME=$scratch/state HOME=$scratch/home GIT_CONFIG_GLOBAL=/dev/null
mkdir -p home
if command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi

# shellcheck source=tests/late/packages/check.sh
. "$root/tests/late/packages/check.sh"

# project FOLDER makes a CMake project of a program. Standard input has the lines that provide moonlet::engine.
project() {
  mkdir "$1"
  {
    echo 'cmake_minimum_required(VERSION 3.22)'
    echo 'project(consumer LANGUAGES C CXX)'
    cat
    echo "add_executable(embed \"$root/examples/embed/main.cpp\")"
    echo 'target_link_libraries(embed PRIVATE moonlet::engine)'
    # A project may have targets with common names, which moonlet's targets must not clash with.
    echo 'add_custom_target(printed)'
  } >"$1/CMakeLists.txt"
}

# configure FOLDER [OPTION…] configures a project into FOLDER/built.
configure() {
  local folder=$1
  shift
  cmake -S "$folder" -B "$folder/built" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
}

# Checks that no compiler option, definition or private include path of moonlet is used for the program.
gets_nothing_of_ours() {
  local command
  command=$(grep '"command".*-o CMakeFiles/embed.dir' "$1/built/compile_commands.json")
  printf '%s\n' "$command"
  [ -n "$command" ] &&
    ! grep -qE -e '-D|-W|-f|-O|-g|-include' <<<"$command" &&
    [ "$(grep -oE -e '-(I|isystem) ?[^ ]*' <<<"$command" | grep -cvE 'include$')" -eq 0 ] &&
    grep -qx 'CMAKE_BUILD_TYPE:STRING=' "$1/built/CMakeCache.txt"
}

adds_no_test_or_file() {
  (cd "$1/built" && ctest -N) | grep -qx 'Total Tests: 0' &&
    cmake --install "$1/built" --prefix "$scratch/nothing" && ! [ -e "$scratch/nothing" ]
}

# This header makes the compiler fail if a file includes curl.
mkdir -p no-curl/curl
echo '#error "this includes curl"' >no-curl/curl/curl.h
builds_without_curl() {
  CPATH=$scratch/no-curl cmake --build "$1/built" --target embed "${@:2}" &&
    ldd "$1/built/embed" && ! ldd "$1/built/embed" | grep -q curl
}

fresh_repository() { rm -rf repository && git init -q repository && : >repository/a.txt; }

# envelope_is EXPRESSION checks a Python expression over `e`, the JSON in the file `envelope`.
envelope_is() {
  cat envelope
  python3 -c 'import json, sys; e = json.loads(open("envelope").readline()); assert eval(sys.argv[1])' "$1"
}

# runs PROGRAM FOLDER lets the program run a preset, with the moonlet in FOLDER as its keeper.
runs() {
  fresh_repository
  PATH=$2:$PATH "$1" repository precommit-classifier >envelope
  envelope_is 'e["ok"] is True'
}

# starts_and_finishes FILE checks that a program has printed the first and the last event of a run.
starts_and_finishes() { grep -q 'run.started' "$1" && grep -q 'run.finished' "$1"; }

echo "find_package, from an installation that was moved"
check "moonlet is installed" cmake --install "$build" --prefix "$scratch/first"
mv first moved
project found <<<'find_package(moonlet 0.1 REQUIRED)'
check "find_package finds the moved package" configure found -DCMAKE_PREFIX_PATH="$scratch/moved"
check "the package adds nothing to the compiler's line" gets_nothing_of_ours found
no_path_of_this_machine() {
  ! grep -rnE "$scratch/first|$root|$build|/usr/lib" moved/lib*/cmake/moonlet moved/lib*/*/cmake/moonlet
}
check "the package names no path of this machine" no_path_of_this_machine
check "a program with the package links without curl" builds_without_curl found
check "a program with the package runs a preset" runs found/built/embed "$scratch/moved/bin"

echo "programs in C++, C and Python, with the archive and the shared library"
# example NAME LIBRARY builds the example's own CMake project with moonlet::LIBRARY.
example() { configure_example "$1" "$2" && cmake --build "$1-$2"; }
configure_example() {
  cmake -S "$root/examples/$1" -B "$1-$2" -DCMAKE_PREFIX_PATH="$scratch/moved" -DMOONLET_LIBRARY="moonlet::$2"
}
libraries=(engine)
if compgen -G 'moved/lib*/libmoonlet.so.1' >/dev/null || compgen -G 'moved/lib/*/libmoonlet.so.1' >/dev/null; then
  libraries+=(shared)
fi
lib=$(dirname "$(find "$scratch/moved" -name 'libmoonlet.a')")
export LD_LIBRARY_PATH=$lib
# Each program acts as its own keeper, because no moonlet is in PATH or beside the program.
runs_native() {
  fresh_repository
  "$1" repository >envelope 2>events
  cat events
  envelope_is 'e["result"] == {"closed": [1, 2, 3]}' && starts_and_finishes events
}
is_cancelled() {
  fresh_repository
  EMBED_ARGUMENTS='{"pause": "60s"}' "$1" --cancel-after 300 repository >envelope 2>events
  [ $? -eq 130 ] && envelope_is 'e["run"]["verdict"] == "cancelled"'
}
# Kills the program while it pauses behind a closed ticket, and resumes the run.
closes_no_ticket_twice() {
  fresh_repository
  EMBED_ARGUMENTS='{"pause": "2s"}' "$1" repository >envelope 2>events &
  local program=$! tries=0
  until grep -q '^closing .*"id":1' events || [ $((tries += 1)) -gt 300 ]; do sleep 0.02; done
  sleep 0.5 # by then, the answer is in the journal
  kill -9 "$program"
  wait "$program" 2>/dev/null
  "$1" --resume R-001 repository >envelope 2>>events
  cat events
  envelope_is 'e["result"] == {"closed": [1, 2, 3]}' && [ "$(grep -c '^closing' events)" -eq 3 ]
}
runs_c() {
  fresh_repository
  "$1" repository >envelope 2>events
  cat events
  envelope_is 'e["result"] == "Good day, Ada!"' && starts_and_finishes events &&
    grep -qx 'greeting.txt: Good day, Ada!' envelope
}
runs_first() {
  fresh_repository
  (cd repository && "$scratch/$1" >../envelope) && envelope_is 'e["ok"] is True'
}
for library in "${libraries[@]}"; do
  check "the C++ example builds with moonlet::$library" example embed "$library"
  check "a program gives functions to its preset ($library)" runs_native "$scratch/embed-$library/embed"
  check "a program cancels from a thread ($library)" is_cancelled "$scratch/embed-$library/embed"
  check "a killed program resumes and acts once ($library)" closes_no_ticket_twice "$scratch/embed-$library/embed"
  check "the C examples build with moonlet::$library" example embed-c "$library"
  check "a C program runs a preset ($library)" runs_c "$scratch/embed-c-$library/main"
  check "the first run takes a page of C ($library)" runs_first "embed-c-$library/first"
done

PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH
by_pkg_config() {
  # shellcheck disable=SC2046
  cc -std=c11 -o pkg-c "$root/examples/embed-c/main.c" $(pkg-config --cflags --libs moonlet) && runs_c ./pkg-c
}
by_pkg_config_static() {
  local libs
  libs=$(pkg-config --static --libs moonlet)
  # shellcheck disable=SC2046,SC2086
  c++ -std=c++20 -o pkg-cpp "$root/examples/embed/main.cpp" $(pkg-config --cflags moonlet) \
    ${libs/-lmoonlet/-l:libmoonlet.a} && ! ldd pkg-cpp | grep -q libmoonlet && runs_native ./pkg-cpp
}
headers_alone() {
  local header
  for header in moved/include/moonlet/*.h; do
    printf '#include <moonlet/%s>\n' "$(basename "$header")" >alone.cpp
    c++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -Imoved/include -fsyntax-only alone.cpp || return 1
  done
  printf '#include <moonlet/moonlet.h>\n' >alone.c
  cc -std=c11 -Wall -Wextra -Wpedantic -Werror -Imoved/include -fsyntax-only alone.c
  cc -std=c99 -Wall -Wextra -Werror -Imoved/include -fsyntax-only alone.c
}
init_equals_macro() {
  cat >init.c <<'END'
#include <moonlet/moonlet.h>
#include <string.h>
int main(void) {
  moonlet_options a, b = MOONLET_OPTIONS_INIT;
  moonlet_function c, d = MOONLET_FUNCTION_INIT;
  moonlet_options_init(&a);
  moonlet_function_init(&c);
  return a.version != b.version || a.flags != b.flags || a.directory != b.directory ||
         a.environment != b.environment || a.config != b.config || a.program != b.program ||
         a.lua_memory_bytes != b.lua_memory_bytes || a.lua_run_ms != b.lua_run_ms || a.log != b.log ||
         a.log_data != b.log_data || a.log_destroy != b.log_destroy || c.version != d.version ||
         c.flags != d.flags || c.name != d.name || c.summary != d.summary || c.schema != d.schema ||
         c.result_schema != d.result_schema || c.timeout_ms != d.timeout_ms || c.call != d.call ||
         c.data != d.data || c.destroy != d.destroy || strcmp(moonlet_version(), MOONLET_VERSION) != 0;
}
END
  # shellcheck disable=SC2046
  cc -o init init.c $(pkg-config --cflags --libs moonlet) && ./init
}
# A removed or changed declaration breaks the ABI, and requires a new soname. A new declaration needs a new line in
# c_interface. A struct may get new fields at its end, with a new version.
declares_what_is_listed() {
  local header=moved/include/moonlet/moonlet.h
  {
    sed '/#include <std/d' $header | cc -E -P -xc -DMOONLET_API= -Imoved/include - | tr -s '\n' ' ' |
      sed 's/\([;{]\) */\1\n/g'
    grep -oE '^#define MOONLET_[A-Z_]+ [0-9]+u?' $header
  } >declared
  diff declared "$root/tests/late/c_interface"
}
exports_what_is_listed() {
  nm -D --defined-only "$lib/libmoonlet.so.1" | awk '{print $3}' | grep '^moonlet_' | sort >exported
  grep -oE '\<moonlet_[a-z_]+\(' "$root/tests/late/c_interface" | tr -d '(' | sort | diff exported - &&
    ! nm -DC --defined-only "$lib/libmoonlet.so.1" | grep -vE ' (T|D|B|R|V|W) (moonlet(_|::)|(vtable|typeinfo)( name)? for moonlet::)'
}
has_soname() { objdump -p "$lib/libmoonlet.so.1" | grep -E 'SONAME +libmoonlet\.so\.1$'; }
from_python() {
  fresh_repository
  PATH=$scratch/moved/bin:$PATH python3 "$root/examples/embed-python/moonlet.py" repository >answer 2>events
  cat answer events
  [ "$(cat answer)" = 42 ] && starts_and_finishes events
}
check "each header compiles alone, as C and as C++20" headers_alone
check "moonlet.h declares what is listed" declares_what_is_listed
if [ "${#libraries[@]}" -eq 2 ]; then
  check "a C program links by pkg-config" by_pkg_config
  check "a C++ program links the archive by pkg-config" by_pkg_config_static
  check "the init functions equal their macros" init_equals_macro
  check "the shared library exports the listed functions" exports_what_is_listed
  check "the shared library names its interface" has_soname
  check "a Python program runs a preset, with a function and events" from_python
fi
no_keeper() {
  fresh_repository
  cat >bare.c <<'END'
#include <moonlet/moonlet.h>
int main(void) {
  moonlet_engine* engine;
  return moonlet_error_print(moonlet_engine_open(NULL, &engine));
}
END
  # shellcheck disable=SC2046
  cc -o bare bare.c $(pkg-config --cflags --libs moonlet) && PATH=/usr/bin:/bin ./bare 2>said
  cat said
  grep -q 'call moonlet_keeper(argc, argv) first in main' said
}
if [ "${#libraries[@]}" -eq 2 ]; then check "a program without a keeper is told so" no_keeper; fi
unset LD_LIBRARY_PATH

bad_header() { grep -rn '#include "' moved/include/moonlet; }
no_quoted_include() { ! bad_header; }
check "the installed headers include each other as <moonlet/...>" no_quoted_include

project optional <<'END'
set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH OFF)
set(CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH OFF)
find_package(moonlet)
if(NOT moonlet_FOUND)
  message(STATUS "moonlet is missing: ${moonlet_NOT_FOUND_MESSAGE}")
  return()
endif()
END
missing_library() {
  configure optional -DCMAKE_PREFIX_PATH="$scratch/moved" >missing.log 2>&1
  cat missing.log
  grep -q 'moonlet is missing: .*MoonletDependencies' missing.log && grep -q 'MOONLET_uv_LIBRARY' missing.log
}
check "a missing library makes the package not found, and is named" missing_library

echo "FetchContent"
project fetched <<END
include(FetchContent)
FetchContent_Declare(moonlet SOURCE_DIR "$root")
FetchContent_MakeAvailable(moonlet)
END
without_curl=(-DMOONLET_EXECUTOR=OFF -DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON)
check "FetchContent takes the sources in" configure fetched "${without_curl[@]}"
check "FetchContent adds nothing to the compiler's line" gets_nothing_of_ours fetched
check "FetchContent adds no test and installs nothing" adds_no_test_or_file fetched
check "the fetched library and its moonlet build without curl" builds_without_curl fetched moonlet
program=$(find "$scratch/fetched/built" -name moonlet -type f -perm -u+x | head -n 1)
check "a program with the fetched library runs a preset" runs fetched/built/embed "$(dirname "$program")"

echo "add_subdirectory"
project added <<<"add_subdirectory(\"$root\" moonlet EXCLUDE_FROM_ALL)"
check "add_subdirectory takes the sources in" configure added "${without_curl[@]}"
check "add_subdirectory adds nothing to the compiler's line" gets_nothing_of_ours added
check "add_subdirectory adds no test and installs nothing" adds_no_test_or_file added

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
