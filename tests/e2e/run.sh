#!/usr/bin/env bash
# Runs the end-to-end cases in parallel. Each case is a folder. The last line has the counts.
#   run.sh [--build DIR] [--filter WORD] [--jobs N] [--keep] [CASE…]
# A case is a folder <room>/<case> beside this script. CASE is <room>/<case>, or only the case's name. --filter
# selects the cases whose <room>/<case> contains WORD. --jobs is by default three times the number of cores, because
# most cases mainly wait.
# A case folder holds
#   cmd      a bash snippet, run in the case's working directory; $MOONLET is the executable (also on
#            PATH as `moonlet`), $AGENTS the fake agents, $PRESETS the presets for cases, $TOOLS
#            helpers such as json_get, $CASE the case folder. Required.
#   exit     the expected exit code (0 without the file)
#   out      the expected standard output, with placeholders: <DIR> the working directory, <TMP> the
#            directory that holds it, <ID> a task id, <RUN> a run id, <TIME> an ISO time, <NUM> a number,
#            <HEX> hex digits, <*> anything within a line; a line <...> stands for any number of lines
#   err      texts that standard error must contain, one a line; `!text` must not occur
#   check    a bash snippet run afterwards; $OUT and $ERR are the captured files; it prints what is
#            wrong and fails
#   setup    a bash snippet run before cmd, in the working directory too
#   nogit    an empty file: the working directory is not a git repository
#   clean    an empty file: cmd must leave the working directory as setup left it (.git apart)
#   needs    what the case needs, one a line: root, user, linux (and a build with the calls that only Linux
#            has), soak, mounts (root that may mount), namespaces (a user
#            namespace, or root that may mount), release (the release build), normal (no sanitizer),
#            no-tsan (no ThreadSanitizer, which delays signals and is too slow for time limits),
#            program NAME. Without one of them the case is skipped.
#   limit    the time limit of cmd in seconds (120 without the file). With --soak it is ten times as long.
# The agents of a case run in the normal sandbox. They may write only the folder $BILLS outside of it, by the user's
# config. Cases whose files mention a bill get a link `bill` to a file there, in which agents record their starts.
# Two seconds after a case, none of its processes may be left. They are found by the case's directory in their
# environment (PATH), working directory or executable.
set -uo pipefail

e2e=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=${e2e%/tests/e2e}
build=$root/build/release
filter=
jobs=
keep=
only=
names=()

die() {
  printf 'e2e: %s\n' "$*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$(cd "$2" && pwd -P) && shift ;;
    --filter) filter=$2 && shift ;;
    --jobs) jobs=$2 && shift ;;
    --keep) keep=1 ;;
    --one) only=$2 && shift ;;
    -*) die "unknown option $1" ;;
    *) names+=("$1") ;;
  esac
  shift
done

