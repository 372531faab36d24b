#!/bin/sh
# Stands for `ssh`, `sbatch`, `squeue` or `sacct` in front of the real one. LAB/fault, one line "VERB
# ACTION BYTES", makes it strike once at the call VERB; LAB/lie says what squeue and sacct answer.
#   shim.sh LAB TOOL REAL WORD…
lab=$1 tool=$2 real=$3
shift 3

# --- what the scheduler says while LAB/lie is there
lie=$(cat "$lab/lie" 2>/dev/null)
case $tool.$lie in
  squeue.empty | sacct.empty) exit 0 ;;
  squeue.garbage | sacct.garbage) head -c 5000 /dev/urandom; exit 0 ;;
  squeue.refuse | sacct.refuse) echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1 ;;
  squeue.stale) cat "$lab/stale" 2>/dev/null; exit 0 ;;
  squeue.done) "$real" "$@" | sed 's/|[A-Z]*$/|COMPLETED/'; exit 0 ;;
  sacct.*) [ -z "$lie" ] || { echo "7|FAILED"; exit 0; } ;;
  squeue.) "$real" "$@" >"$lab/stale.new.$$" && mv "$lab/stale.new.$$" "$lab/stale" ;;
esac

# --- a fault that strikes once
words=$*
verb=$tool
case $tool:$words in
  ssh:*moonlet-keeper-*) verb=$(printf '%s' "$words" | sed "s/.*moonlet-keeper-[0-9a-f]*'* *'*\([a-z]*\).*/\1/") ;;
  ssh:*/bundle*) verb=bundle ;;
  ssh:*GIT_INDEX_FILE*) verb=collect ;;
esac
action=
if read -r wanted action bytes <"$lab/fault" 2>/dev/null && [ "$wanted" = "$verb" ]; then
  mv "$lab/fault" "$lab/fault.$$" 2>/dev/null || action=
else
  action=
fi 2>/dev/null
case $action in
  '') exec "$real" "$@" ;;
  kill-before) kill -9 "$(cat "$lab/host.pid")"; exit 255 ;;
  kill-after) "$real" "$@" >/dev/null; kill -9 "$(cat "$lab/host.pid")"; exit 255 ;;
  lose) "$real" "$@" >/dev/null; echo "Connection timed out" >&2; exit 255 ;;
  refuse) echo "Connection refused" >&2; exit 255 ;;
  cut) "$real" "$@" | head -c "$bytes"; exit 0 ;;
esac
