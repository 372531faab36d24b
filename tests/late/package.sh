#!/usr/bin/env bash
# Tests moonlet as a part of other C++ programs: each case is a project outside of this tree, which
# takes moonlet from a moved installation, by FetchContent or by add_subdirectory, and must link no
# libcurl and get nothing of moonlet's own build.
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

passed=0 failed=0
# check NAME COMMAND…: one test. Its output is printed if it fails.
check() {
  local name=$1
  shift
  if "$@" >"$scratch/check.log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: tests/late/package: %s\n' "$name"
    sed 's/^/    /' "$scratch/check.log" | tail -n 40
  fi
}

# project FOLDER: a program whose CMake lines, which bring moonlet::engine in, come from standard input.
project() {
  mkdir "$1"
  {
    echo 'cmake_minimum_required(VERSION 3.22)'
    echo 'project(consumer LANGUAGES C CXX)'
    cat
    echo "add_executable(embed \"$root/examples/embed/main.cpp\")"
    echo 'target_link_libraries(embed PRIVATE moonlet::engine)'
    # The names of a project's own targets may be common words.
    echo 'add_custom_target(printed)'
  } >"$1/CMakeLists.txt"
}

# configure FOLDER [OPTION…]: into FOLDER/built
configure() {
  local folder=$1
  shift
  cmake -S "$folder" -B "$folder/built" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
}

# No option, definition or include path of moonlet's own reaches the program.
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

# Any file that includes curl stops the compiler.
mkdir -p no-curl/curl
echo '#error "this includes curl"' >no-curl/curl/curl.h
builds_without_curl() {
  CPATH=$scratch/no-curl cmake --build "$1/built" --target embed "${@:2}" &&
    ldd "$1/built/embed" && ! ldd "$1/built/embed" | grep -q curl
}

# runs PROGRAM FOLDER: the program runs a preset with the moonlet of FOLDER as its keeper.
runs() {
  rm -rf repository && git init -q repository && : >repository/a.txt
  PATH=$2:$PATH "$1" repository precommit-classifier >envelope
  cat envelope
  python3 -c 'import json; assert json.load(open("envelope"))["ok"] is True'
}

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
