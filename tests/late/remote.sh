#!/usr/bin/env bash
# Tests steps on other machines: an sshd on the loopback interface, and a Slurm cluster of four nodes, both started by
# the test. Cases that need a missing package are skipped by name.
#   remote.sh MOONLET [WORD]
#   remote.sh MOONLET --soak ssh|slurm|snakemake [COUNT [SEED]]   faults at random; see remote/faults.py
#   remote.sh MOONLET --figures                          an array of 1,000 steps against bare sbatch, and its resume
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
MOONLET=$(realpath "$1")
word=${2:-}
soak=
if [ "$word" = --soak ]; then soak=${3:?--soak needs ssh, slurm or snakemake} word=; fi
if [ "$word" = --figures ]; then soak=figures word=; fi
passed=0 failed=0 skipped=0
LAB=$(mktemp -d /tmp/remote.XXXXXX) || exit 1
CASE=$LAB/case
chmod 755 "$LAB"
tools=$(dirname "$MOONLET")
export HOME=$LAB/home PATH=$tools:$LAB/bin:$PATH:/usr/sbin
unset "${!XDG_@}" MOONLET_WORKER SLURM_CONF
mkdir -p "$HOME/.config/moonlet" "$LAB/bin"
# shellcheck source=tests/late/remote/sshd.sh
. "$here/remote/sshd.sh"
# shellcheck source=tests/late/remote/slurm.sh
. "$here/remote/slurm.sh"

end() {
  lab_sshd_stop all
  LAB=$LAB/linked lab_sshd_stop all
  lab_link_remove
  LAB=$LAB/linked lab_link_remove
  [ -z "${SLURM_CONF:-}" ] || lab_slurm_stop
  local room
  for room in far small; do
    if mountpoint -q "$LAB/$room"; then umount "$LAB/$room"; fi
  done
  [ -n "${MOONLET_KEEP:-}" ] || rm -rf "$LAB"
}
trap end EXIT

# Usage: try NAME FUNCTION. Runs a case in a new repository, $CASE. Prints its output only if it fails.
try() {
  if [[ $1 != *"$word"* ]]; then return; fi
  rm -rf "$CASE" && mkdir "$CASE" && cd "$CASE" || exit 1
  git init -q . && printf '%s\n' .agent count out >.gitignore && echo old >file
  git add -A && git -c user.name=t -c user.email=t@t commit -qm start
  # Bash ignores `set -e` in the condition of an `if`.
  (set -e; "$2") >"$LAB/log" 2>&1
  if [ $? = 0 ]; then
    passed=$((passed + 1))
    echo "ok $1"
  else
    failed=$((failed + 1))
    echo "FAILED: $1"
    tail -n 40 "$LAB/log" "$CASE/out" 2>/dev/null
  fi
}

skip() {
  if [[ $1 != *"$word"* ]]; then return; fi
  echo "skipped: $1: $2"
  skipped=$((skipped + 1))
}

has() { command -v "$1" >/dev/null 2>&1; }
moon() { timeout 150 moonlet "$@"; }
no_attempts() { ! find "$LAB/far/attempts" "$LAB/far/maps/attempts" -mindepth 1 -maxdepth 1 2>/dev/null | grep .; }

