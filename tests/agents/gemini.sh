# Gemini's cases of run.sh: functions that print what is wrong. gemini_shares lists the cases of cases.sh that also run
# with Gemini, and gemini_shares_soak those that do so only with MOONLET_SOAK=1.
# shellcheck shell=bash disable=SC2154,SC2034

gemini_shares="answer instructions schema_repaired bad_request login_refused quota_without_a_time rate_once hang \
  interrupted_in_a_tool host_killed writes_in_a_worktree limit_of_a_call limit_of_turns"
gemini_shares_soak="schema_never_met server_error_once soak_server_error_for_ever rate_with_retry_after \
  rate_for_ever connection_refused context_too_long forbidden no_key login_refused_to_three \
  soak_hang_in_the_answer hang_in_a_tool interrupted_while_it_waits all_killed_then_swept \
  host_killed_and_the_agent_ends host_killed_while_it_writes failed_writer_leaves_nothing \
  tool_leaves_a_process review review_one_fails review_two_fail review_host_killed soak_confinement \
  limit_of_the_run limit_after_a_killed_host"

# Hooks in the user's and the project's settings do not run, and the agent has no web tools. The temporary folder is
# world-writable, as on most machines.
case_settings_gemini() {
  serve '[{"do": [{"read": "README.md"}, {"text": "Read."}]}]'
  mkdir -p ~/.gemini .gemini
  cat >~/.gemini/settings.json <<END
{ // the user's
  "security": {"auth": {"selectedType": "gemini-api-key"}}, "general": {"maxAttempts": 9},
  "hooksConfig": {"enabled": true}, "hooks": {"BeforeAgent": [{"matcher": "*", "hooks": [
    {"type": "command", "name": "planted", "command": "touch $case/hooked"}]}]}
}
END
  sed "s/hooked/hooked-by-the-project/" ~/.gemini/settings.json >.gemini/settings.json
  commit settings
  ask 'prompt = "How is it?"'
  TMPDIR=/tmp go
  want 'code == 0' 'verdict == "ok"' 'r.text == "Read."' 'len(turns) == 2' '"A project" in str(turns[1].results)' \
    'run.usage.input_tokens == 2000'
  if ls "$case"/hooked* >/dev/null 2>&1; then echo "a hook was run: $(ls "$case"/hooked*)"; fi
  if grep -q 'google_web_search\|web_fetch' "$case/server/request-1.json"; then echo "the web is offered"; fi
  find ~/.gemini -mindepth 1 ! -name settings.json | sed "s/^/was left in the user's folder: /"
}

# Gemini does not trust the project's settings even if it may write. A policy allows it git, redirections and all tools.
case_writes_gemini() {
  serve '[{"do": [{"tool": "git log --oneline; for i in new er; do echo $i; done > new.txt && (git status --short | cat)"},
    {"write": "notes.txt", "text": "by the tool"}, {"tool": "cat > here.txt <<E\nfrom here\nE"}, {"text": "Written."}]}]'
  commit instructions
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  go
  want 'code == 0' 'verdict == "ok"' 'sorted(r.files) == ["here.txt", "new.txt", "notes.txt"]' 'len(turns) == 4' \
    '"instructions" in str(turns[1].results) and "?? new.txt" in str(turns[1].results)' 'model.denied == []'
}

case_read_only_gemini() {
  serve '[{"do": [{"write": "planted", "text": "x"}, {"tool": "touch planted-too"}, {"text": "I tried."}]}]'
  ask 'prompt = "Write something."'
  go
  want 'code == 0' 'verdict == "ok"' 'len(turns) == 3' 'run.files_changed == []' 'len(model.denied) == 2' \
    '"Landlock" in model.sandbox'
  find "$HOME" -name 'planted*' | sed 's/^/was written: /'
}

case_declined_gemini() {
  serve '[{"do": [{"refused_by_model": true}]}]'
  ask 'prompt = "Do evil."'
  go
  want 'code == 1' 'model["class"] == "refused"' '"safety" in error.message' 'len(model.attempts) == 1'
}

# The agent calls the same tool again and again until Gemini stops it.
case_loop_gemini() {
  serve '[{"do": [{"read": "README.md"}]}]'
  ask 'prompt = "Go round."'
  go
  want 'code == 1' 'verdict == "failed"' '"Loop detected" in error.message' 'len(model.attempts) == 1'
}

case_broken_stream_gemini() {
  serve '[{"do": [{"malformed": "{\"candidates\": ["}, {"drop": "I was about to"}, {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "At last."' 'len(paid) == 1' \
    'all(a["class"] == "network" for a in model.attempts[:-1])'
}

# The stream breaks off after a tool. Gemini takes the half answer for a whole one.
case_half_answer_gemini() {
  serve '[{"do": [{"tool": "echo half > half.txt"}, {"drop": "I was about to"}, {"text": "At last."}]}]'
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  go
  want 'code == 0' 'r.text == "At last."' 'len(model.attempts) == 2' 'model.attempts[0]["class"] == "network"' 'r.files == []'
  if [ -e half.txt ]; then echo "half the work was merged"; fi
}

# Gemini echoes its prompt, and exits with what a full pipe has not taken.
case_long_prompt_gemini() {
  serve '[{"do": [{"text": "Read."}]}]'
  ask 'prompt = ("0123456789abcde\n"):rep(27500) .. "!END"'
  go
  want 'code == 0' 'r.text == "Read."' 'len(turns) == 1' 'run.usage.total_tokens == 1050'
}

case_rate_in_other_words_gemini() {
  serve '[{"do": [{"read": "README.md"}, {"status": 429, "message": "slow down please"}, {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'r.text == "At last."' 'len(model.attempts) == 2' 'model.attempts[0]["class"] == "rate"'
}

case_soak_broken_for_ever_gemini() {
  serve '[{"do": [{"drop": "I was about to"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'model["class"] == "network"' 'len(model.attempts) == 3'
}

case_soak_empty_answer_gemini() {
  serve '[{"do": [{"finish": "STOP"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'model["class"] == "network"' '"empty response" in error.message' 'len(model.attempts) == 3'
}

# A fault of this machine is no refusal: the next call tries again at once.
case_setup_gemini() {
  serve '[{"do": [{"text": "Welcome."}]}]'
  unset GEMINI_API_KEY
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'model["class"] == "auth"' 'turns == []'
  moon doctor
  grep -q '"shut"' "$case/out.json" && echo "the account is closed"
  mkdir -p ~/.gemini
  echo 'GEMINI_API_KEY=sk-test-local-0123456789' >~/.gemini/.env
  echo '{"security": {"auth": {"selectedType": "gemini-api-key"}}}' >~/.gemini/settings.json
  moon run "$case/ask.lua" --allow all --runner gemini
  want 'code == 0' 'r.text == "Welcome."' 'len(turns) == 1'
}
