# Rounds of kills: a long run of paid agents is killed, resumed until its end, and audited. To be
# sourced by cases; they set `agents` and `pause` (of presets/concert.lua).
# shellcheck shell=bash disable=SC2154,SC2034

# new_round NAME: a repository of its own; $BILL is its bill, $round its folder.
new_round() {
  round=$TMPDIR/rounds/$1
  mkdir -p "$round" && cd "$round" && git init -q . || exit 99
  export BILL=$round/bill
  : >"$BILL"
}

# drive [WRAPPER…]: goes on with the round's run, or begins it; the exit code is in $code.
drive() {
  if [ -e .agent/runs/R-001/run.json ]; then
    "$@" moonlet run resume R-001 --json >envelope 2>err
  else
    # It never became a run; what there is of it is in nobody's way.
    rm -rf .agent
    "$@" moonlet run "$PRESETS/concert.lua" --allow needs --agents "$agents" --pause "$pause" --json \
      --runner "command:$AGENTS/paid" >envelope 2>err
  fi
  code=$?
}

# own HOST|KEEPER|GUARD|ALL…: the ids of the round's processes of moonlet. $host is the host's.
own() {
  local entry pid comm
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    if [ "$pid" = "${host:-}" ] || [[ $(readlink "$entry/cwd") == "$round/.agent/runs/R-001" ]]; then
      read -r comm <"$entry/comm" || continue
      case $1:$comm in
        host:moonlet | keeper:moonlet-keeper | guard:moonlet-guard | all:moonlet*) echo "$pid" ;;
      esac
    fi
  done 2>/dev/null
}

# Whether any process of the round lives, told by its environment.
none_left() {
  local entry left='' try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    left=
    for entry in /proc/[0-9]*; do
      if grep -qszF "BILL=$BILL" "$entry/environ" && ! [[ $(readlink "$entry/exe") == */bash ]]; then
        left+=" ${entry#/proc/}"
      fi
    done 2>/dev/null
    [ -n "$left" ] || return 0
    sleep 0.2
  done
  echo "processes are left:$left"
}

# settle [--once]: resumes until the end and says what is not as it would have been undisturbed.
settle() {
  local try
  for try in 1 2 3 4 5 6; do
    drive
    [ "$code" -ne 0 ] || break
    # What was lost with a keeper, and where nothing was to be lost, is another try's.
    [ -z "${1:-}" ] || break
  done
  if [ "$code" -ne 0 ]; then
    echo "exit code $code"
    head -c 600 envelope
    tail -n 3 err
    return
  fi
  "$TOOLS/json_get" envelope /result/sure >sure
  cmp -s sure "$TMPDIR/sure" || { echo "another result:" && head -c 400 sure; }
  "$TOOLS/audit" .agent/runs/R-001 "$BILL" "$@" >audit || cat audit
  moonlet run verify R-001 >verified 2>&1 || cat verified
  moonlet ps | grep -qxF 'nothing is running' || moonlet ps
  none_left
}

# checked NAME COMMAND…: the round NAME; prints its name and what was wrong with it, if anything.
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

# side_by_side N: waits until fewer than N rounds run.
side_by_side() {
  while [ "$(jobs -rp | wc -l)" -ge "$1" ]; do wait -n; done
}

# The result of a run that nobody disturbs, in $TMPDIR/sure.
undisturbed() {
  new_round undisturbed
  drive
  [ "$code" -eq 0 ] || { cat envelope err && exit 99; }
  "$TOOLS/json_get" envelope /result/sure >"$TMPDIR/sure"
}
