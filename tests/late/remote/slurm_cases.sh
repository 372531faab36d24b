# Cases for steps on Slurm. Sourced by remote.sh.
# shellcheck shell=bash disable=SC2034,SC2154

slurm_config() { config "slurm = { dir = '$LAB/far', partitions = { 'short' }, patience = '20s' }"; }

no_jobs() { [ -z "$(squeue -h -t pending,running)" ] || { squeue; return 1; }; }

a_job_ends_as_a_step() {
  slurm_config
  echo 'local r = ctx:exec{ "sh", "-c", "env | grep -c ^SLURM_; exit 3", on = "slurm" }
    return { r.code, r.stdout }' >x.lua
  SLURM_FOO=1 moon run x.lua --allow run=sh --json >out
  grep -q '"result":\[3,"0\\n"\]' out || { cat out; return 1; }
  no_jobs && no_attempts
}

another_partition_is_refused() {
  slurm_config
  echo 'return ctx:exec{ "true", on = "slurm:gpu" }.code' >x.lua
  local status=0
  moon run x.lua --allow run=true >out 2>&1 || status=$?
  [ $status -ne 0 ] && grep -q "allows no submission to the partition 'gpu'" out || { cat out; return 1; }
  no_jobs
}

a_first_submission_asks_once() {
  config "slurm = { dir = '$LAB/far', partitions = { 'short' }, submit = 'ask' }"
  echo "$fan_out" | sed 's/COUNT/5/; s/WHERE/slurm/; s/LIMIT/5/' >x.lua
  local status=0
  moon run x.lua --allow run=sleep >out 2>&1 || status=$?
  [ $status = 3 ] && grep -q "submit 5 jobs to Slurm, partition short" out && no_attempts || { cat out; return 1; }
  status=0
  moon run x.lua --allow run=sleep --gates deny >out 2>&1 || status=$?
  [ $status = 1 ] && grep -q "was rejected" out && no_attempts || { cat out; return 1; }
  moon answer R-001 approve >out 2>&1
  grep -q '^5$' out || { cat out; return 1; }
  no_jobs && no_attempts
}

the_queue_is_told_apart() {
  slurm_config
  echo 'return ctx:exec{ "sleep", "3", on = "slurm" }.code' >x.lua
  # This job occupies all processors for 5 seconds, so the step's job has to wait in the queue.
  sbatch -Q -N 4 --exclusive -o /dev/null -t 1 --wrap 'sleep 5'
  moonlet run x.lua --allow run=sleep >out 2>&1 &
  local host=$!
  wait_for sh -c 'moonlet ps | grep -q "on slurm, in the queue"'
  wait_for sh -c 'moonlet ps | grep -q "on slurm, .* after .* in the queue"'
  wait $host
  moon show R-001 --json | grep -q '"queue_ms":[0-9]' || { moon show R-001 --json; return 1; }
}

a_fan_out_is_few_submissions() {
  slurm_config
  echo "$fan_out" | sed 's/COUNT/300/; s/WHERE/slurm/; s/LIMIT/300/' >x.lua
  moon run x.lua --allow run=sleep >out 2>&1
  grep -q '^300$' out || { tail -n 5 out; return 1; }
  local names
  names=$(squeue -h -t all -o %j | sort -u | wc -l)
  [ "$names" -le 8 ] || { echo "$names submissions"; return 1; }
  no_jobs && no_attempts
}

a_killed_host_submits_nothing_twice() {
  slurm_config
  a_resume_after_a_kill_runs_nothing_twice slurm
  no_jobs
}

a_cancelled_job_ends_its_tree() {
  slurm_config
  a_cancel_ends_the_tree slurm
  wait_for no_jobs
}

# Usage: with_first_sbatch SCRIPT. Runs x.lua with SCRIPT in place of the first sbatch. $real is the real sbatch.
with_first_sbatch() {
  local real status=0
  real=$(command -v sbatch)
  printf '%s\n' '#!/bin/sh' "real=$real" "[ ! -e $CASE/called ] || exec \$real \"\$@\"" "touch $CASE/called" "$1" \
    >"$LAB/bin/sbatch"
  chmod +x "$LAB/bin/sbatch"
  moon run x.lua --allow run=sh >out 2>&1 || status=$?
  rm "$LAB/bin/sbatch"
  return $status
}

a_lost_answer_of_sbatch_submits_nothing_twice() {
  slurm_config
  counting_step 0 slurm
  with_first_sbatch '"$real" "$@" >/dev/null; echo "sbatch: error: Socket timed out" >&2; exit 1'
  ran_once
}

a_refused_submission_leaves_nothing() {
  slurm_config
  counting_step 0 slurm
  with_first_sbatch 'echo "sbatch: error: Socket timed out" >&2; exit 1'
  ran_once
  no_attempts
}

a_permanent_refusal_fails_the_step() {
  local on=slurm
  echo 'return ctx:exec{ "echo", "done", on = "slurm" }.stdout' >x.lua
  config "slurm = { dir = '$CASE/far', partitions = { 'nowhere' }, patience = '20s' }"
  first_step "a partition that does not exist" 1 "sbatch refused it: .*invalid partition"
  doctor_says bad "no partition 'nowhere'"
  config "slurm = { dir = '$CASE/far', partitions = { 'short' }, patience = '20s' }"
  unset SLURM_CONF
  first_step "no configuration" 1 "sbatch refused it: "
  doctor_says bad "slurm: "
  export SLURM_CONF=$LAB/slurm/slurm.conf
  printf '#!/bin/sh\nexit 127\n' >"$LAB/bin/sbatch" && chmod +x "$LAB/bin/sbatch"
  first_step "no sbatch" 1 "sbatch refused it" || { rm "$LAB/bin/sbatch"; return 1; }
  rm "$LAB/bin/sbatch"
  # Other cases may have left attempts in $LAB/far.
  ! find far/attempts far/maps/attempts -mindepth 1 -maxdepth 1 | grep .
}

a_dead_controller_moves_nothing() {
  slurm_config
  counting_step 5 slurm
  start_host
  lab_kill slurmctld KILL
  local status=0
  wait "$host" || status=$?
  lab_slurmctld
  [ $status = 0 ]
  ran_once
  # A restarted controller counts a job as running until its node has registered again.
  patience=1500 wait_for no_jobs
}
