#!/usr/bin/env bash
# Sets up, builds, runs every test, and ends with one line: N passed, N failed[, N skipped].
#   --soak           the long tests in full (they run short by default), with a seed of their own (MOONLET_SEED)
#   --asan, --tsan   the same tests under AddressSanitizer and UBSan, or ThreadSanitizer
#   --preset NAME    another preset of CMakePresets.json: debug, clang, lua-c++, posix
#   --filter WORD    only tests whose name contains WORD
# Needs no terminal and no network when everything is installed. Exit 0 when nothing failed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=examples/setup.sh
. "$root/examples/setup.sh"

# A version manager may replace python3 by a slow script that searches for it on each start, so bypass that.
if python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null); then PATH=${python%/*}:$PATH; fi

# moonlet draws no live view in CI jobs, and some tests need one.
unset CI NO_COLOR

preset=release
filter=
passed=0
failed=0
skipped=0
scratch=
jobs=$((2 * $(moonlet_jobs)))
if [ "$jobs" -lt 4 ]; then jobs=4; fi

usage() {
  sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

while [ $# -gt 0 ]; do
  case $1 in
    --soak) export MOONLET_SOAK=1 MOONLET_SEED="${MOONLET_SEED:-$RANDOM}" ;;
    --asan) preset=asan ;;
    --tsan) preset=tsan ;;
    --preset | --filter)
      if [ $# -lt 2 ]; then die "$1 needs a value; see --help"; fi
      if [ "$1" = --preset ]; then preset=$2; else filter=$2; fi
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) die "unknown option $1; there are --soak, --asan, --tsan, --preset NAME and --filter WORD" ;;
  esac
  shift
done

# The last line reports the result, however this script ends.
finish() {
  local status=$? pid
  for pid in $(jobs -pr); do kill "$pid" 2>/dev/null; done
  if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
    say "no test ran"
    status=1
  fi
  local line="$passed passed, $failed failed"
  if [ "$skipped" -gt 0 ]; then line+=", $skipped skipped"; fi
  printf '%s\n' "$line"
  if [ "$failed" -gt 0 ] && [ "$status" -eq 0 ]; then status=1; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wanted() { [ -z "$filter" ] || [[ $1 == *"$filter"* ]]; }
pass() { passed=$((passed + 1)); }
skip() {
  skipped=$((skipped + 1))
  printf 'skipped: %s: %s\n' "$1" "$2"
}
fail() {
  failed=$((failed + 1))
  printf 'FAILED: %s\n' "$1"
  if [ $# -gt 1 ]; then sed 's/^/    /' "$2" | head -n 60; fi
}

# check NAME COMMAND… runs a command as one test.
check() {
  local name=$1
  shift
  wanted "$name" || return 0
  if "$@" >"$scratch/check.log" 2>&1; then pass; else fail "$name" "$scratch/check.log"; fi
}

# --- Catch2 programs, counted by test case from the XML report --------------------------------------
# Prints one line per test case: "pass NAME" or "FAIL NAME", and after a failure the expectation,
# indented. A case without a result, because the program crashed in it, is a failure too.
read_report() {
  awk '
    function plain(text) {
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text)
      gsub(/&apos;/, "\047", text); gsub(/&amp;/, "\\&", text)
      return text
    }
    function attribute(line, key,   at) {
      at = index(line, " " key "=\"")
      if (!at) return ""
      line = substr(line, at + length(key) + 3)
      return plain(substr(line, 1, index(line, "\"") - 1))
    }
    function close_case(verdict) {
      if (name == "") return
      print verdict " " name
      if (verdict == "FAIL") printf "%s", detail
      name = ""
    }
    /<TestCase / { close_case("FAIL"); name = attribute($0, "name"); detail = ""; next }
    /<OverallResult success="true"/ { close_case("pass"); next }
    /<OverallResult success="false"/ { close_case("FAIL"); next }
    /<Expression success="false"/ {
      detail = detail "    " attribute($0, "filename") ":" attribute($0, "line") "\n"; open = 1; next
    }
    /<(Failure|Exception|FatalErrorCondition) / {
      detail = detail "    " attribute($0, "filename") ":" attribute($0, "line") "\n"; open = 1; next
    }
    /<\/(Expression|Failure|Exception|FatalErrorCondition)>/ { open = 0; next }
    open && !/<\/?(Original|Expanded)>/ {
      sub(/^ +/, ""); detail = detail "      " plain($0) "\n"
    }
    END { close_case("FAIL") }
  ' "$1"
}

# --- programs that run side by side ------------------------------------------------------------------
# begin NAME COMMAND… starts a program once fewer than $jobs run. Its output goes to $scratch/NAME.out
# and NAME.err, and its exit code to NAME.status. A late `wait` could miss the code, because bash
# forgets an ended child when the system reuses its process id for another child.
begin() {
  local name=$1
  shift
  while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do sleep 0.1; done
  rm -f "$scratch/$name.status"
  (
    cd "$root" || exit
    trap 'kill "$program"' TERM
    "$@" &
    program=$!
    wait "$program"
    echo $? >"$scratch/$name.ending"
    mv "$scratch/$name.ending" "$scratch/$name.status"
  ) >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null &
  printf '%s' $! >"$scratch/$name.pid"
}

# Waits for the program, and joins its output in NAME.log. Returns its exit code, or 127 if none was
# recorded.
ended() {
  local status=127
  while ! [ -e "$scratch/$1.status" ] && kill -0 "$(<"$scratch/$1.pid")" 2>/dev/null; do sleep 0.1; done
  if [ -e "$scratch/$1.status" ]; then status=$(<"$scratch/$1.status"); fi
  cat "$scratch/$1.err" "$scratch/$1.out" >"$scratch/$1.log"
  return "$status"
}

# Lists the test cases of a Catch2 program that match $1, one per line. The first option works in Catch2 2,
# and the second in Catch2 3.
cases_of() {
  local wanted=$1 list
  shift
  # Ignore the exit code, which is the number of cases in Catch2 2.
  list=$("$@" --list-test-names-only "$wanted" 2>/dev/null | grep .)
  if [ -z "$list" ]; then
    # If no case matches, Catch2 2 prints two lines that say so.
    list=$("$@" --list-tests --verbosity quiet "$wanted" 2>/dev/null | grep . |
      grep -vxE 'Matching test cases:|0 matching test cases')
  fi
  if [ -n "$list" ]; then printf '%s\n' "$list"; fi
}

# begin_catch PROGRAM [LAUNCHER…] starts the program in parallel to the others, because most cases wait
# for processes.
begin_catch() {
  local program=$1 name=${1##*/} limit=900 wanted='~[.]'
  shift
  if [ -n "${MOONLET_SOAK:-}" ]; then limit=3600; fi
  # Tests tagged [linux] need system calls of Linux, so the build for other systems skips them.
  if [ "$preset" = posix ]; then wanted+='~[linux]'; fi
  if [ -n "$filter" ]; then wanted+="*$(printf '%s' "$filter" | sed 's/[][,\\]/\\&/g')*"; fi
  cases_of "$wanted" "$@" "$program" </dev/null >"$scratch/$name.cases"
  if ! [ -s "$scratch/$name.cases" ]; then return; fi
  : >"$scratch/$name.xml"
  begin "$name" timeout -k 10 "$limit" "$@" "$program" -r xml -o "$scratch/$name.xml" "$wanted"
}

