# The cases of run.sh: functions that print what is wrong. Each runs with $runner codex and claude; one
# whose name ends with a runner's, with that one alone.
# shellcheck shell=bash disable=SC2154

# --- answers -----------------------------------------------------------------------------------------

case_answer() {
  serve '[{"do": [{"text": "All is well."}]}]'
  ask 'prompt = "How is it?"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "All is well."' 'len(turns) == 1' \
    'run.usage.input_tokens == 1000' 'run.usage.cached_input_tokens == 200' 'run.usage.output_tokens == 50' \
    'model.usage.input_tokens == 1000' 'model.runner == "'"$runner"'"' 'model.status == "ok"' \
    'len(model.attempts) == 1'
}
