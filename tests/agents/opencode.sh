# opencode's cases of run.sh: functions that print what is wrong. opencode_shares lists the cases of cases.sh that also
# run with opencode, and opencode_shares_soak those that do so only with MOONLET_SOAK=1. Each case has a HOME in which
# opencode was never started.
# shellcheck shell=bash disable=SC2154,SC2034

opencode_shares="instructions schema_repaired quota_without_a_time server_error_once login_refused \
  interrupted_in_a_tool host_killed limit_of_a_call"
opencode_shares_soak="bad_request schema_never_met empty_answer tool_leaves_a_process \
  rate_with_retry_after soak_server_error_for_ever connection_refused context_too_long forbidden \
  login_refused_to_three soak_hang_in_the_answer hang_in_a_tool interrupted_while_it_waits all_killed_then_swept \
  host_killed_and_the_agent_ends host_killed_while_it_writes review review_one_fails review_two_fail \
  review_host_killed soak_confinement limit_of_the_run limit_of_turns limit_after_a_killed_host"

case_answer_opencode() {
  serve '[{"do": [{"text": "All is well."}]}]'
  ask 'prompt = "How is it?"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "All is well."' 'len(turns) == 1' 'turns[0].model == "mock-1"' \
    'run.usage.input_tokens == 1000' 'run.usage.cached_input_tokens == 200' 'run.usage.output_tokens == 50' \
    'run.usage.reasoning_output_tokens == 10' 'run.usage.cost_usd is None' 'model.usage == run.usage' \
    'len(model.attempts) == 1' 'model.denied == []' '"Landlock" in model.sandbox'
  if [ -n "$(ls -A ~/.config/opencode)" ]; then echo "it could write its own settings"; fi
}

# Parallel first starts of opencode all create one database.
case_first_starts_opencode() {
  serve '[{"do": [{"text": "All is well."}]}]'
  cat >"$case/ask.lua" <<'END'
return ctx:parallel({ "a", "b", "c" }, function(c, name) return c:agent { name = name, prompt = "Hello" }.text end)
END
  go
  want 'code == 0' 'verdict == "ok"' 'r == ["All is well."] * 3' 'len(turns) == 3' 'len(paid) == 3' \
    'run.usage.input_tokens == 3000'
}

case_read_only_opencode() {
  serve '[{"do": [{"tool": "touch planted; touch ~/planted"}, {"write": "planted-too", "text": "x"},
    {"tool": "git diff --output=planted-three HEAD~1"}, {"text": "I tried."}]}]'
  ask 'prompt = "Write something."'
  go
  want 'code == 0' 'verdict == "ok"' 'len(turns) == 4' 'run.files_changed == []' 'len(model.denied) >= 1' \
    '"Landlock" in model.sandbox' 'run.usage.input_tokens == 4000'
  find "$HOME" -name 'planted*' | sed 's/^/was written: /'
}

# Unlike the shared case, the command names no folder outside of the project, because opencode would refuse all of it.
case_writes_opencode() {
  serve '[{"do": [{"tool": "mkdir src; echo new > src/new.txt; echo more >> README.md; pwd"}, {"text": "Written."}]}]'
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  go
  want 'code == 0' 'verdict == "ok"' 'sorted(r.files) == ["README.md", "src/new.txt"]' 'model.files_changed == r.files' \
    'os.environ["case"] + "/home/project" not in str(turns[1].results)'
  if [ "$(cat src/new.txt)" != new ]; then echo "src/new.txt was not brought back"; fi
  if [ "$(tail -n 1 README.md)" != more ]; then echo "README.md was not brought back"; fi
  if [ "$(git worktree list | grep -vc /pool-)" != 1 ]; then git worktree list; fi
}

case_soak_write_tool_opencode() {
  serve '[{"do": [{"write": "notes.txt", "text": "by the tool"}, {"text": "Written."}]}]'
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  go
  want 'code == 0' 'r.files == ["notes.txt"]'
  if [ "$(cat notes.txt)" != "by the tool" ]; then echo "notes.txt was not brought back"; fi
}

# Without moonlet, opencode would silently wait for an hour.
case_soak_rate_for_an_hour_opencode() {
  serve '[{"do": [{"status": 429, "headers": {"retry-after": "3600"}, "message": "Rate limit reached for requests"},
    {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'r.text == "At last."' 'len(model.attempts) == 2' 'model.attempts[0]["class"] == "rate"' 'len(turns) == 2'
}

case_soak_quota_with_a_time_opencode() {
  serve '[{"for": 60, "do": [{"status": 429, "message": "The usage limit has been reached. Try again in 60 seconds."}]},
    {"do": [{"text": "Here again."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 75' 'verdict == "quota"' 'model["class"] == "quota"' 'error.kind == "quota"' 'len(turns) <= 3'
  nothing_left
  limit=150 moon run wait R-001
  want 'code == 0' 'verdict == "ok"' 'r.text == "Here again."' 'len(paid) == 1' 'len(model.attempts) == 2'
}

case_broken_stream_opencode() {
  serve '[{"do": [{"malformed": "{\"choices\": ["}, {"drop": "I was about to"}, {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "At last."' 'len(paid) == 1' \
    'all(a["class"] == "network" for a in model.attempts[:-1])'
}

case_soak_broken_for_ever_opencode() {
  serve '[{"do": [{"drop": "I was about to"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "network"' 'len(model.attempts) == 3' '"broke off" in error.message'
}

case_soak_cut_short_opencode() {
  serve '[{"do": [{"text": "Half a sen", "cut_short": true}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'model["class"] == "invalid-output"' 'len(model.attempts) == 1'
}

case_soak_declined_opencode() {
  serve '[{"do": [{"refused_by_model": true}]}]'
  ask 'prompt = "Do evil."'
  go
  want 'code == 1' 'model["class"] == "refused"' 'len(turns) == 1'
}

case_soak_hang_opencode() {
  serve '[{"do": [{"hang": true}]}]'
  ask 'prompt = "Hello", idle = "20s"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "timeout"' 'len(model.attempts) == 1' 'len(turns) <= 1'
  nothing_left
}
