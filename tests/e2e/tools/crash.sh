# Helpers of crash tests: in each round, a long run of paid agents is killed, resumed until it ends,
# and audited. Cases source this file and set `preset` and its arguments `agents` and `pause`.
# shellcheck shell=bash disable=SC2154,SC2034

# new_round NAME makes a repository in $round, and an empty bill file $BILL that its agents may write.
new_round() {
  round=$TMPDIR/rounds/$1
  mkdir -p "$round" && cd "$round" && git init -q . || exit 99
  export BILL=$BILLS/${1//\//-}
  : >"$BILL"
}

# next_command sets `words` to the command that starts the round's run, or resumes it once it exists.
next_command() {
  run=$(ls .agent/runs 2>/dev/null | tail -n 1)
  words=(moonlet run resume "$run" --json)
  if ! [ -e ".agent/runs/$run/run.json" ]; then
    # A run that was killed before it had run.json cannot be resumed.
    words=(moonlet run "$PRESETS/$preset.lua" --allow needs --agents "$agents" --pause "$pause" --json
      --runner "command:$AGENTS/paid")
  fi
}

# drive [WRAPPER…] runs the next command, and sets $code to its exit code.
drive() {
  next_command
  "$@" "${words[@]}" >envelope 2>err
  code=$?
  if [ "$code" -eq "${expected:-0}" ] && grep -q '"sure"' envelope; then cp envelope final; fi
  run=$(ls .agent/runs 2>/dev/null | tail -n 1)
}

# drive_killed VICTIM MS runs the next command, and kills a process of it after MS milliseconds: the host, the keeper's
# worker (keeper), the guard, or all of them.
drive_killed() {
  local host guard='' worker='' victims
  next_command
  "${words[@]}" >envelope 2>err &
  host=$!
  sleep "0.$(printf %03d "$2")"
  # A new run starts its keeper after a moment, so wait for it.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    run=$(ls .agent/runs | tail -n 1)
    read -r guard worker < <(tail -n +1 ".agent/runs/$run/keeper.log" |
      sed -nE '/"record":"keeper"/s/.*"guard":([0-9]+).*"worker":([0-9]+).*/\1 \2/p' | tail -n 1)
    if [ "$1" = host ] || kill -0 "$worker"; then break; fi
    sleep 0.02
  done
  case $1 in
    host) victims=$host ;;
    keeper) victims=$worker ;;
    guard) victims=$guard ;;
    *) victims="$host $guard $worker" ;;
  esac
  if kill -KILL $victims; then echo "$1" >>"$TMPDIR/killed"; fi
  wait "$host"
  code=$?
  if [ "$code" -eq "${expected:-0}" ] && grep -q '"sure"' envelope; then cp envelope final; fi
} 2>/dev/null

# Reports processes that have the round's bill in their environment after two seconds, except the process $spared.
none_left() {
  local entry left='' try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    left=
    for entry in /proc/[0-9]*; do
      if grep -qszF "BILL=$BILL" "$entry/environ" && ! [[ $(readlink "$entry/exe") == */bash ]] &&
        [ "${entry#/proc/}" != "${spared:-}" ]; then
        left+=" ${entry#/proc/}"
      fi
    done 2>/dev/null
    [ -n "$left" ] || return 0
    sleep 0.2
  done
  echo "processes are left:$left"
}

# settle [--once] resumes the run until it ends, and prints each difference from an undisturbed run.
settle() {
  local try
  for try in 1 2 3 4 5 6; do
    drive
    [ "$code" -ne "$expected" ] || break
    # Another resume repeats the steps whose keeper was killed.
    [ -z "${1:-}" ] || break
  done
  if [ "$code" -ne "$expected" ]; then
    echo "exit code $code instead of $expected"
    head -c 600 envelope
    tail -n 3 err
    return
  fi
  # A run that was killed after its last record has printed no result.
  [ -e final ] || cp "$TMPDIR/undisturbed" final
  "$TOOLS/json_get" final /result/sure >sure
  cmp -s sure "$TMPDIR/sure" || { echo "another result:" && head -c 400 sure; }
  "$TOOLS/audit" ".agent/runs/$run" "$BILL" "$@" >audit || cat audit
  moonlet run verify "$run" >verified 2>&1 || cat verified
  moonlet ps | grep -qxF 'nothing is running' || moonlet ps
  none_left
}

# checked NAME COMMAND… runs COMMAND as the round NAME. If it prints faults, prints the name and the faults.
checked() {
  local name=$1 problems
  shift
  problems=$(new_round "$name" && "$@" 2>&1)
  if [ -n "$problems" ]; then
    printf '%s:\n%s\n' "$name" "$(sed 's/^/  /' <<<"$problems")"
    if [ -n "${KEEP_ROUNDS:-}" ]; then return; fi
  fi
  rm -rf "$TMPDIR/rounds/$name"
}

# side_by_side N waits until fewer than N background rounds run.
side_by_side() {
  while [ "$(jobs -rp | wc -l)" -ge "$1" ]; do wait -n; done
}

# Runs the preset without kills. Saves the result in $TMPDIR/sure and sets $expected to the exit code, which is 4 if an
# agent fails on purpose.
undisturbed() {
  new_round undisturbed
  drive
  expected=$code
  [ "$code" -eq 0 ] || [ "$code" -eq 4 ] || { head -c 2000 envelope err && exit 99; }
  cp envelope "$TMPDIR/undisturbed"
  "$TOOLS/json_get" envelope /result/sure >"$TMPDIR/sure"
}

# kill_at N COMMAND… runs COMMAND, and kills it with -9 once the bill has N lines.
kill_at() {
  local lines=$1 host _
  shift
  "$@" >envelope 2>err &
  host=$!
  for _ in $(seq 500); do
    if [ "$(wc -l <"$BILL")" -ge "$lines" ]; then break; fi
    sleep 0.01
  done
  kill -KILL "$host"
  wait "$host"
} 2>/dev/null

# tale KIND OPTION… sets `words` to the command that runs presets/tale.lua.
tale() {
  words=(moonlet run "$PRESETS/tale.lua" --allow needs --kind "$1" --json --runner "command:$AGENTS/paid")
}
