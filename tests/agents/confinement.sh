# Each agent CLI tries to write files under each sandbox option, with and without Landlock. The result is compared with
# the table in presets/RUNNING.md. Without --soak, only Codex and Claude run, and only with Landlock.
# shellcheck shell=bash disable=SC2154,SC2034

ROOT=$(cd "$here/../.." && pwd -P)
# shellcheck source=tests/e2e/tools/confinement.sh
. "$here/../e2e/tools/confinement.sh"

# try_option LANDLOCK OPTION runs the agent once under a sandbox option.
try_option() {
  local plain=$moonlet row
  ask "prompt = 'Attempt $2, Landlock $1', $(option_fields "$2")"
  option_flags "$2"
  if [ "$1" = no ]; then
    printf '#!/bin/sh\nexec "%s" "%s/../e2e/tools/without_landlock.py" "%s" "$@"\n' "$python" "$here" "$plain" >"$case/bare"
    chmod +x "$case/bare"
    moonlet=$case/bare
  fi
  moon run "$case/ask.lua" --allow all --runner "$runner" "${FLAGS[@]}"
  moonlet=$plain
  row=$(outcome "$case/elsewhere" "$("$python" -c 'import json, sys
print(json.load(open(sys.argv[1]))["run"]["verdict"])' "$case/out.json")")
  compare "$runner" "$1" "$2" "$row"
}

try_options() {
  local option
  mkdir -p "$case/elsewhere"
  # The commands are in a script, because Gemini refuses commands with a command substitution.
  attempts "$case/elsewhere" >"$case/attempts.sh"
  # The server gets one rule per option, because each rule gives its first reply only once.
  serve "$("$python" -c 'import json, sys
print(json.dumps([{"when": "Attempt " + option, "do": [{"tool": sys.argv[1]}, {"text": "Done."}]}
                  for option in sys.argv[2:]]))' "sh $case/attempts.sh" $CONFINEMENT_OPTIONS)"
  for option in $CONFINEMENT_OPTIONS; do try_option "$1" "$option"; done
}

case_confinement_codex() { try_options yes; }
case_confinement_claude() { try_options yes; }
case_soak_confinement() { try_options no; }
case_soak_confinement_gemini() { try_options yes; }
case_soak_confinement_opencode() { try_options yes; }
