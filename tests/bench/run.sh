#!/usr/bin/env bash
# Measures moonlet against a bare C loop and the tools people use for the same work.
#   tests/bench/run.sh [--quick] [--rounds N] [spawn|sleep|agents|parent|capture|session|startup|memory|embedding|sandbox|journal|ledger|worktrees …]
# Whole commands run in turn (A B C, A B C …), and the first round is dropped. The time of each contender is divided
# by that of the bare loop in the same round. The table shows the median, least and greatest of these ratios. CPU time
# and memory come from one more run of each contender under tests/bench/meter. Absolute figures are valid for one
# machine on one day, so quote ratios. Not part of the tests.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=examples/setup.sh
. "$root/examples/setup.sh"
here=$root/tests/bench
build=$root/build/release
tools=$build/tests/bench
rounds=7
quick=
suites=()

while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 rounds=3 ;;
    --rounds) rounds=${2:?--rounds needs a number} && shift ;;
    spawn | sleep | agents | parent | capture | session | startup | memory | embedding | sandbox | journal | ledger | worktrees) suites+=("$1") ;;
    *) die "unknown word $1; see the head of ${BASH_SOURCE[0]}" ;;
  esac
  shift
done
if [ ${#suites[@]} -eq 0 ]; then suites=(spawn sleep agents parent capture session startup memory embedding sandbox journal ledger worktrees); fi

moonlet_install_needs
moonlet_build release moonlet bench
# The folder is in memory where there is room, so that a slow disk does not count.
place=${TMPDIR:-/tmp}
if [ -w /dev/shm ] && [ "$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')" -gt 4000000 ]; then
  place=/dev/shm
fi
scratch=$(mktemp -d "$place/moonlet-bench.XXXXXX") || exit 1
trap 'rm -rf "$scratch" "$build"/bench-disk*' EXIT
cd "$scratch" || exit 1
export XDG_STATE_HOME=$scratch/state
ulimit -n "$(ulimit -Hn)"

# The path of the interpreter itself, because a wrapper such as pyenv's would add its own start-up time.
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
bare=$tools/bare_loop
keeper=$tools/keeper_loop
moonlet=$build/moonlet
on_disk=$build/bench-disk

# Makes a new repository on a disk. Old ones are kept until the end of the suite: after a mass deletion, ext4 without
# a journal takes ten times as long to create files.
fresh_disk() {
  if [ -e "$on_disk" ]; then
    mkdir -p "$on_disk.old"
    mv "$on_disk" "$on_disk.old/$((++set_aside))"
  fi
  mkdir -p "$on_disk" && git init -q "$on_disk"
}
set_aside=0

# contender NAME COMMAND…: adds a line to the next table. The first contender is the reference.
contender() {
  names+=("$1")
  shift
  commands+=("$(printf '%q ' "$@")")
}

have() { command -v "$1" >/dev/null 2>&1; }

begin() {
  names=()
  commands=()
  printf '\n%s\n' "$1"
}

# Runs the contenders in turn and prints the table. $1 is the number of tasks for the CPU time per task (0: no
# column), $2 a folder that is made anew before each command.
race() {
  local tasks=$1 folder=${2:-} round i start end elapsed
  : >"times"
  for ((round = 0; round <= rounds; round++)); do
    for i in "${!names[@]}"; do
      if [ "$folder" = "$on_disk" ]; then
        fresh_disk
      elif [ -n "$folder" ]; then
        rm -rf "$folder" && mkdir "$folder"
      fi
      start=$EPOCHREALTIME
      if ! eval "${commands[i]}" >output.log 2>error.log </dev/null; then
        if [ "$round" -eq 0 ]; then
          say "${names[i]} failed: $(head -n 1 error.log)"
        fi
        echo "$round $i -1 0" >>"times"
        continue
      fi
      end=$EPOCHREALTIME
      # Some commands print the time of the work itself, without their start-up time.
      elapsed=$(sed -n 's/^elapsed //p' output.log | head -n 1)
      if [ -n "$elapsed" ]; then start=0 end=$elapsed; fi
      echo "$round $i $start $end" | tr , . >>"times"
    done
  done
  : >meters
  if [ "$tasks" -gt 0 ]; then
    for i in "${!names[@]}"; do
      if eval "$tools/meter one ${commands[i]}" >output.log 2>&1 </dev/null; then
        echo "$i $(cat one)" >>meters
      fi
    done
  fi
  printf '%s\n' "${names[@]}" >names
  awk -v tasks="$tasks" '
    function median(list, n,   i, j, t) {
      for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
          t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
        }
      return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    FILENAME == "names" { name[count++] = $0; next }
    FILENAME == "meters" { cpu[$1] = $2; pss[$1] = $3; rss[$1] = $4; next }
    $1 == 0 || $3 < 0 { next }
    { took[$1, $2] = $4 - $3; if ($1 > rounds) rounds = $1 }
    END {
      printf "  %-34s %9s %8s %8s %8s", "", "seconds", "x limit", "min", "max"
      if (tasks > 0) printf " %12s %9s %9s", "CPU us/task", "PSS KB", "RSS KB"
      printf "\n"
      for (i = 0; i < count; i++) {
        n = 0
        for (r = 1; r <= rounds; r++)
          if ((r, i) in took && (r, 0) in took) {
            ++n; seconds[n] = took[r, i]; ratio[n] = took[r, i] / took[r, 0]
          }
        if (n == 0) { printf "  %-34s    failed\n", name[i]; continue }
        middle = median(ratio, n)
        printf "  %-34s %9.3f %8.2f %8.2f %8.2f", name[i], median(seconds, n), middle, ratio[1],
          ratio[n]
        if (tasks > 0 && i in cpu) printf " %12.0f %9d %9d", cpu[i] / tasks, pss[i], rss[i]
        printf "\n"
      }
    }' names meters times
}

lua_spawn() {
  contender "$1" "$moonlet" run "$here/spawn.lua" --repo "$scratch" --count "$2" --width "$3" --argv "$4" --limit "$3" --allow needs
}

suite_spawn() {
  local count=2000 width=64
  if [ -n "$quick" ]; then count=500; fi
  begin "spawn: $count x /bin/true, $width in flight, both streams captured"
  contender "bare C loop (the limit)" "$bare" -n "$count" -w "$width" /bin/true
  contender "moonlet, C++ (Keeper)" "$keeper" -n "$count" -w "$width" /bin/true
  contender "moonlet, C++, durable records" "$keeper" -d -n "$count" -w "$width" /bin/true
  contender "moonlet, C++, confined" "$keeper" -f -n "$count" -w "$width" /bin/true
  contender "moonlet, C++, reads restricted" "$keeper" -F -n "$count" -w "$width" /bin/true
  lua_spawn "moonlet, Lua (ctx:exec)" "$count" "$width" /bin/true
  contender "xargs -P (captures nothing)" \
    bash -c "seq $count | xargs -P $width -n 1 /bin/true"
  if [ -n "$python" ]; then
    contender "python asyncio" "$python" "$here/contend_asyncio.py" "$count" "$width" /bin/true
  fi
  if have node; then
    contender "node child_process" node "$here/contend_node.js" "$count" "$width" /bin/true
  fi
  if have parallel && [ -z "$quick" ]; then
    contender "GNU parallel" bash -c "seq $count | parallel --will-cite -j $width -N0 /bin/true"
  fi
  race "$count"
}

suite_sleep() {
  local count=1000
  if [ -n "$quick" ]; then count=200; fi
  begin "fan-out: $count children that sleep 1 s, all at once"
  contender "bare C loop (the limit)" "$bare" -n "$count" -w "$count" sleep 1
  contender "moonlet, C++ (Keeper)" "$keeper" -n "$count" -w "$count" sleep 1
  lua_spawn "moonlet, Lua (ctx:exec)" "$count" "$count" sleep,1
  contender "xargs -P (captures nothing)" \
    bash -c "yes 1 | head -n $count | xargs -P $count -n 1 sleep"
  if [ -n "$python" ]; then
    contender "python asyncio" "$python" "$here/contend_asyncio.py" "$count" "$count" sleep 1
  fi
  if have node; then
    contender "node child_process" node "$here/contend_node.js" "$count" "$count" sleep 1
  fi
  race "$count"
  growth "$count"
}

# The memory of a child is the growth of the peak from ten children to $1, divided by the difference in children.
growth() {
  local program few many
  for program in "$bare" "$keeper" "$moonlet"; do
    few=$(peak_with "$program" 10)
    many=$(peak_with "$program" "$1")
    if [ -n "$few" ] && [ -n "$many" ]; then
      awk -v few="$few" -v many="$many" -v n="$1" -v name="$(basename "$program")" \
        'BEGIN { printf "  %-34s %.2f KB of PSS a child\n", name, (many - few) / (n - 10) }'
    fi
  done
}

peak_with() {
  if [ "$1" = "$moonlet" ]; then
    "$tools/meter" one "$moonlet" run "$here/spawn.lua" --repo "$scratch" --count "$2" --width "$2" \
      --argv sleep,1 --limit "$2" --allow needs >/dev/null 2>&1 </dev/null || return
  else
    "$tools/meter" one "$1" -n "$2" -w "$2" sleep 1 >/dev/null 2>&1 </dev/null || return
  fi
  cut -d ' ' -f 2 one
}

# contend_agents NAME COUNT WIDTH PROGRAM: adds a run of agents, in a repository that is made anew.
contend_agents() {
  contender "$1" "$moonlet" run "$here/steps.lua" --repo "$scratch/run" --kind agent --count "$2" --width "$3" \
    --limit "$3" --budget agents=none --allow needs --runner "command:$4"
}

suite_agents() {
  begin "agents: 100 that take 200 ms, 16 at once (the limit: xargs, which keeps no record; ideal 1.400 s)"
  contender "xargs -P" bash -c "yes 0.2 | head -n 100 | xargs -P 16 -n 1 sleep"
  contend_agents "moonlet, ctx:agent" 100 16 "sleep 0.2"
  race 0 run
  awk -v rounds="$rounds" '$1 > 0 && $2 == 1 && $3 >= 0 { took[++n] = $4 - $3 }
    END {
      for (i = 2; i <= n; i++)
        for (j = i; j > 1 && took[j] < took[j - 1]; j--) { t = took[j]; took[j] = took[j - 1]; took[j - 1] = t }
      printf "  moonlet beside the ideal: %.2f\n", took[int((n + 1) / 2)] / 1.4
    }' times
  begin "one agent, and a run that does nothing (the limit: the agent alone)"
  contender "echo" /bin/echo hi
  contender "moonlet, an empty script" "$moonlet" run empty.lua --repo "$scratch/run"
  contend_agents "moonlet, ctx:agent" 1 1 "/bin/echo hi"
  echo "return true" >empty.lua
  race 0 run
  added 1
}

suite_parent() {
  local count=2000 width=64
  if [ -n "$quick" ]; then count=500; fi
  begin "a 500 MB parent: $count x /bin/true, $width in flight (the limit here is the 2 MB host)"
  contender "moonlet, C++, 2 MB" "$keeper" -n "$count" -w "$width" -m 2 /bin/true
  contender "moonlet, C++, 500 MB" "$keeper" -n "$count" -w "$width" -m 500 /bin/true
  contender "bare C loop, 2 MB" "$bare" -n "$count" -w "$width" -m 2 /bin/true
  contender "bare C loop, 500 MB" "$bare" -n "$count" -w "$width" -m 500 /bin/true
  race 0
}

suite_capture() {
  local bytes=1000000000
  if [ -n "$quick" ]; then bytes=200000000; fi
  begin "capture: $((bytes / 1000000)) MB of lines from a pipe to a file"
  contender "bare C loop (limit)" "$tools/bare_capture" run/captured "$tools/produce" $bytes
  contender "moonlet, C++ (Keeper)" "$keeper" -c run "$tools/produce" $bytes
  race 0 run
}

suite_session() {
  local lines=2000000 kind
  if [ -n "$quick" ]; then lines=400000; fi
  seq -f 'line %.0f of some sixty characters, as programs print them' $lines >plain
  sed $'s/^line [0-9]*/\e[32m&\e[0m/' plain >coloured
  awk -v lines=$lines 'BEGIN {
    for (i = 0; i < lines; i++)
      printf "\033[%d;%dH\033[%dmdrawn at %d", i * 7 % 40 + 1, i * 31 % 110 + 1, 30 + i % 8, i
  }' >drawn
  for kind in plain coloured drawn; do
    begin "session: $(($(wc -c <$kind) / 1000000)) MB of $kind text through a pseudo-terminal, to a file and a screen"
    contender "bare forkpty loop with libvterm (limit)" "$tools/pty_bare" run/printed cat $kind
    contender "moonlet session" sh -c "'$moonlet' session wait \"\$('$moonlet' session start -- cat $kind)\""
    race 0 run
  done
}

suite_startup() {
  local times=101 module
  if [ -n "$quick" ]; then times=21; fi
  printf '\nstart-up, ms (%s times each, in turn)\n' $times
  printf '  "all.lua" loads every module of the standard library, "preset list" every preset\n'
  {
    printf 'local m = require "moonlet"\n'
    for module in "$root"/stdlib/*.lua; do
      module=$(basename "$module" .lua)
      if [ "$module" != init ] && [ "$module" != preset ]; then printf 'require "moonlet.%s"\n' "$module"; fi
    done
    printf 'return m.preset { name = "all", summary = "Loads every module.", run = function() end }\n'
  } >all.lua
  local programs=(/bin/true "$moonlet --version" "$moonlet preset show $PWD/all.lua" "$moonlet preset list")
  if have lua5.4; then programs+=("lua5.4 -v"); fi
  if [ -n "$python" ]; then programs+=("$python -c pass"); fi
  if have node; then programs+=("node -e 0"); fi
  "$tools/startup" $times "${programs[@]}" | sed 's/^/  /'
}

suite_memory() {
  printf '\nmemory while 64 agents run (host, guard and worker)\n'
  if "$tools/meter" one "$moonlet" run "$here/agents.lua" --repo "$scratch" --count 64 --limit 64 --allow needs \
    --runner "command:sleep 3" >/dev/null 2>error.log </dev/null; then
    awk '{ printf "  PSS %d KB, RSS %d KB in %d processes; CPU %.0f ms\n", $2, $3, $4, $1 / 1000 }' one
  else
    say "the run failed: $(head -n 1 error.log)"
  fi
}

suite_embedding() {
  local calls=1000
  if [ -n "$quick" ]; then calls=200; fi
  mkdir -p embedding
  "$tools/embed_cost" "$moonlet" "$scratch/embedding" "$rounds" "$calls" || say "the embedding could not be measured"
  rm -rf embedding
}

suite_sandbox() {
  printf '\nscripts that are killed: how far they get beyond their limit\n'
  "$tools/sandbox_limits" "$moonlet" "$root"/tests/sandbox/*.lua 2>error.log || say "see error.log"
}

# --- the journal: on a disk, because the wait for it is measured --------------------------------------
# The repository is separate, so that the journal is not written into this one.
lua_steps() {
  contender "$1" "$moonlet" run "$here/steps.lua" --repo "$on_disk" --kind "$2" --count "$3" \
    --width "$4" --limit "$4" --argv "$5" --budget agents=none --allow needs --runner "command:${5//,/ }"
}

# Prints the time that a task took beyond the contender before it, and the time of the whole, from the table's figures:
# $1 tasks, $2 at once.
added() {
  awk -v tasks="$1" '
    function median(list, n,   i, j, t) {
      for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
          t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
        }
      return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    FILENAME == "names" { name[count++] = $0; next }
    $1 > 0 && $3 >= 0 { took[$1, $2] = $4 - $3; if ($1 > rounds) rounds = $1 }
    END {
      for (i = 1; i < count; i++) {
        n = 0
        for (r = 1; r <= rounds; r++)
          if ((r, i) in took && (r, 0) in took) {
            more[++n] = (took[r, i] - took[r, 0]) * 1000 / tasks
            share[n] = (took[r, i] / took[r, 0] - 1) * 100
            whole[n] = took[r, i] * 1000 / tasks
          }
        if (n == 0) continue
        printf "  %-34s %7.3f ms a task, %+.3f ms (%+.1f %%) beside the limit\n", name[i], median(whole, n),
          median(more, n), median(share, n)
      }
    }' names times
}

suite_journal() {
  local count=2000 sleepers=1000 finished=10000 try
  if [ -n "$quick" ]; then count=500 sleepers=200 finished=2000; fi
  fresh_disk
  begin "journal: $count x /bin/true, 64 in flight, on a disk (the limit: ctx:exec that is not journaled)"
  lua_steps "ctx:exec, journal = false" plain "$count" 64 /bin/true
  lua_steps "ctx:exec, journaled" exec "$count" 64 /bin/true
  lua_steps "ctx:agent, waits for the disk" agent "$count" 64 /bin/true
  race 0 "$on_disk"
  added "$count"
  begin "journal: $count ctx:step, which start nothing, 64 at once (the limit: none of them)"
  lua_steps "no step" step 1 64 /bin/true
  lua_steps "ctx:step" step "$count" 64 /bin/true
  race 0 "$on_disk"
  added "$count"
  begin "journal: $sleepers that sleep 1 s, 64 at once (the limit: ctx:exec that is not journaled)"
  lua_steps "ctx:exec, journal = false" plain "$sleepers" 64 sleep,1
  contender "keeper alone, durable records" "$keeper" -d -n "$sleepers" -w 64 sleep 1
  lua_steps "ctx:exec, journaled" exec "$sleepers" 64 sleep,1
  lua_steps "ctx:agent, waits for the disk" agent "$sleepers" 64 sleep,1
  race 0 "$on_disk"
  added "$sleepers"
  printf '\nresume of a run with %s finished steps: seconds until its first new step begins\n' "$finished"
  for try in step exec; do time_resume "$try" "$finished"; done
  # Fewer agents than steps, because they take long.
  time_resume agent $((finished / 5))
  rm -rf "$on_disk" "$on_disk.old"
}

time_resume() {
  local round start end times=()
  fresh_disk
  "$moonlet" run "$here/steps.lua" --repo "$on_disk" --kind "$1" --count "$2" --limit 64 --unfinished --allow needs \
    --budget agents=none --runner command:/bin/true --json >output.log 2>error.log </dev/null
  for ((round = 1; round <= rounds; round++)); do
    start=$EPOCHREALTIME
    end=$("$moonlet" run resume R-001 --repo "$on_disk" --events 2>error.log </dev/null |
      { grep -m 1 -q 'the first new step' && echo "$EPOCHREALTIME"; cat >/dev/null; })
    times+=("$(awk -v s="${start/,/.}" -v e="${end/,/.}" 'BEGIN { print e - s }')")
  done
  printf '%s\n' "${times[@]}" | sort -n | awk -v kind="$1" -v count="$2" '{ t[NR] = $1 }
    END { printf "  %-34s median %.3f, %.3f to %.3f\n", count " x ctx:" kind, t[int((NR + 1) / 2)], t[1], t[NR] }'
}

suite_ledger() {
  local runs=1000000 id
  if [ -n "$quick" ]; then runs=100000; fi
  printf '\nledger: the newest 50 of %s runs\n' "$runs"
  "$tools/ledger_list" "$scratch/ledger" "$runs" 101 || say "the ledger could not be measured"
  # Measures the commands in a repository where the newest 60 runs and each failed run have a folder.
  local repo=$scratch/million
  git init -q "$repo" && (cd "$repo" && "$moonlet" run precommit-classifier >/dev/null 2>&1)
  mv "$scratch/ledger/ledger.db" "$repo/.agent/ledger.db"
  rm -rf "$scratch/ledger" "$repo"/.agent/ledger.db-*
  for id in $(seq 1000 1000 "$runs") $(seq $((runs - 60)) "$runs"); do
    id=$(printf 'R-%03d' "$id")
    if [ -e "$repo/.agent/runs/$id" ]; then continue; fi
    cp -R "$repo/.agent/runs/R-001" "$repo/.agent/runs/$id"
    sed -i "s/R-001/$id/g" "$repo/.agent/runs/$id/run.json"
  done
  printf '  as commands, ms (%s times each, in turn)\n' 21
  (cd "$repo" && "$tools/startup" 21 "$moonlet --version" "$moonlet run list" "$moonlet run list --task T-001" \
    "$moonlet run list --status failed" "$moonlet run list --since 2026-11-01" "$moonlet run show R-$runs" \
    "$moonlet run tree R-$runs") | sed 's/^/  /'
}

# --- worktrees: on a disk, beside bare git -------------------------------------------------------------
# Prints a row for NAME. Each line of the file $2 has the seconds of a round and those of its reference.
worktree_row() {
  awk -v name="$1" '
    function median(list, n,   i, j, t) {
      for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
      return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    $2 > 0 { n++; seconds[n] = $1; ratio[n] = $1 / $2 }
    END { if (n > 0) { m = median(ratio, n); printf "  %-34s %9.3f %8.2f %8.2f %8.2f\n", name, median(seconds, n), m, ratio[1], ratio[n] } }' "$2"
}

# Prints the seconds that a command takes.
seconds_of() {
  local start=$EPOCHREALTIME
  "$@" >output.log 2>error.log </dev/null || say "failed: $* ($(head -n 1 error.log))"
  awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.4f", b - a }'
}

# Runs $1 steps of an agent that does nothing. $2 is the sandbox.
worktree_steps() {
  XDG_STATE_HOME=$on_disk.state "$moonlet" run "$here/writers.lua" --repo "$on_disk" --allow needs --count "$1" \
    --sandbox "$2" --runner "command:echo done"
}

worktree_sizes() { if [ -n "$quick" ]; then echo 10000; else echo 10000 50000 200000; fi; }

suite_worktrees() {
  local files round status add first none one
  for files in $(worktree_sizes); do
    fresh_disk
    seq "$files" | (cd "$on_disk" && awk '{ folder = "d" int($1 / 2000) "/e" int($1 / 50) % 40
      if (!(folder in made)) { system("mkdir -p " folder); made[folder] = 1 }
      file = folder "/f" $1; for (i = 0; i < 1 + $1 % 60; i++) print "line", $1, i > file; close(file) }')
    git -C "$on_disk" add . && git -C "$on_disk" -c user.name=b -c user.email=b@b commit -qm files
    : >first_ratios && : >second_ratios
    for ((round = 0; round <= rounds; round++)); do
      git -C "$on_disk" status --short >/dev/null
      status=$(seconds_of git -C "$on_disk" status --short)
      add=$(seconds_of git -C "$on_disk" worktree add -q --detach "$on_disk.bare-$round")
      git -C "$on_disk" worktree remove --force "$on_disk.bare-$round"
      XDG_STATE_HOME=$on_disk.state "$moonlet" run prune --worktrees --repo "$on_disk" >/dev/null 2>&1
      none=$(seconds_of worktree_steps 1 read-only)
      first=$(seconds_of worktree_steps 1 workspace-write)
      one=$(seconds_of worktree_steps 1 workspace-write)
      awk -v n="$none" -v f="$first" -v limit="$add" 'BEGIN { print f - n, limit }' >>first_ratios
      awk -v n="$none" -v o="$one" -v limit="$status" 'BEGIN { print o - n, limit }' >>second_ratios
    done
    printf '\nworktrees: a repository of %s files (x limit: of the command in brackets)\n' "$files"
    printf '  %-34s %9s %8s %8s %8s\n' "" seconds "x limit" min max
    # The first round fills the disk cache, and does not count.
    sed -i 1d first_ratios second_ratios
    worktree_row "first writer (git worktree add)" first_ratios
    worktree_row "second writer (git status)" second_ratios
  done
}

printf '%s, %s cores, %s rounds\n' "$(uname -sr)" "$(nproc)" "$rounds"
for suite in "${suites[@]}"; do "suite_$suite"; done