# Counts the test cases of a program, and prints those that failed.
count_catch() {
  local name=$1 status cases=0 bad=0 line
  ended "$name"
  status=$?
  while IFS= read -r line; do
    case $line in
      'pass '*)
        pass
        cases=$((cases + 1))
        ;;
      'FAIL '*)
        failed=$((failed + 1))
        cases=$((cases + 1))
        bad=$((bad + 1))
        printf 'FAILED: %s: %s\n' "$name" "${line#FAIL }"
        ;;
      *) printf '%s\n' "$line" ;;
    esac
  done < <(read_report "$scratch/$name.xml")
  # Only the exit code reveals a sanitizer's report, a crash outside of a case, or a timeout.
  if [ "$bad" -gt 0 ]; then
    sed 's/^/    /' "$scratch/$name.log" | head -n 60
  elif [ "$status" -ne 0 ] || [ "$cases" -ne "$(grep -c '' "$scratch/$name.cases")" ]; then
    fail "$name ended with exit code $status after $cases of its test cases" "$scratch/$name.log"
  fi
}

launcher=()
begin_unit_tests() {
  local program
  # gcc's ThreadSanitizer cannot map its shadow memory with the address randomization of new kernels.
  if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then launcher=(setarch -R); fi
  for program in host_tests lua_tests executor_tests web_tests; do
    say "build/$preset/tests/$program"
    begin_catch "$build/tests/$program" ${launcher[@]+"${launcher[@]}"}
    if [ -z "$filter" ] && ! [ -s "$scratch/$program.cases" ]; then fail "$program has no test case"; fi
  done
  say "build/$preset/tests/run_stdlib"
  begin stdlib timeout -k 10 900 ${launcher[@]+"${launcher[@]}"} "$build/tests/run_stdlib" "$filter"
}

count_unit_tests() {
  local program
  for program in host_tests lua_tests executor_tests web_tests; do
    if [ -e "$scratch/$program.pid" ]; then count_catch "$program"; fi
  done
  count_counting tests/stdlib stdlib
}

