# Cases for steps on a machine that ssh reaches. Sourced by remote.sh.
# shellcheck shell=bash disable=SC2034,SC2154

ssh_config() { config "big = { ssh = 'far', dir = '$LAB/far', slots = 8, patience = '${1:-20s}' }"; }

a_command_ends_as_here() {
  ssh_config
  echo 'local r = ctx:exec{ "sh", "-c", "cat; echo e >&2; exit 3", stdin = "in", on = "ssh:big" }
    return { r.code, r.stdout, r.stderr }' >x.lua
  moon run x.lua --allow run=sh --json >out
  grep -q '"result":\[3,"in","e\\n"\]' out || { cat out; return 1; }
  no_attempts
  ! pgrep -f "ssh -T -S.*ControlPersist.*far" || return 1
}

a_killed_host_runs_nothing_twice() {
  ssh_config
  a_resume_after_a_kill_runs_nothing_twice ssh:big
}

a_server_that_returns_is_used_again() {
  ssh_config
  counting_step 4 ssh:big
  start_host
  lab_sshd_stop all
  sleep 1
  lab_sshd_start
  wait "$host"
  ran_once
  no_attempts
}

# Uses a second sshd, in a network namespace whose only link the case cuts for 18 seconds.
a_cut_link_is_waited_for() {
  local LAB=$LAB/linked
  lab_sshd $((20000 + ($$ + 1) % 12000))
  PATH=$LAB/bin:$PATH
  config "big = { ssh = 'far', dir = '$LAB/far', slots = 8, patience = '60s' }"
  counting_step 4 ssh:big
  start_host
  lab_link_set down
  # ssh gives up a connection after 15 s without an answer.
  sleep 18
  lab_link_set up
  wait "$host"
  ran_once
  no_attempts
}

a_machine_out_of_reach_parks_the_run() {
  ssh_config 2s
  counting_step 3 ssh:big
  start_host
  lab_sshd_stop all
  wait "$host" || true
  lab_sshd_start
  grep -q "needs-human" out
  moon resume R-001 >out 2>&1
  ran_once
}

a_step_that_was_given_up_is_looked_for_again() {
  ssh_config 2s
  counting_step 9 ssh:big
  start_host
  lab_sshd_stop all
  wait "$host" || true
  moonlet answer R-001 reject >out 2>&1 || true
  grep -q "step exec on ssh:big was given up" out || { cat out; return 1; }
  lab_sshd_start
  moon resume R-001 >out 2>&1
  ran_once
  no_attempts
}

a_killed_keeper_is_a_lost_step() {
  ssh_config 3s
  echo 'return ctx:exec{ "sh", "-c", "echo $$ >'"$CASE"'/pid; exec sleep 60", on = "ssh:big" }.stdout' >x.lua
  moonlet run x.lua --allow run=sh >out 2>&1 &
  local host=$! pid
  wait_for test -s pid
  pid=$(cat pid)
  local worker guard
  worker=$(ps -o ppid= -p "$pid" | tr -d ' ')
  guard=$(ps -o ppid= -p "$worker" | tr -d ' ')
  # Stop the guard first, so that it cannot react when the worker is killed. Kill the worker before the
  # guard, because a worker that notices the guard's end would record it as a cancellation.
  kill -STOP "$guard"
  kill -9 "$worker" "$guard"
  wait $host && return 1
  grep -qi "lost\|keeper died" out || { cat out; return 1; }
  # A zombie counts as ended, because the init process of a container may never reap it.
  [[ $(ps -o stat= -p "$pid" 2>/dev/null) != [!Z]* ]]
}

a_cancelled_run_leaves_no_process() {
  ssh_config
  a_cancel_ends_the_tree ssh:big
}