# --- matching output ---------------------------------------------------------------------------------
# Escapes lines, so that as extended regular expressions they match only themselves.
quoted() { sed -e 's/[][\\.*^$+?(){}|]/\\&/g' -e '$a\'; }

# Converts the expected lines with their placeholders into regular expressions, in `patterns`.
read_patterns() {
  local line here above
  here=$(quoted <<<"$work")
  above=$(quoted <<<"$tmp")
  while IFS= read -r line; do
    line=${line//'<\*>'/.*}
    line=${line//<ID>/[A-Za-z0-9][A-Za-z0-9._-]*}
    line=${line//<RUN>/R-[0-9][0-9][0-9]+}
    line=${line//<TIME>/[0-9]+-[0-9][0-9]-[0-9][0-9]T[0-9:.]+Z}
    line=${line//<NUM>/[0-9]+(\\.[0-9]+)?}
    line=${line//<HEX>/[0-9a-f]+}
    line=${line//<DIR>/"$here"}
    patterns+=("^${line//<TMP>/"$above"}$")
  done < <(quoted <"$1")
}

# match_from I J succeeds if the actual lines from J on match the expected lines from I on.
match_from() {
  local i=$1 j=$2
  while [ "$i" -lt ${#patterns[@]} ]; do
    if [ "${patterns[i]}" = '^<\.\.\.>$' ]; then
      for ((; j <= ${#actual[@]}; j++)); do
        if match_from $((i + 1)) "$j"; then return 0; fi
      done
      return 1
    fi
    if [ "$j" -ge ${#actual[@]} ] || ! [[ ${actual[j]} =~ ${patterns[i]} ]]; then return 1; fi
    i=$((i + 1))
    j=$((j + 1))
  done
  [ "$j" -eq ${#actual[@]} ]
}

matches() {
  local patterns=() actual=() line
  read_patterns "$1"
  while IFS= read -r line || [ -n "$line" ]; do actual+=("$line"); done <"$2"
  match_from 0 0
}

# --- what is left ------------------------------------------------------------------------------------
# Prints the ids of processes that belong to the case, except those of this script.
leftovers() {
  local pid found
  # The search finds its own programs too, but they have ended when the loop below checks them.
  found=$({
    find /proc/[0-9]* -maxdepth 1 \( -name cwd -o -name exe \) -lname "$tmp*" -print
    grep -lsF -- "$tmp" /proc/[0-9]*/environ /proc/[0-9]*/cmdline
  } 2>/dev/null | cut -d / -f 3 | sort -un)
  for pid in $found; do
    # A zombie has no exe link, and does not count.
    if [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] && [ -e "/proc/$pid/exe" ]; then printf '%s\n' "$pid"; fi
  done
}

no_leftovers() {
  [ -d /proc/self ] || return 0
  local pid left
  # Processes may outlive a command by two seconds.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    left=$(leftovers)
    if [ -z "$left" ]; then return 0; fi
    sleep 0.2
  done
  printf 'processes are left two seconds after the command:\n'
  for pid in $left; do
    printf '  %s: %s\n' "$pid" "$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
    kill -9 "$pid" 2>/dev/null
  done
  return 1
}

snapshot() { (cd "$work" && find . -path ./.git -prune -o -print | LC_ALL=C sort); }

# --- one case ----------------------------------------------------------------------------------------
unmet_need() {
  local need
  while read -r need; do
    case $need in
      '' | '#'*) ;;
      root) [ "$(id -u)" -eq 0 ] || { echo "needs root" && return; } ;;
      user) [ "$(id -u)" -ne 0 ] || { echo "needs a plain user" && return; } ;;
      linux)
        { [ "$(uname -s)" = Linux ] && ! grep -qs '^MOONLET_PLAIN_POSIX:BOOL=ON' "$build/CMakeCache.txt"; } ||
          { echo "needs Linux" && return; }
        ;;
      release) [ "${build##*/}" = release ] || { echo "needs the release build" && return; } ;;
      mounts)
        { [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; } ||
          { echo "needs root and the right to mount" && return; }
        ;;
      namespaces)
        { unshare -Ur true 2>/dev/null || { [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; }; } ||
          { echo "needs a user namespace, or the right to mount" && return; }
        ;;
      soak) [ -n "${MOONLET_SOAK:-}" ] || { echo "runs with --soak" && return; } ;;
      normal)
        ! grep -qs '^MOONLET_SANITIZE:STRING=.' "$build/CMakeCache.txt" ||
          { echo "needs a build without sanitizers" && return; }
        ;;
      no-tsan)
        ! grep -qs '^MOONLET_SANITIZE:STRING=.*thread' "$build/CMakeCache.txt" ||
          { echo "needs a build without ThreadSanitizer" && return; }
        ;;
      'program '*)
        command -v "${need#program }" >/dev/null 2>&1 ||
          { echo "needs ${need#program }" && return; }
        ;;
      *) echo "unknown word in needs: $need" && return ;;
    esac
  done <"$1"
}

run_snippet() {
  (cd "$work" && exec timeout -k 5 "$2" bash -uo pipefail "$1")
}

prepare_work() {
  mkdir -p "$tmp/home" "$tmp/bin" "$tmp/work"
  ln -s "$build/moonlet" "$tmp/bin/moonlet"
  cp -R "$agents" "$tmp/agents"
  printf '[user]\n\tname = Case\n\temail = case@localhost\n[init]\n\tdefaultBranch = main\n' \
    >"$tmp/home/.gitconfig"
  if ! [ -e "$CASE/nogit" ]; then
    (
      cd "$work" && git init -q && printf '# A repository\n' >README.md && git add README.md &&
        git commit -q -m 'Start'
    )
  fi
  if grep -qsiE 'bill|tools/crash\.sh' "$CASE/cmd" "$CASE/setup"; then lay_bill; fi
}

lay_bill() {
  mkdir -p "$BILLS" "$tmp/home/.config/moonlet"
  printf 'return { runners = { command = { state = { "%s" } } } }\n' "$BILLS" >"$tmp/home/.config/moonlet/config.lua"
  ln -s "$BILLS/bill" "$work/bill"
  if ! [ -e "$CASE/nogit" ]; then echo /bill >>"$work/.git/info/exclude"; fi
}

# Runs the case in folder $CASE, and prints its faults.
verify_case() {
  local want=0 limit=120 status line before=
  prepare_work || { echo "the working directory could not be made" && return; }
  if [ -e "$CASE/setup" ]; then
    run_snippet "$CASE/setup" 120 >"$tmp/setup.log" 2>&1 </dev/null ||
      { echo "setup failed:" && cat "$tmp/setup.log" && return; }
  fi
  if [ -e "$CASE/exit" ]; then want=$(<"$CASE/exit"); fi
  if [ -e "$CASE/limit" ]; then limit=$(<"$CASE/limit"); fi
  if [ -n "${MOONLET_SOAK:-}" ]; then limit=$((limit * 10)); fi
  if [ -e "$CASE/clean" ]; then before=$(snapshot); fi

  run_snippet "$CASE/cmd" "$limit" >"$OUT" 2>"$ERR" </dev/null
  status=$?
  if [ "$status" -ne "$want" ]; then
    if [ "$status" -eq 124 ]; then echo "cmd took longer than $limit s"; fi
    echo "exit code $status instead of $want"
    head -c 2000 "$ERR"
  fi
  if [ -e "$CASE/out" ] && ! matches "$CASE/out" "$OUT"; then
    echo "standard output differs (- expected, + seen):"
    diff -u "$CASE/out" "$OUT" | tail -n +3 | head -n 60
  fi
  if [ -e "$CASE/err" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
      if [ -z "$line" ]; then continue; fi
      if [ "${line:0:1}" = '!' ]; then
        ! grep -qF -- "${line:1}" "$ERR" || echo "standard error contains: ${line:1}"
      elif ! grep -qF -- "$line" "$ERR"; then
        echo "standard error lacks: $line"
        sed 's/^/  | /' "$ERR" | head -c 2000
      fi
    done <"$CASE/err"
  fi
  if [ -e "$CASE/check" ]; then
    run_snippet "$CASE/check" 60 >"$tmp/check.log" 2>&1 </dev/null ||
      { echo "check failed:" && cat "$tmp/check.log"; }
  fi
  if [ -e "$CASE/clean" ]; then
    diff <(printf '%s\n' "$before") <(snapshot) >"$tmp/clean.log" ||
      { echo "files are left:" && cat "$tmp/clean.log"; }
  fi
  no_leftovers
}

run_one() {
  local reason problems
  CASE=$e2e/$1
  if ! [ -e "$CASE/cmd" ]; then
    printf 'FAILED: e2e: %s\n    there is no such case: %s/cmd\n' "$1" "$CASE"
    return
  fi
  if [ -e "$CASE/needs" ]; then
    reason=$(unmet_need "$CASE/needs")
    if [ -n "$reason" ]; then
      printf 'skipped: e2e: %s: %s\n' "$1" "$reason"
      return
    fi
  fi
  # The path is short, because socket paths have at most 108 bytes, and has no symbolic links, as in getcwd's result.
  tmp=$(cd "$(mktemp -d "${TMPDIR:-/tmp}/e2e.XXXXXX")" && pwd -P) || return
  work=$tmp/work
  OUT=$tmp/out
  ERR=$tmp/err
  local TZ=UTC
  export CASE OUT ERR TZ LC_ALL=C.UTF-8 TERM=dumb HOME="$tmp/home" TMPDIR="$tmp" BILLS="$tmp/bills"
  export PATH="$tmp/bin:$PATH" MOONLET="$build/moonlet" ROOT="$root"
  export AGENTS="$tmp/agents" TOOLS="$tools" PRESETS="$e2e/presets"
  export GIT_CONFIG_NOSYSTEM=1
  unset "${!GIT_DIR@}" "${!GIT_WORK_TREE@}" "${!GIT_INDEX_FILE@}" "${!XDG_@}" MOONLET_SOAK_DIR MOONLET_WORKER
  unset CI NO_COLOR EDITOR VISUAL PAGER COLUMNS LINES
  problems=$(verify_case 2>&1)
  if [ -n "$problems" ]; then
    printf 'FAILED: e2e: %s\n%s\n' "$1" "$(sed 's/^/    /' <<<"$problems" | head -n 80)"
    if [ -n "$keep" ]; then printf '    kept: %s\n' "$tmp"; fi
  else
    printf 'ok: %s\n' "$1"
  fi
  if [ -z "$keep" ]; then
    chmod -R u+rwx "$tmp" 2>/dev/null
    rm -rf "$tmp"
  fi
}

# --- all of them -------------------------------------------------------------------------------------
# Compiles or copies the fake agents and tools whose source is newer than the result.
build_helpers() {
  local source target failed=0
  mkdir -p "$agents" "$tools"
  for source in "$e2e"/agents/*; do
    target=$agents/$(basename "${source%.c}")
    if [ "$target" -nt "$source" ]; then continue; fi
    case $source in
      *.c) ${CC:-cc} -O1 -Wall -Wextra -o "$target" "$source" || failed=1 ;;
      *) cp "$source" "$target" && chmod +x "$target" && touch "$target" || failed=1 ;;
    esac
  done
  for source in "$e2e"/tools/*.cpp; do
    target=$tools/$(basename "${source%.cpp}")
    if [ "$target" -nt "$source" ]; then continue; fi
    ${CXX:-c++} -std=c++20 -O1 -o "$target" "$source" || failed=1
  done
  return $failed
}

# Prints <room>/<case> for the name of a case. An unknown name is printed unchanged, and fails later as a missing case.
with_room() {
  local paths=("$e2e"/*/"$1"/cmd) name=$1
  if [ -e "${paths[0]}" ]; then name=${paths[0]#"$e2e/"}; fi
  printf '%s' "${name%/cmd}"
}

agents=$build/e2e/agents
tools=$build/e2e/tools
if [ -n "$only" ]; then
  run_one "$only"
  exit 0
fi

[ -x "$build/moonlet" ] || die "there is no $build/moonlet; build it first (tests/run.sh does)"
build_helpers || die "the fake agents could not be built"
if [ -z "$jobs" ]; then
  jobs=$((3 * $(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)))
fi
if [ ${#names[@]} -eq 0 ]; then
  for folder in "$e2e"/*/*/cmd; do
    name=${folder#"$e2e/"}
    name=${name%/cmd}
    if [[ $name == *"$filter"* ]]; then names+=("$name"); fi
  done
else
  for i in "${!names[@]}"; do names[i]=$(with_room "${names[i]}"); done
fi

results=$(mktemp "${TMPDIR:-/tmp}/e2e-results.XXXXXX") || exit 1
trap 'rm -f "$results"' EXIT
if [ ${#names[@]} -gt 0 ]; then
  printf '%s\0' "${names[@]}" |
    xargs -0 -n 1 -P "$jobs" "${BASH_SOURCE[0]}" --build "$build" ${keep:+--keep} --one >"$results"
fi
grep -v '^ok: ' "$results"
passed=$(grep -c '^ok: ' "$results")
failed=$(grep -c '^FAILED: e2e: ' "$results")
skipped=$(grep -c '^skipped: e2e: ' "$results")
# A case that reported no result counts as failed.
lost=$((${#names[@]} - passed - failed - skipped))
if [ "$lost" -ne 0 ]; then
  printf 'FAILED: e2e: %s cases gave no result\n' "$lost"
  failed=$((failed + lost))
fi
line="$passed passed, $failed failed"
if [ "$skipped" -gt 0 ]; then line+=", $skipped skipped"; fi
printf '%s\n' "$line"
[ "$failed" -eq 0 ]