# --- programs that count their cases: the last line is "N passed, N failed[, N skipped]" ------------
# Adds the counts in the last line of the program NAME, which was started as PART.
count_counting() {
  local name=$1 part=$2 status last
  ended "$part"
  status=$?
  grep -v -E '^([0-9]+ passed, [0-9]+ failed|ok )' "$scratch/$part.log"
  last=$(tail -n 1 "$scratch/$part.log")
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
    if [ "$status" -ne 0 ] && [ "${BASH_REMATCH[2]}" -eq 0 ]; then
      fail "$name ended with exit code $status"
    fi
  else
    fail "$name ended without its count (exit code $status)"
  fi
}

begin_counting() {
  local name=$1 part=$2
  shift 2
  say "$name"
  begin "$part" "$@"
}

# --- presets: programs that print "ok NAME", "FAIL NAME: why" or "skip NAME: why" for each case -----
count_cases() {
  local name=$1 part=$2 status cases=0 line
  ended "$part"
  status=$?
  while IFS= read -r line; do
    # Some of these programs cannot select single cases.
    case $line in
      'ok '* | 'FAIL '*) wanted "${line#* }" || continue ;;
    esac
    case $line in
      'ok '*)
        pass
        cases=$((cases + 1))
        ;;
      'FAIL '*)
        failed=$((failed + 1))
        cases=$((cases + 1))
        status=0
        printf 'FAILED: %s: %s\n' "$name" "${line#FAIL }"
        ;;
      'skip '*) skip "$name" "${line#skip }" ;;
    esac
  done <"$scratch/$part.out"
  if [ "$status" -ne 0 ] || { [ "$cases" -eq 0 ] && [ -z "$filter" ]; }; then
    fail "$name ended with exit code $status after $cases cases" "$scratch/$part.err"
  fi
}

begin_presets() {
  local program folder name
  for program in "$root"/tests/presets/*/run.sh; do
    name=$(basename "$(dirname "$program")")
    say "tests/presets/$name"
    begin "cases-$name" "$program" "$build/moonlet" ${filter:+"$filter"}
  done
  # Run the descriptions and tests of the built-in presets.
  for folder in "$root"/presets/*/tests; do
    name=$(basename "$(dirname "$folder")")
    if ! [ -d "$folder" ] || ! wanted "$name"; then continue; fi
    say "moonlet preset test $name"
    begin "preset-$name" "$build/moonlet" preset test "$name" --repo "$root"
  done
}

count_presets() {
  local name
  for name in "$scratch"/cases-*.pid "$scratch"/preset-*.pid; do
    if ! [ -e "$name" ]; then continue; fi
    name=$(basename "$name" .pid)
    case $name in
      cases-*) count_cases "tests/presets/${name#cases-}" "$name" ;;
      *) count_counting "moonlet preset test ${name#preset-}" "$name" ;;
    esac
  done
}

# --- the house rules ---------------------------------------------------------------------------------
host_knows_no_lua() {
  ! grep -rnE '#[[:space:]]*include[[:space:]]*[<"]([^">]*/)?(lua\.h|lauxlib\.h|lualib\.h|lua\.hpp)[>"]|#[[:space:]]*include[[:space:]]*"lua/' \
    "$root/host"
}

formatted() {
  (cd "$root" && find . -path ./build -prune -o \( -name '*.h' -o -name '*.cpp' -o -name '*.c' \) \
    -type f -print | sort | xargs "$clang_format" --dry-run -Werror)
}

# The set-up lists every program that an end-to-end case needs, so that a fresh machine skips no case.
needs_installed() {
  local need known status=0
  known=$(moonlet_needs tests | awk '{ sub(/^[a-z]*:/, "", $1); print $1 }' | tr , '\n')
  while IFS= read -r need; do
    if ! grep -qxF -- "$need" <<<"$known"; then
      echo "examples/setup.sh does not install $need, which a case in tests/e2e needs"
      status=1
    fi
  done < <(sed -n 's/^program //p' "$root"/tests/e2e/*/*/needs | sort -u)
  return "$status"
}

# Each case is in a folder of tests/e2e (a room), its name occurs in no other room, and a room has at most 45 cases.
cases_in_rooms() {
  local problems
  problems=$(
    cd "$root/tests/e2e" || exit
    for room in */; do
      if [ -e "$room/cmd" ]; then echo "tests/e2e/$room is a case outside of a room"; fi
      if [ "$(find "$room" -mindepth 2 -maxdepth 2 -name cmd | wc -l)" -gt 45 ]; then
        echo "tests/e2e/$room holds more than 45 cases"
      fi
    done
    find . -mindepth 3 -maxdepth 3 -name cmd | cut -d/ -f3 | sort | uniq -d |
      sed 's/$/ is the name of two end-to-end cases/'
  )
  printf '%s\n' "$problems"
  [ -z "$problems" ]
}