a_writer_is_merged_as_a_local_one() {
  ssh_config
  printf '#!/bin/sh\necho new >>file; printf "a\\r\\n" >added; mkdir b; echo c >"b/i g"; echo written\n' >agent.sh
  echo b >>.gitignore
  git add -A && git -c user.name=t -c user.email=t@t commit -qm agent
  echo 'return ctx:agent{ prompt = "x", sandbox = "workspace-write", on = "ssh:big" }.files_changed' >x.lua
  moon run x.lua --runner "command:sh agent.sh" --allow agents,write=. >out 2>&1
  [ "$(cat file)" = "old
new" ] && [ "$(od -An -c added | tr -d ' \n')" = 'a\r\n' ] && [ "$(cat "b/i g")" = c ] || { cat out; return 1; }
  no_attempts
  # Ignored files are left out if there is too much of them.
  echo 'mkdir -p b; truncate -s 70M b/large; echo more >more; echo written' >agent.sh
  git add -A && git -c user.name=t -c user.email=t@t commit -qm large
  moon run x.lua --runner "command:sh agent.sh" --allow agents,write=. >out 2>&1
  grep -q "that git ignores are left out, because they have 70 MB, more than 64 MB" out && [ -e more ] &&
    [ ! -e b/large ] || { cat out; return 1; }
  no_attempts
}

# The first agent makes repositories and empty folders. The second one writes into a submodule.
a_writer_makes_repositories_and_folders() {
  ssh_config
  git init -q "$CASE/other" && echo other >>.gitignore
  git -C other -c user.name=t -c user.email=t@t commit -q --allow-empty -m other
  git -c protocol.file.allow=always submodule --quiet add ./other sub
  cat >agent.sh <<'A'
echo n >n; mkdir -p empty/deep inner past; ls sub | wc -l >seen
(cd inner; git init -q .; echo q >"q q"; mkdir d; echo d >d/d)
cd past; git init -q .; echo p >p; git add p; git -c user.name=t -c user.email=t@t commit -qm p; echo written
A
  git add -A && git -c user.name=t -c user.email=t@t commit -qm agent
  echo 'return table.concat(ctx:agent{ prompt = "x", sandbox = "workspace-write", on = "ssh:big" }.files_changed, ",")' >x.lua
  moon run x.lua --runner "command:sh agent.sh" --allow agents,write=. >out 2>&1 || { cat out; return 1; }
  grep -q '^empty/deep/,inner/d/d,inner/q q,n,past/p,seen$' out && [ -d empty/deep ] &&
    [ "$(cat inner/d/d past/p n)" = "d
p
n" ] && grep -q "files in past were carried over, its history was not" out || { cat out; return 1; }
  no_attempts

  echo 'echo work >sub/new; echo m >m' >agent.sh
  git add -A && git -c user.name=t -c user.email=t@t commit -qm submodule
  ! moon run x.lua --runner "command:sh agent.sh" --allow agents,write=. >out 2>&1 || { cat out; return 1; }
  grep -q "work in the submodule sub cannot be carried over, so nothing is merged" out && [ ! -e m ] &&
    grep -q "$LAB/far/attempts/.*/tree on ssh:big" out && cat "$LAB"/far/attempts/*/tree/sub/new || { cat out; return 1; }
  # Once the submodule is empty again, a resume merges the rest and does not start the agent.
  rm "$LAB"/far/attempts/*/tree/sub/new
  hostile_ssh '[ "$call" != changes ] || { echo "No space left on device" >&2; exit 1; }'
  ! moon resume R-002 >out 2>&1 || { cat out; return 1; }
  honest_ssh
  grep -q "cannot be collected: No space left" out && ! grep "needs git" out && [ ! -e m ] || { cat out; return 1; }
  moon resume R-002 >out 2>&1 && [ -e m ] || { cat out; return 1; }
  no_attempts
}

a_writer_outlives_its_host() {
  ssh_config
  printf '#!/bin/sh\necho run >>'"$CASE"'/count; sleep 2; echo new >>file; echo written\n' >agent.sh
  git add -A && git -c user.name=t -c user.email=t@t commit -qm agent
  echo 'return ctx:agent{ prompt = "x", sandbox = "workspace-write", on = "ssh:big" }.text' >x.lua
  moonlet run x.lua --runner "command:sh agent.sh" --allow agents,write=. --unconfined >/dev/null 2>&1 &
  local host=$!
  wait_for test -s count
  kill -9 $host
  moon resume R-001 --forecast | grep -q "adopted"
  moon resume R-001 >out 2>&1
  [ "$(wc -l <count)" = 1 ] && [ "$(wc -l <file)" = 2 ] || { cat out; cat file; return 1; }
}

a_cancel_after_a_killed_host_ends_the_step_there() {
  ssh_config
  echo 'return ctx:exec{ "sh", "-c", "sleep 63 & sleep 63", on = "ssh:big" }.stdout' >x.lua
  moonlet run x.lua --allow run=sh >/dev/null 2>&1 &
  local host=$!
  wait_for pgrep -f "^sleep 63"
  moon ps | grep -q "R-001 .* exec on ssh:big" || { moon ps; return 1; }
  kill -9 $host
  moon cancel R-001 >out 2>&1 || { cat out; return 1; }
  ! pgrep -f "^sleep 63" || { cat out; return 1; }
  no_attempts
  ! moon ps | grep "ssh:big"
}

usage_is_counted_by_machine() {
  ssh_config
  printf '%s\n' '#!/bin/sh' 'cat >/dev/null' "printf '%s\\n' '"'{"type":"text","text":"fine"}'"' \\" \
    "'"'{"type":"usage","input_tokens":1000,"output_tokens":20}'"' '"'{"type":"done","status":"ok"}'"'" >agent.sh
  git add -A && git -c user.name=t -c user.email=t@t commit -qm agent
  echo 'for i, on in ipairs { "ssh:big", "ssh:big", false } do
      ctx:agent{ name = "a" .. i, prompt = "x", runner = "command", argv = { "sh", "agent.sh" }, events = "moonlet",
        sandbox = "workspace-write", on = on or nil }
    end' >x.lua
  moon run x.lua --allow agents,run=sh,write=. --unconfined >"$LAB/out" 2>&1 || { cat "$LAB/out"; return 1; }
  moon usage --by machine --csv | cut -d, -f1-3 >"$LAB/usage"
  printf 'machine,attempts,input_tokens\nhere,1,1000\nssh:big,2,2000\n' | diff - "$LAB/usage"
  no_attempts
}

# Usage: hostile_ssh SCRIPT. Replaces ssh by a program that runs SCRIPT, and then the real ssh unless SCRIPT exits.
# $call is "keeper" for a call of the keeper, and "changes" for a call that fetches an agent's changes.
hostile_ssh() {
  mv "$LAB/bin/ssh" "$LAB/bin/ssh.kept"
  printf '%s\n' '#!/bin/bash' 'case "$*" in *moonlet-keeper-*) call=keeper ;; *GIT_INDEX_FILE*) call=changes ;; *) call= ;; esac' \
    "$1" "exec $LAB/bin/ssh.kept \"\$@\"" >"$LAB/bin/ssh"
  chmod +x "$LAB/bin/ssh"
}

honest_ssh() { mv "$LAB/bin/ssh.kept" "$LAB/bin/ssh"; }

nonsense_parks_the_run() {
  ssh_config 2s
  echo 'return ctx:exec{ "sh", "-c", "echo run", on = "ssh:big" }.stdout' >x.lua
  local answer status
  for answer in 'echo "{}"; echo "Last login: today"' 'yes "[1]" | head -c 60000000' 'head -c 30000000 /dev/zero' ':' \
    'echo "{\"nonce\":\"../../../etc\",\"state\":\"ended\",\"out\":0,\"err\":0}"' \
    'echo "{\"nonce\":7,\"out\":1099511627776,\"err\":1099511627776}"'; do
    hostile_ssh "[ \"\$call\" != keeper ] || { cat >/dev/null; $answer; exit 0; }"
    status=0
    moon run x.lua --allow run=sh >out 2>&1 || status=$?
    honest_ssh
    [ $status = 3 ] && [ "$(wc -c <out)" -lt 20000 ] || { echo "$answer: $status"; head -c 2000 out; return 1; }
    rm -rf .agent
  done
}

# ssh fails once, and is then slow. Meanwhile two of the three steps ask a person, and the third fetches the
# results of all. The resume must find the results that were fetched but not recorded.
a_parked_run_keeps_what_ended() {
  ssh_config 2s
  echo 'return ctx:parallel({ 1, 2, 3 }, function(c, i)
    return c:exec{ "sh", "-c", "echo run >>'"$CASE"'/count; sleep 2; echo done", on = "ssh:big", name = "s" .. i }.stdout
  end)' >x.lua
  hostile_ssh "if [[ \$call = keeper && \$* = *look* && \$(wc -l <$CASE/count) = 3 ]]; then
    if ! [ -e $CASE/failed ]; then touch $CASE/failed; exit 255; fi
    if ! [ -e $CASE/waited ]; then touch $CASE/waited; sleep 5; fi
  fi"
  local status=0
  moon run x.lua --allow run=sh >out 2>&1 || status=$?
  honest_ssh
  [ $status = 3 ] || { cat out; return 1; }
  moon resume R-001 >out 2>&1
  [ "$(wc -l <count)" = 3 ] || { cat out; return 1; }
  no_attempts
}

# Usage: changes_are PATCH TEXT. Lets the machine send PATCH as the changes of an agent. The run's output must
# contain TEXT, and no file may change.
changes_are() {
  printf '%s\n' "$1" >"$LAB/patch"
  hostile_ssh "[ \"\$call\" != changes ] || { wc -c <$LAB/patch >&2; cat $LAB/patch; exit 0; }"
  local status=0
  moon run x.lua --runner "command:sh agent.sh" --allow agents,write=. --unconfined >out 2>&1 || status=$?
  honest_ssh
  grep -q "$2" out || { echo "exit code $status; no '$2'"; cat out; return 1; }
  [ -z "$(git status --porcelain --untracked-files=all | grep -v ' out$')" ] || { git status --porcelain; return 1; }
  rm -rf .agent
}

a_patch_that_leaves_the_tree_is_refused() {
  ssh_config
  printf '#!/bin/sh\necho written\n' >agent.sh
  echo 'return ctx:agent{ prompt = "x", sandbox = "workspace-write", on = "ssh:big" }.files_changed' >x.lua
  git add -A && git -c user.name=t -c user.email=t@t commit -qm agent
  local made='new file mode 100755
--- /dev/null' body='@@ -0,0 +1 @@
+touch '"$LAB"'/hit'
  local hook=.git/hooks/post-commit
  changes_are "diff --git a/$hook b/$hook
$made
+++ b/$hook
$body" "not merged"
  changes_are "diff --git a/../outside b/../outside
$made
+++ b/../outside
$body" "not merged"
  changes_are "diff --git a/$LAB/outside b/$LAB/outside
$made
+++ b/$LAB/outside
$body" "not merged"
  changes_are "diff --git a/way b/way
new file mode 120000
--- /dev/null
+++ b/way
@@ -0,0 +1 @@
+$LAB
\\ No newline at end of file
diff --git a/way/outside b/way/outside
$made
+++ b/way/outside
$body" "not merged"
  changes_are "diff --git a/.envrc b/.envrc
$made
+++ b/.envrc
$body" "held-back.patch"
  [ ! -e "$LAB/outside" ] && [ ! -e "$CASE/../outside" ] && [ ! -e $hook ] && [ ! -e "$LAB/hit" ]
}

a_changed_host_key_is_refused() {
  ssh_config 5s
  cp "$LAB/ssh/known" "$LAB/ssh/known.right"
  ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh/other"
  sed -i "s|ssh-ed25519 .*|$(cut -d' ' -f1,2 "$LAB/ssh/other.pub")|" "$LAB/ssh/known"
  echo 'return ctx:exec{ "true", on = "ssh:big" }.code' >x.lua
  local status=0
  moon run x.lua --allow run=true >out 2>&1 || status=$?
  mv "$LAB/ssh/known.right" "$LAB/ssh/known"
  [ $status -ne 0 ] && grep -q "HOST IDENTIFICATION HAS CHANGED\|Host key verification failed" out || { cat out; return 1; }
}

an_unknown_machine_starts_no_run() {
  ssh_config
  echo 'return 1' >x.lua
  local status=0
  moon run x.lua --on ssh:bigg >out 2>&1 || status=$?
  [ $status = 2 ] && grep -q "did you mean 'big'" out && [ ! -e .agent/runs/R-001 ]
}

doctor_describes_the_machine() {
  ssh_config
  moon doctor --on ssh:big >out 2>&1 || true
  grep -q "^ok    ssh:big" out && grep -q "^ok    git" out || { cat out; return 1; }
}

# Usage: first_step NAME STATUS TEXT. Runs x.lua, whose exit code must be STATUS and whose output must contain TEXT.
# A machine that cannot start the step also has no files of it, so the output must not claim either.
first_step() {
  local status=0
  rm -rf .agent
  moon run "$CASE/x.lua" --allow run=echo >out 2>&1 || status=$?
  if [ $status != "$2" ] || ! grep -q "$3" out || grep 'not known whether\|keeps files\|[^\]\\n"*$' out; then
    echo "$1: exit code $status; no '$3'"
    cat out
    return 1
  fi
}

# Usage: doctor_says ok|bad TEXT. Fails unless `moonlet doctor --on` prints such a line for the machine in $on.
doctor_says() {
  moon doctor --on "${on:-ssh:big}" >doctor 2>&1 || true
  grep -q "^$1 *${on:-ssh:big} .*$2" doctor || { echo "no $1 with '$2'"; cat doctor; return 1; }
}

a_permanent_error_fails_the_first_step() {
  local place='the keeper cannot be copied to' keep=$LAB/keep long
  long=$(printf 'x%.0s' {1..256})
  echo 'return ctx:exec{ "echo", "done", on = "ssh:big" }.stdout' >x.lua
  echo >plain && ln -s "$LAB/none/none" dangling && ln -s /proc/sys readonly
  for dir in plain dangling readonly "$long"; do
    config "big = { ssh = 'far', dir = '$CASE/$dir', patience = '20s' }"
    first_step "dir $dir" 1 "$place"
    grep -q "check dir of this machine" out
    doctor_says bad "$place"
  done
  config "big = { ssh = 'far', dir = '$CASE/new', patience = '2s' }"
  mv "$LAB/ssh/allowed" "$keep"
  first_step "no key" 1 "cannot be reached: .*Permission denied"
  mv "$keep" "$LAB/ssh/allowed"
  hostile_ssh '[[ $* != *uname* ]] || echo Welcome to big'
  first_step "a shell that prints" 1 "prints on standard output: Welcome to big"
  doctor_says bad "prints on standard output"
  honest_ssh
  hostile_ssh '[[ $* != *uname* ]] || { echo moonlet Linux pdp11; exit 0; }'
  first_step "another architecture" 1 "is Linux pdp11, and this moonlet"
  doctor_says bad "is Linux pdp11"
  honest_ssh
  config "big = { ssh = 'nowhere.invalid', dir = '/x', patience = '1s' }"
  first_step "an unknown host" 3 "cannot be reached, and nothing was sent to it: .*nowhere.invalid"
  grep -q "^Go on: moonlet resume R-001" out || { cat out; return 1; }
  moon answer R-001 reject >out 2>&1 || true
  grep -q "was given up" out || { cat out; return 1; }
}

a_broken_keeper_is_copied_again() {
  local breaks dir=$CASE/new keeper
  config "big = { ssh = 'far', dir = '$dir', patience = '3s' }"
  echo 'return ctx:exec{ "echo", "done", on = "ssh:big" }.stdout' >x.lua
  first_step "first" 0 "done"
  keeper=$(echo "$dir"/bin/moonlet-keeper-*)
  for breaks in 'truncate -s 1000 $keeper' ': >$keeper' 'cp /bin/true $keeper'; do
    eval "$breaks"
    first_step "$breaks" 0 "done"
  done
  rm "$keeper" && mkdir "$keeper"
  first_step "a folder" 1 "$keeper is a folder"
  rmdir "$keeper"
  hostile_ssh '[[ $* != *cat* ]] || head -c 1000 >/dev/null'
  first_step "an eaten copy" 1 "the copy is incomplete"
  honest_ssh
  [ -z "$(ls "$dir/bin")" ] || { ls "$dir/bin"; return 1; }
}

a_full_disk_fails_the_step() {
  local full=$LAB/small
  config "big = { ssh = 'far', dir = '$full', patience = '2s' }"
  echo 'return ctx:exec{ "echo", "done", on = "ssh:big" }.stdout' >x.lua
  { head -c 40m /dev/zero >"$full/fill"; } 2>/dev/null || true
  first_step "nothing is free" 1 "No space left"
  doctor_says bad "No space left"
  rm "$full/fill"
  first_step "free again" 0 "done"
  # The keeper is installed on the machine now.
  { head -c 40m /dev/zero >"$full/fill"; } 2>/dev/null || true
  first_step "nothing is free again" 1 "No space left"
  rm "$full/fill"
  echo 'return #ctx:exec{ "head", "-c", "33000000", "/dev/urandom", cap = 33554432, on = "ssh:big" }.stdout' >x.lua
  ! moon run x.lua --allow run=head >out 2>&1 || return 1
  grep -q "its output was lost" out
}

# Prints the ratio to a bare loop of ssh. The ratio cannot fail the case, because it means little on a busy machine.
two_hundred_steps_side_by_side() {
  ssh_config
  echo "$fan_out" | sed 's/COUNT/200/; s/WHERE/ssh:big/; s/LIMIT/8/' >x.lua
  local begin bare own
  ssh -M -N -f -S "$LAB/mux" -o ControlPersist=60 far
  begin=$(date +%s%N)
  seq 200 | xargs -P8 -I{} ssh -S "$LAB/mux" far sleep 1
  bare=$(($(date +%s%N) - begin))
  ssh -S "$LAB/mux" -O exit far
  begin=$(date +%s%N)
  moon run x.lua --allow run=sleep >out 2>&1
  own=$(($(date +%s%N) - begin))
  echo "bare loop $((bare / 1000000)) ms, moonlet $((own / 1000000)) ms, ratio 0.$((bare * 100 / own))"
  cp "$LAB/log" "$LAB/figures"
  grep -q ': ok' out || { tail -n 5 out; return 1; }
}
