# Counts the cases of a suite in `passed` and `failed`. Source it with $scratch, an existing folder.
# shellcheck shell=bash disable=SC2154
passed=0 failed=0

# check NAME COMMAND…: runs a command as a case. Prints its output if it fails.
check() {
  local name=$1
  shift
  if "$@" >"$scratch/check.log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: tests/late/%s: %s\n' "$(basename "$0" .sh)" "$name"
    sed 's/^/    /' "$scratch/check.log" | tail -n 40
  fi
}
