# Helpers of cases that test which files an agent may write. Source it. The functions try each sandbox option and compare
# the result with the table in presets/RUNNING.md.
# shellcheck shell=bash disable=SC2034

CONFINEMENT_OPTIONS="none read-only workspace-write writes in_place --unconfined"

# attempts ELSEWHERE prints the agent's shell command. It tries to write in the work tree, in a declared folder, in .git,
# in HOME, and in the folder ELSEWHERE. The command contains no single quotes.
attempts() {
  printf '%s' "echo x >note.txt; mkdir -p src; echo x >src/note.txt; echo x >\$(git rev-parse --git-common-dir)/hooks/note;" \
    " echo x >~/note.txt; echo x >$1/note.txt; true"
}

# option_fields OPTION prints the fields of ctx:agent for a sandbox option.
option_fields() {
  case $1 in
    writes) echo 'writes = { "src" }' ;;
    in_place) echo 'in_place = true' ;;
  esac
}

# option_flags OPTION sets the array FLAGS to the options of `moonlet run` for a sandbox option.
option_flags() {
  FLAGS=()
  case $1 in
    read-only | workspace-write) FLAGS=(--sandbox "$1") ;;
    --unconfined) FLAGS=(--unconfined) ;;
  esac
}

# outcome ELSEWHERE VERDICT prints a row of the table without its first three cells, according to the files that the
# agent wrote, and removes those files.
outcome() {
  local tree=no
  if [ -e note.txt ]; then tree=yes; elif [ -e src/note.txt ]; then tree='`src/`'; fi
  printf '| %s | %s | %s | %s | %s |\n' "$tree" "$(is_there .git/hooks/note)" "$(is_there ~/note.txt)" \
    "$(is_there "$1/note.txt")" "$2"
  rm -rf note.txt src .git/hooks/note ~/note.txt "$1/note.txt"
}

is_there() { if [ -e "$1" ]; then echo yes; else echo no; fi; }

# expected RUNNER LANDLOCK OPTION prints the guide's row without its first three cells.
expected() {
  awk -F ' [|] ' -v runner="$1" -v landlock="$2" -v option="$3" '
    /^<!-- confinement -->/ { inside = !inside }
    inside && $1 ~ "(^| )`" runner "`(,|$)" && ($2 == landlock || $2 == "any") && index(" " $3 ",", "`" option "`") {
      for (i = 0; i < 4; i++) sub(/^[^|]*[|]/, "")
      print "|" $0
    }
  ' "$ROOT/presets/RUNNING.md"
}

# compare RUNNER LANDLOCK OPTION ROW prints ROW and the guide's row if they differ.
compare() {
  local row
  row=$(expected "$1" "$2" "$3")
  if [ "$row" = "$4" ]; then return; fi
  printf '%s, Landlock %s, %s:\n  guide: %s\n  seen:  %s\n' "$1" "$2" "$3" "$row" "$4"
}