# Usage: wait_for COMMAND…. Repeats a command until it succeeds, for at most $patience tenths of a second.
wait_for() {
  local i
  for ((i = 0; i < ${patience:-300}; ++i)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  echo "never came true: $*"
  return 1
}

config() { printf 'return { machines = { %s } }\n' "$1" >"$HOME/.config/moonlet/config.lua"; }

# --- faults at random ---------------------------------------------------------------------------------

# Usage: put_shim TOOL. Replaces a tool by remote/shim.sh, which calls the real one.
put_shim() {
  local real
  real=$(command -v "$1")
  if [ "$real" = "$LAB/bin/$1" ]; then mv "$real" "$LAB/bin/$1.real" && real=$LAB/bin/$1.real; fi
  printf '#!/bin/sh\nexec %s %s %s %s "$@"\n' "$here/remote/shim.sh" "$LAB" "$1" "$real" >"$LAB/bin/$1"
  chmod +x "$LAB/bin/$1"
}

run_soak() {
  local tool
  mkdir -p "$LAB/far" "$LAB/tmp"
  # The test can only fill a separate disk.
  mount -t tmpfs -o size=32m,mode=700 none "$LAB/far" 2>/dev/null || true
  export TMPDIR=$LAB/tmp
  if [ "$soak" = ssh ]; then
    lab_link || true
    lab_sshd $((20000 + $$ % 12000)) || exit 1
    put_shim ssh
    config "big = { ssh = 'far', dir = '$LAB/far', slots = 8, patience = '10s' }"
  else
    lab_slurm $((10000 + $$ * 8 % 10000)) || exit 1
    for tool in sbatch squeue sacct; do put_shim $tool; done
    config "slurm = { dir = '$LAB/far', partitions = { 'short' }, patience = '20s' }"
  fi
  python3 -B "$here/remote/faults.py" "$MOONLET" "$LAB" "$soak" "${1:-20}" "${@:2}"
}

array_of() {
  printf '%s\n' 'local list = {}' 'for i = 1, 1000 do list[i] = i end' \
    "return #ctx:parallel(list, function(c) return c:exec{ \"sleep\", \"$1\", on = \"slurm\" }.code end, { limit = 1000 })"
}

since() { echo $((($(date +%s%N) - $1) / 1000000)); }

print_figures() {
  lab_slurm $((10000 + $$ * 8 % 10000)) || exit 1
  config "slurm = { dir = '$LAB/far', partitions = { 'short' } }"
  put_shim squeue
  sed -i "2iecho call >>$LAB/squeues" "$LAB/bin/squeue"
  mkdir "$CASE" && cd "$CASE" && git init -q .
  local begin bare own round host
  for round in 1 2; do
    begin=$(date +%s%N)
    sbatch -Q --wait -o /dev/null --array=0-999 --wrap 'sleep 1' || true
    bare=$(since "$begin")
    array_of 1 >x.lua
    rm -f "$LAB/squeues"
    begin=$(date +%s%N)
    moon run x.lua --allow run=sleep >out 2>&1
    own=$(since "$begin")
    echo "round $round: bare array $bare ms, moonlet $own ms, $((bare * 100 / own)) % as fast, $(wc -l <"$LAB/squeues") squeues"
    grep -q '^1000$' out || { tail -n 5 out; return 1; }
  done
  rm -rf .agent && array_of 0 >x.lua
  moonlet run x.lua --allow run=sleep >out 2>&1 &
  host=$!
  wait_for sh -c '[ "$(squeue -h -r -t all -n "$(squeue -h -o %j | head -n 1)" | wc -l)" -ge 1 ]'
  kill -9 $host
  wait_for sh -c "[ \$(find $LAB/far/attempts -name exit.json | wc -l) = 1000 ]"
  begin=$(date +%s%N)
  moon resume R-001 >out 2>&1
  echo "resume of 1,000 steps that ended there: $(since "$begin") ms"
  grep -q '^1000$' out || { tail -n 5 out; return 1; }
}

if [ "$soak" = figures ]; then
  print_figures
  exit
fi
if [ -n "$soak" ]; then
  run_soak "${@:4}"
  exit
fi

# A script in which ssh and Slurm cases replace COUNT, WHERE and LIMIT.
fan_out='local list = {}
for i = 1, COUNT do list[i] = i end
return #ctx:parallel(list, function(c) return c:exec{ "sleep", "1", on = "WHERE" }.code end, { limit = LIMIT })'

# Usage: counting_step SECONDS ON. Writes x.lua: its step adds a line to the file count, waits, and prints "done".
counting_step() {
  echo 'return ctx:exec{ "sh", "-c", "echo run >>'"$CASE"'/count; sleep '"$1"'; echo done", on = "'"$2"'" }.stdout' >x.lua
}

# Starts x.lua in the background as $host, and returns once its step runs.
start_host() {
  moonlet run x.lua --allow run=sh >out 2>&1 &
  host=$!
  wait_for test -s count
}

# Fails unless the last command printed the answer of counting_step, and the step ran once.
ran_once() { grep -q "done" out && [ "$(wc -l <count)" = 1 ]; }

# Usage: a_resume_after_a_kill_runs_nothing_twice ON
a_resume_after_a_kill_runs_nothing_twice() {
  counting_step 2 "$1"
  start_host
  kill -9 "$host"
  moon resume R-001 >out 2>&1
  ran_once
  no_attempts
}

# Usage: a_cancel_ends_the_tree ON
a_cancel_ends_the_tree() {
  echo 'return ctx:exec{ "sh", "-c", "sleep 61 & sleep 61", on = "'"$1"'" }.stdout' >x.lua
  moonlet run x.lua --allow run=sh >out 2>&1 &
  local host=$!
  wait_for pgrep -f "^sleep 61"
  kill -TERM $host
  if wait $host; then return 1; fi
  if pgrep -f "^sleep 61"; then return 1; fi
  no_attempts
}

# shellcheck source=tests/late/remote/ssh_cases.sh
. "$here/remote/ssh_cases.sh"
# shellcheck source=tests/late/remote/slurm_cases.sh
. "$here/remote/slurm_cases.sh"

# Usage: wants KIND OTHER. Succeeds unless the word on the command line selects only cases of the kind OTHER.
wants() { [ -z "$word" ] || [[ "$1: $word" == *"$1"* && $word != "$2"* ]]; }

if ! wants ssh slurm; then
  :
elif has sshd && has ssh && has ssh-keygen; then
  lab_sshd $((20000 + $$ % 12000)) || exit 1
  try "ssh: a command ends there as it ends here" a_command_ends_as_here
  try "ssh: a killed host runs nothing twice" a_killed_host_runs_nothing_twice
  try "ssh: a server that returns is used again" a_server_that_returns_is_used_again
  if (LAB=$LAB/linked lab_link); then
    try "ssh: a cut link is waited for" a_cut_link_is_waited_for
  else
    skip "ssh: a cut link is waited for" "network namespaces need root and iproute2"
  fi
  try "ssh: a machine out of reach parks the run" a_machine_out_of_reach_parks_the_run
  try "ssh: a step that was given up is looked for again" a_step_that_was_given_up_is_looked_for_again
  try "ssh: a killed keeper is a lost step" a_killed_keeper_is_a_lost_step
  try "ssh: a cancelled run leaves no process" a_cancelled_run_leaves_no_process
  try "ssh: a writer is merged as a local one" a_writer_is_merged_as_a_local_one
  try "ssh: a writer makes repositories and folders" a_writer_makes_repositories_and_folders
  try "ssh: a writer outlives its host" a_writer_outlives_its_host
  try "ssh: a cancel after a killed host ends the step there" a_cancel_after_a_killed_host_ends_the_step_there
  try "ssh: usage is counted by machine" usage_is_counted_by_machine
  try "ssh: nonsense parks the run" nonsense_parks_the_run
  try "ssh: a parked run keeps what ended" a_parked_run_keeps_what_ended
  try "ssh: a patch that leaves the tree is refused" a_patch_that_leaves_the_tree_is_refused
  try "ssh: a changed host key is refused" a_changed_host_key_is_refused
  try "ssh: an unknown machine starts no run" an_unknown_machine_starts_no_run
  try "ssh: doctor describes the machine" doctor_describes_the_machine
  try "ssh: a permanent error fails the first step" a_permanent_error_fails_the_first_step
  try "ssh: a broken keeper is copied again" a_broken_keeper_is_copied_again
  if mkdir "$LAB/small" && mount -t tmpfs -o size=32m none "$LAB/small" 2>/dev/null; then
    try "ssh: a full disk fails the step" a_full_disk_fails_the_step
    umount "$LAB/small"
  else
    skip "ssh: a full disk fails the step" "mounts need root"
  fi
  try "ssh: 200 steps, eight at once" two_hundred_steps_side_by_side
else
  skip "ssh" "there is no sshd; install openssh-server"
fi

if ! wants slurm ssh; then
  :
elif has sbatch && has slurmctld && has slurmd && has munged; then
  lab_slurm $((10000 + $$ * 8 % 10000)) || exit 1
  try "slurm: a job ends as a step" a_job_ends_as_a_step
  try "slurm: another partition is refused" another_partition_is_refused
  try "slurm: a first submission asks once" a_first_submission_asks_once
  try "slurm: the queue is told apart from the run" the_queue_is_told_apart
  try "slurm: a fan-out is few submissions" a_fan_out_is_few_submissions
  try "slurm: a killed host submits nothing twice" a_killed_host_submits_nothing_twice
  try "slurm: a cancelled job ends its tree" a_cancelled_job_ends_its_tree
  try "slurm: a lost answer of sbatch submits nothing twice" a_lost_answer_of_sbatch_submits_nothing_twice
  try "slurm: a refused submission leaves nothing" a_refused_submission_leaves_nothing
  try "slurm: a permanent refusal fails the step" a_permanent_refusal_fails_the_step
  try "slurm: a dead controller moves nothing" a_dead_controller_moves_nothing
else
  skip "slurm" "there is no Slurm; install slurm-wlm and munge"
fi

if [ -e "$LAB/figures" ]; then cat "$LAB/figures"; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
