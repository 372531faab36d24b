#!/bin/sh
# Replaces `ssh`, `sbatch`, `squeue` or `sacct`, and calls the real one. A line "VERB ACTION BYTES" in
# LAB/fault injects one fault into the next call VERB. LAB/lie makes squeue and sacct print false answers.
#   shim.sh LAB TOOL REAL WORD…
lab=$1 tool=$2 real=$3
shift 3

# --- false answers of the scheduler while LAB/lie exists
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

# --- a single fault
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
