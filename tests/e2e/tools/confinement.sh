# Shared by the cases that try what an agent may write. To be sourced: it tries each option, and compares what came of it
# with the table in presets/RUNNING.md.
# shellcheck shell=bash disable=SC2034

CONFINEMENT_OPTIONS="none read-only workspace-write writes in_place --unconfined"

# The shell command of the agent: a write in the work tree, in a declared folder, in .git, in HOME, and elsewhere.
# attempts ELSEWHERE: prints it; single quotes do not occur in it.
attempts() {
  printf '%s' "echo x >note.txt; mkdir -p src; echo x >src/note.txt; echo x >\$(git rev-parse --git-common-dir)/hooks/note;" \
    " echo x >~/note.txt; echo x >$1/note.txt; true"
}

# option_fields OPTION: the fields of ctx:agent.
option_fields() {
  case $1 in
    writes) echo 'writes = { "src" }' ;;
    in_place) echo 'in_place = true' ;;
  esac
}

# option_flags OPTION: the options of `moonlet run`, in the array FLAGS.
option_flags() {
  FLAGS=()
  case $1 in
    read-only | workspace-write) FLAGS=(--sandbox "$1") ;;
    --unconfined) FLAGS=(--unconfined) ;;
  esac
}

# outcome ELSEWHERE VERDICT: a row of the table behind its first three cells, from what was written. Removes it.
outcome() {
  local tree=no
  if [ -e note.txt ]; then tree=yes; elif [ -e src/note.txt ]; then tree='`src/`'; fi
  printf '| %s | %s | %s | %s | %s |\n' "$tree" "$(is_there .git/hooks/note)" "$(is_there ~/note.txt)" \
    "$(is_there "$1/note.txt")" "$2"
  rm -rf note.txt src .git/hooks/note ~/note.txt "$1/note.txt"
}

is_there() { if [ -e "$1" ]; then echo yes; else echo no; fi; }

# expected RUNNER LANDLOCK OPTION: the end of the row in the guide.
expected() {
  awk -F ' [|] ' -v runner="$1" -v landlock="$2" -v option="$3" '
    /^<!-- confinement -->/ { inside = !inside }
    inside && $1 ~ "(^| )`" runner "`(,|$)" && ($2 == landlock || $2 == "any") && index(" " $3 ",", "`" option "`") {
      for (i = 0; i < 4; i++) sub(/^[^|]*[|]/, "")
      print "|" $0
    }
  ' "$ROOT/presets/RUNNING.md"
}

# compare RUNNER LANDLOCK OPTION ROW: prints the difference.
compare() {
  local row
  row=$(expected "$1" "$2" "$3")
  if [ "$row" = "$4" ]; then return; fi
  printf '%s, Landlock %s, %s:\n  guide: %s\n  seen:  %s\n' "$1" "$2" "$3" "$row" "$4"
}
