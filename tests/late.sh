#!/usr/bin/env bash
# Runs the late suites, which need more time or more packages than tests/run.sh: each program in
# tests/late/ gets the path of the built moonlet and ends with "N passed, N failed[, N skipped]".
# A suite that lacks a package skips its cases by name. The last line is the sum.
#   --filter WORD    only suites whose name contains WORD
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=examples/setup.sh
. "$root/examples/setup.sh"

filter=
case ${1:-} in
  '') ;;
  --filter) filter=${2:?--filter needs a word} ;;
  *) die "unknown option $1; there is --filter WORD" ;;
esac

moonlet_install_needs late
moonlet_build release
# No test runs the benchmark's programs, so only this build shows that they compile.
moonlet_build release bench

passed=0 failed=0 skipped=0
for suite in "$root"/tests/late/*.sh; do
  name=$(basename "$suite" .sh)
  if ! [ -e "$suite" ] || [[ $name != *"$filter"* ]]; then continue; fi
  say "tests/late/$name"
  output=$(timeout -k 10 1200 "$suite" "$root/build/release/moonlet" 2>&1 </dev/null)
  status=$?
  printf '%s\n' "$output" | sed '$d'
  if [[ ${output##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
    if [ "$status" -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ]; then continue; fi
  fi
  failed=$((failed + 1))
  printf 'FAILED: tests/late/%s ended with exit code %s\n' "$name" "$status"
done

printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