linted_lua() {
  local folders=() folder
  for folder in stdlib presets examples tests/stdlib; do
    if [ -d "$root/$folder" ]; then folders+=("$folder"); fi
  done
  (cd "$root" && luacheck -q --no-color "${folders[@]}")
}

# A suite in which no case has the word of --filter passes, and a program without one is not started.
filter_without_match() {
  local name
  for name in precommit review runners; do
    "$root/tests/presets/$name/run.sh" "$build/moonlet" no-case-has-this-name || return 1
  done
  [ -z "$(cases_of '~[.]*no-case-has-this-name*' "$build/tests/host_tests")" ]
}

# Lists the scripts with bash in their first line. The others are sourced by one of them.
linted_shell() {
  (cd "$root" && grep -rlE '^#!.*bash' .ci examples tests --include=run --include='*.sh' | sort |
    xargs shellcheck -x --severity=warning)
}

arrows() { python3 "$root/tests/house/arrows.py"; }
arrows_are_seen() { python3 "$root/tests/house/arrows_test.py"; }
comments_open() { python3 "$root/tests/house/comments.py"; }
events_are_listed() { python3 "$root/tests/house/events.py"; }
unlisted_events_are_seen() { python3 "$root/tests/house/events_test.py"; }
openings_are_seen() { python3 "$root/tests/house/comments_test.py"; }

# The header that the build preset posix includes accepts a portable file, and rejects a file with a Linux call.
refuses_linux_calls() {
  local compiler flags=(-std=c++20 -fsyntax-only -include "$root/host/cmake/plain_posix.h" -x c++ -)
  compiler=$(command -v c++ || command -v g++ || command -v clang++)
  echo '#include <unistd.h>' | "$compiler" "${flags[@]}" &&
    ! printf '#include <unistd.h>\nint make(int* ends) { return pipe2(ends, 0); }\n' | "$compiler" "${flags[@]}"
}

run_house_rules() {
  check "arrows between rooms run one way" arrows
  check "an arrow that runs back is seen" arrows_are_seen
  check "comments open with their subject" comments_open
  check "an opening without a subject is seen" openings_are_seen
  check "events are those of the list" events_are_listed
  check "an event that is not listed is seen" unlisted_events_are_seen
  check "host/ includes nothing of Lua" host_knows_no_lua
  if [ "$(uname -s)" = Linux ]; then check "the preset posix refuses calls of Linux" refuses_linux_calls; fi
  check "end-to-end cases stand in rooms" cases_in_rooms
  check "the set-up installs what the cases need" needs_installed
  check "--filter passes a suite without a match" filter_without_match
  # Other versions of clang-format format the code differently.
  local clang_format
  clang_format=$(command -v clang-format-14 || echo clang-format)
  if [[ $("$clang_format" --version 2>/dev/null) == *"version 14."* ]]; then
    check "clang-format" formatted
  elif wanted clang-format; then
    skip clang-format "clang-format 14 is not installed"
  fi
  if ! [ -d "$root/stdlib" ] && ! [ -d "$root/presets" ]; then
    :
  elif command -v luacheck >/dev/null 2>&1; then
    check "luacheck" linted_lua
  elif wanted luacheck; then
    skip luacheck "luacheck is not installed"
  fi
  if command -v shellcheck >/dev/null 2>&1; then
    check "shellcheck" linted_shell
  elif wanted shellcheck; then
    skip shellcheck "shellcheck is not installed"
  fi
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/moonlet-tests.XXXXXX") || exit 1
if [ -n "${MOONLET_SEED:-}" ]; then say "the seed of the tests is MOONLET_SEED=$MOONLET_SEED"; fi
moonlet_install_needs tests
moonlet_build "$preset"
build=$root/build/$preset

run_house_rules
# These suites mostly wait for processes, so they run in parallel. With sanitizers, the real agents are not tested.
with_agents=
if [ "$preset" != asan ] && [ "$preset" != tsan ]; then
  with_agents=1
  begin_counting "tests/agents" agents "$root/tests/agents/run.sh" "$build/moonlet" "$filter"
fi
begin_unit_tests
begin_presets
begin_counting "tests/docs, the reference" reference python3 "$root/tests/docs/reference_test.py" "$build/moonlet" "$filter"
begin_counting "tests/docs, the guides" guides python3 "$root/tests/docs/guides_test.py" "$build/moonlet" "$filter"
begin_counting "tests/docs, the patterns" patterns python3 "$root/tests/docs/patterns_test.py" "$build/moonlet" "$filter"
count_unit_tests
count_presets
count_counting "tests/docs, the reference" reference
count_counting "tests/docs, the guides" guides
count_counting "tests/docs, the patterns" patterns
begin_counting "tests/e2e" e2e "$root/tests/e2e/run.sh" --build "$build" --filter "$filter"
count_counting "tests/e2e" e2e
if [ -n "$with_agents" ]; then count_counting "tests/agents" agents; fi
exit 0
