# The cases of run.sh: functions that print what is wrong. Each runs with codex and claude in $runner, and with the
# runners that share it (see gemini.sh). A case whose name ends with a runner's name runs only with that runner.
# shellcheck shell=bash disable=SC2154,SC2034

# --- answers -----------------------------------------------------------------------------------------

case_answer() {
  serve '[{"do": [{"text": "All is well."}]}]'
  ask 'prompt = "How is it?"'
  go --model mock-2
  want 'code == 0' 'verdict == "ok"' 'r.text == "All is well."' 'len(turns) == 1' 'turns[0].model == "mock-2"' \
    'run.usage.input_tokens == 1000' 'run.usage.cached_input_tokens == 200' 'run.usage.output_tokens == 50' \
    'run.usage.total_tokens == 1050' 'model.usage == run.usage' 'model.runner == "'"$runner"'"' \
    'model.status == "ok"' 'len(model.attempts) == 1' 'model.denied == []'
  if [ "$runner" != claude ]; then
    want 'run.usage.reasoning_output_tokens == 10' 'run.usage.cost_usd is None'
  else
    want 'run.usage.cost_is == "reported"' 'run.usage.cost_usd > 0'
  fi
}

# The findings are returned unchanged, whether the agent prints them as JSON or uses its tool for structured output.
findings='{"findings": [{"file": "README.md", "line": 1, "severity": "low", "claim": "It says little."}]}'
case_schema() {
  local reply='{"text": '$("$python" -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$findings")'}'
  if [ "$runner" = claude ]; then reply='{"structured": '$findings'}, {"text": "Done."}'; fi
  serve '[{"do": ['"$reply"']}]'
  ask 'prompt = "Review it.", schema = m.findings.schema'
  go
  want 'code == 0' 'verdict == "ok"' 'len(r.data.findings) == 1' 'r.data.findings[0].claim == "It says little."' \
    'len(model.attempts) == 1'
}

shape='{ type = "object", required = { "n" }, properties = { n = { type = "integer" } } }'
case_schema_repaired() {
  serve '[{"do": [{"text": "Let me think."}, {"text": "{\"n\": 7}"}]}]'
  ask "prompt = 'How many?', schema = $shape"
  go
  # Claude itself asks its model once more before it gives up.
  want 'code == 0' 'verdict == "ok"' 'r.data.n == 7' 'model.attempts[-1].status == "ok"' 'len(turns) == 2' \
    'len(model.attempts) == (1 if model.runner == "claude" else 2)' 'run.usage.input_tokens == 2000' '"Let me think." in open(os.environ["case"] + "/server/request-2.json").read()'
}

case_empty_answer() {
  serve '[{"do": [{"text": ""}]}]'
  ask 'prompt = "How is it?"'
  go
  want 'code == 0' 'r.text == ""' 'any("empty" in w for w in model.warnings)'
}

case_schema_never_met() {
  serve '[{"do": [{"text": "Let me think."}]}]'
  ask "prompt = 'How many?', schema = $shape"
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "invalid-output"' 'len(model.attempts) == 2' \
    'len(turns) <= 4' 'run.usage.input_tokens == 1000 * len(paid)' 'model.usage.input_tokens == 1000 * len(paid)'
}

case_declined() {
  serve '[{"do": [{"tool": "echo new > new.txt"}, {"refused_by_model": true}]}]'
  ask 'prompt = "Do evil.", sandbox = "workspace-write"'
  go
  # Codex reports the refusal only in its log.
  want 'code == 1' 'model["class"] == "refused"' 'len(turns) == 2' 'run.files_changed == []' 'run.usage.input_tokens == 2000'
  if [ -e new.txt ]; then echo "half the work was merged"; fi
}

# --- what agents may do ------------------------------------------------------------------------------

case_read_only() {
  serve '[{"do": [{"tool": "touch planted; touch .git/planted; touch .agent/planted; touch ~/planted; echo tried"},
    {"tool": "git diff --output=planted-too HEAD~1"},
    {"text": "I tried."}]}]'
  ask 'prompt = "Write something."'
  go
  want 'code == 0' 'verdict == "ok"' 'len(turns) == 3' 'run.files_changed == []' 'run.usage.input_tokens == 3000'
  find "$HOME" -name 'planted*' | sed 's/^/was written: /'
  git status --porcelain | sed 's/^/changed: /'
  if [ "$runner" = claude ]; then
    want 'len(model.denied) >= 1' 'model.denied[0].tool == "Bash"' \
      '"could not open" in str(turns[2].results) and "Permission denied" in str(turns[2].results)'
  else
    want '"Read-only file system" in str(turns[1].results)'
  fi
}

# The limits also hold if only the host's sandbox enforces them, and not the agent program's own.
case_read_only_by_the_host() {
  serve '[{"do": [{"tool": "git diff --output=planted HEAD~1; git status --short"}, {"tool": "touch planted-too"},
    {"text": "I tried."}]}]'
  ask 'prompt = "Write something.", confine = "host"'
  go
  want 'code == 0' 'verdict == "ok"' 'len(turns) == 3' '"Landlock" in model.sandbox'
  if [ "$runner" = codex ]; then want '"Permission denied" in str(turns[1].results)' '"Permission denied" in str(turns[2].results)'; fi
  find "$HOME" -name 'planted*' | sed 's/^/was written: /'
}

# Checks the table of instruction files in presets/RUNNING.md. A read-only agent gets the project's file at HEAD, and a
# writer with `instructions = true` also gets the user's file. Each file appears once in the requests. Files of the work
# tree, of other folders or for other agents, and files named by the project's settings, do not appear.
heard() { cat "$case"/server/request-*.json | grep -o 'HEARD-[a-z-]*' | sort | uniq -c | awk '{print $1 "x" $2}' | tr '\n' ' '; }
forget_requests() { rm -f "$case"/server/request-*.json; }
case_instructions() {
  local name own turns read='{"tool": "cat sub/file.txt"}, '
  case $runner in
    codex) name=agents own=.codex/AGENTS.md read= ;;
    claude) name=claude own=.claude/CLAUDE.md read='{"read": "'$PWD'/sub/file.txt"}, ' ;;
    gemini) name=gemini own=.gemini/GEMINI.md read='{"read": "sub/file.txt"}, ' ;;
    opencode) name=agents own=.config/opencode/AGENTS.md read='{"read": "sub/file.txt"}, ' ;;
  esac
  serve '[{"do": ['"$read"'{"text": "Read."}]}]'
  mkdir -p sub .gemini .opencode ~/.codex ~/.claude ~/.gemini ~/.config/opencode
  local one file
  for one in agents claude gemini; do
    file=${one^^}.md
    echo "HEARD-project-$one" >"$file"
    echo "HEARD-nested-$one" >"sub/$file"
    echo "HEARD-above-$one" >"$HOME/$file"
  done
  echo HEARD-context | tee CONTEXT.md AGENTS.override.md CLAUDE.local.md .opencode/AGENTS.md >/dev/null
  echo 'some file' >sub/file.txt
  echo '{"context": {"fileName": ["CONTEXT.md"]}, "hooksConfig": {"enabled": true}, "hooks": {"BeforeAgent": [{"matcher": "*",
    "hooks": [{"type": "command", "name": "planted", "command": "touch '"$case"'/hooked"}]}]}}' >.gemini/settings.json
  commit instructions
  for one in agents claude gemini; do echo "HEARD-later-$one" >>"${one^^}.md"; done
  echo HEARD-user-codex >~/.codex/AGENTS.md
  echo HEARD-user-claude >~/.claude/CLAUDE.md
  echo HEARD-user-gemini >~/.gemini/GEMINI.md
  echo HEARD-user-opencode >~/.config/opencode/AGENTS.md

  ask 'prompt = "How is it?"'
  go
  want 'code == 0' 'r.text == "Read."'
  turns=2
  if [ "$runner" = codex ]; then turns=1; fi
  # opencode has no option to ignore the instruction files of a folder in which it reads.
  local nested=
  if [ "$runner" = opencode ]; then nested='1xHEARD-nested-agents '; fi
  if [ "$(heard)" != "$nested${turns}xHEARD-project-$name " ]; then echo "a reader hears $(heard)"; fi
  grep -q "instructions of the project at HEAD.*${name^^}.md.*$(git show "HEAD:${name^^}.md" | sha256sum | head -c 12)" \
    .agent/sidecars/t1/input-manifest.md || echo "they are not on record: $(cat .agent/sidecars/t1/input-manifest.md)"
  if [ -n "$nested" ]; then
    grep -q "by itself.*sub/AGENTS.md" .agent/sidecars/t1/input-manifest.md || echo "sub/AGENTS.md is not on record"
  fi

  forget_requests
  obey '[{"do": [{"text": "Written."}]}]'
  sed -i "s/ $runner = {/ $runner = { instructions = true,/" "$XDG_CONFIG_HOME/moonlet/config.lua"
  ask 'prompt = "Write.", sandbox = "workspace-write"'
  moon run "$case/ask.lua" --allow all --runner "$runner" --task-id t2
  want 'code == 0' 'r.text == "Written."'
  if [ "$(heard)" != "1xHEARD-project-$name 1xHEARD-user-$runner " ]; then echo "a writer hears $(heard)"; fi
  grep -q "instructions of the user.*~/$own.*$(sha256sum <"$HOME/$own" | head -c 12)" .agent/sidecars/t2/input-manifest.md ||
    echo "the user's are not on record: $(cat .agent/sidecars/t2/input-manifest.md)"
  if [ -e "$case/hooked" ]; then echo "a hook of the project was run"; fi
}

# Codex runs with another home, so that it does not read the user's AGENTS.md. It still finds the user's login there, and
# a renewed login is saved in the user's home.
case_login_renewed_codex() {
  serve '[{"do": [{"text": "Hello."}]}]'
  mkdir -p ~/.codex
  "$python" -B "$here/server.py" --login >~/.codex/auth.json
  echo HEARD >~/.codex/AGENTS.md
  sed -i 's/env_key="LOCAL_API_KEY"/requires_openai_auth=true/; s/"LOCAL_API_KEY"/"CODEX_REFRESH_TOKEN_URL_OVERRIDE"/' \
    "$XDG_CONFIG_HOME/moonlet/config.lua"
  export CODEX_REFRESH_TOKEN_URL_OVERRIDE=http://127.0.0.1:$(cat "$case/server/port")/oauth/token
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'r.text == "Hello."' 'turns[0].key.startswith("Bearer ey")' \
    'len([call for call in calls if call.get("path") == "/oauth/token"]) == 1'
  grep -q '"renewed"' ~/.codex/auth.json || echo "the renewed login is lost: $(cat ~/.codex/auth.json)"
  if [ -L ~/.codex/auth.json ]; then echo "the login is a link"; fi
  if grep -q HEARD "$case/server/request-1.json"; then echo "it read the user's AGENTS.md"; fi
}

# The agent gets copies of its two input files, and cannot read other files of the user.
case_inputs() {
  mkdir docs && echo 'how to' >docs/guide.md && echo 'the combination is 4711' >private.txt && commit more
  serve '[{"do": [{"tool": "ls -R; wc -l README.md docs/guide.md; pwd"}, {"tool": "ls '"$HOME"'/project; wc -c '"$HOME"'/project/private.txt"},
    {"text": "Read."}]}]'
  ask 'prompt = "Read.", inputs = { "README.md", "docs/guide.md" }'
  go
  want 'code == 0' 'verdict == "ok"' 'len(turns) == 3' '"guide.md" in str(turns[1].results)' \
    '"private.txt" not in str(turns[1].results)' '"24 " not in str(turns[2].results[-1])' '"Landlock" in model.sandbox'
}

# This case proves that the case above tests anything: without the sandbox, all of these files can be written.
case_writes_in_a_worktree() {
  serve '[{"do": [{"tool": "mkdir src; echo new > src/new.txt; echo more >> README.md; touch ~/planted; pwd"},
    {"text": "Written."}]}]'
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  go
  want 'code == 0' 'verdict == "ok"' 'sorted(r.files) == ["README.md", "src/new.txt"]' \
    'sorted(run.files_changed) == ["README.md", "src/new.txt"]' 'model.files_changed == r.files' \
    'os.environ["case"] + "/home/project" not in str(turns[1].results)'
  if [ "$(cat src/new.txt)" != new ]; then echo "src/new.txt was not brought back"; fi
  if [ "$(tail -n 1 README.md)" != more ]; then echo "README.md was not brought back"; fi
  if [ -e ~/planted ]; then echo "it could write outside"; fi
  if [ "$(git worktree list | grep -vc /pool-)" != 1 ]; then git worktree list; fi
}

case_write_tool_claude() {
  serve '[{"do": [{"write": "notes.txt", "text": "by the tool"}, {"text": "Written."}]}]'
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  go
  want 'code == 0' 'r.files == ["notes.txt"]'
  if [ "$(cat notes.txt)" != "by the tool" ]; then echo "notes.txt was not brought back"; fi
}

case_failed_writer_leaves_nothing() {
  serve '[{"do": [{"tool": "echo new > new.txt"}, {"status": 400, "message": "no"}]}]'
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "refused"' 'run.files_changed == []'
  git status --porcelain | sed 's/^/changed: /'
  if [ "$(git worktree list | grep -vc /pool-)" != 1 ]; then git worktree list; fi
}

case_tool_leaves_a_process() {
  serve '[{"do": [{"tool": "setsid sleep 600 >/dev/null 2>&1 & (trap \"\" TERM; sleep 601) >/dev/null 2>&1 & echo started"},
    {"text": "Done."}]}]'
  ask 'prompt = "Start something.", sandbox = "workspace-write"'
  go
  want 'code == 0' 'verdict == "ok"' '"started" in str(turns[1].results)'
  nothing_left
}

case_secrets() {
  serve '[{"do": [{"tool": "env; cat /proc/[0-9]*/environ 2>/dev/null | tr \"\\\\0\" \"\\\\n\" | grep -c \"^HOME=\""},
    {"text": "I saw sk-test-local-0123456789."}]}]'
  ask 'prompt = "Look.", sandbox = "workspace-write"'
  SECRET_TOKEN=tok-6f1c9a0b77e24d go
  want 'code == 0' 'len(turns) == 2' '"HOME=" in str(turns[1].results)' '"SECRET_TOKEN" not in str(turns[1].results)'
  grep -rlsF tok-6f1c9a0b77e24d .agent "$case/out.json" "$case/err.txt" "$case/server" | sed 's/^/the secret stands in /'
  grep -rlsF "$LOCAL_API_KEY" .agent "$case/out.json" "$case/err.txt" | sed 's/^/the key stands in /'
  want 'r.text.startswith("I saw [redacted:")'
  if [ "$runner" = codex ]; then want '"LOCAL_API_KEY" not in str(turns[1].results)'; fi
}

# --- failures of the provider --------------------------------------------------------------------------

case_rate_once() {
  serve '[{"do": [{"status": 429, "message": "Rate limit reached for requests", "type": "rate_limit_error"},
    {"status": 429, "message": "Rate limit reached for requests", "type": "rate_limit_error"}, {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "At last."' 'len(turns) == 3' 'len(paid) == 1' \
    'model.attempts[-1].status == "ok"' 'all(a["class"] == "rate" for a in model.attempts[:-1])' 'len(model.attempts) >= 2'
}

case_rate_with_retry_after() {
  serve '[{"do": [{"status": 429, "headers": {"retry-after": "1"}, "message": "Rate limit reached for requests"},
    {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'r.text == "At last."' 'len(turns) == 2' 'len(paid) == 1' 'turns[1].at - turns[0].at >= 0.95'
}

case_rate_for_ever() {
  serve '[{"do": [{"status": 429, "message": "Rate limit reached for requests", "type": "rate_limit_error"}]}]'
  ask 'prompt = "Hello", retry = 3'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "rate"' 'len(model.attempts) == 3' \
    'len(turns) <= 6' 'len(paid) == 0' '"tried 3 times" in error.message'
}

# A rate limit hits many agents at once. They wait together, with growing delays, until the limit is over. An agent
# whose timeout is shorter than the wait fails.
case_rate_burst_codex() {
  serve '[{"for": 15, "do": [{"status": 429, "message": "Rate limit reached for requests", "type": "rate_limit_error"}]},
    {"do": [{"text": "At last."}]}]'
  cat >"$case/ask.lua" <<'END'
return ctx:parallel({ "a", "b", "c", "d", "e", "f" }, function(c, name)
  return c:agent { name = name, prompt = "Hello" }.text
end)
END
  go
  want 'code == 0' 'verdict == "ok"' 'r == ["At last."] * 6' 'len(paid) == 6' 'len(turns) - len(paid) <= 36'
  obey '[{"do": [{"status": 429, "message": "Rate limit reached for requests", "type": "rate_limit_error"}]}]'
  ask 'prompt = "Hello", timeout = "5s"'
  moon run "$case/ask.lua" --allow all --runner "$runner"
  want 'code == 1' 'models["ask"]["class"] == "rate"' 'took < 30000'
}

case_server_error_once() {
  serve '[{"do": [{"status": 500, "message": "It broke"}, {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'r.text == "At last."' 'len(turns) == 2' 'len(paid) == 1'
}

case_soak_server_error_for_ever() {
  serve '[{"do": [{"status": 500, "message": "It broke"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "network"' 'len(model.attempts) == 3' 'len(turns) <= 12'
}

case_connection_refused() {
  serve '[]'
  stop_server
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "network"' 'len(model.attempts) == 3' 'took < 90000'
}

# Codex silently waits as long as the provider asks, here an hour. The host ends it and retries the step.
case_soak_rate_for_an_hour() {
  serve '[{"do": [{"status": 429, "headers": {"retry-after": "3600"}, "message": "Rate limit reached for requests",
    "type": "rate_limit_error"}]}]'
  ask 'prompt = "Hello", idle = "15s", retry = 3'
  go
  if [ "$runner" = codex ]; then
    want 'code == 1' 'model["class"] == "rate"' '"429" in error.message' 'len(model.attempts) == 3' \
      '"tried 3 times" in error.message' 'took < 90000' 'len(turns) == 3'
  else
    want 'code == 1' 'model["class"] == "rate"' 'len(turns) <= 6'
  fi
}

case_context_too_long() {
  serve '[{"do": [{"status": 400, "code": "context_length_exceeded", "type": "invalid_request_error",
    "message": "prompt is too long: 250000 tokens > 200000 maximum. Your input exceeds the context window of this model."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "context"' 'len(model.attempts) == 1'
}

case_bad_request() {
  serve '[{"do": [{"status": 400, "message": "This model does not exist", "type": "invalid_request_error"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'model["class"] == "refused"' 'len(model.attempts) == 1' 'len(turns) <= 2'
}

case_no_key() {
  serve '[{"do": [{"text": "Who are you?"}]}]'
  unset LOCAL_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "auth"' 'turns == []' 'len(model.attempts) == 1'
}

case_forbidden() {
  serve '[{"do": [{"status": 403, "message": "Forbidden by policy", "type": "permission_error"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 1' 'model["class"] == "auth"' 'len(turns) <= 2' 'len(model.attempts) == 1'
}

# The agents run one after the other. The login of the first is refused, and the others are not started.
case_login_refused() {
  serve '[{"do": [{"status": 401, "message": "Incorrect API key provided", "type": "authentication_error"}]}]'
  cat >"$case/ask.lua" <<'END'
return ctx:parallel({ "a", "b", "c" }, function(c, name)
  local ok, err = pcall(c.agent, c, { name = name, prompt = "Hello" })
  return ok and "answered" or err.class .. ": " .. err.message
end)
END
  go --limit 1
  want 'len(r) == 3' 'all(text.startswith("auth: ") for text in r)' '"was not started" in r[1] and "was not started" in r[2]' \
    'len(turns) <= 2' 'len(models["parallel/1/a"].attempts) == 1' 'len(models["parallel/2/b"].attempts) == 0'
  local before
  before=$(wc -l <"$case/server/calls.jsonl")
  # Later runs are refused too, until the API key has changed.
  ask 'prompt = "Hello"'
  moon run "$case/ask.lua" --allow all --runner "$runner"
  want 'code == 1' 'verdict == "failed"' '"was not started" in error.message'
  if [ "$(wc -l <"$case/server/calls.jsonl")" != "$before" ]; then echo "it was asked again"; fi
  obey '[{"do": [{"text": "Welcome."}]}]'
  LOCAL_API_KEY=sk-test-other-123456789 ANTHROPIC_API_KEY=sk-test-other-123456789 GEMINI_API_KEY=sk-test-other-123456789 \
    moon run "$case/ask.lua" --allow all --runner "$runner"
  want 'code == 0' 'r.text == "Welcome."'
}

# The agents run in parallel. All are started at once with a refused login, and none is retried.
case_login_refused_to_three() {
  serve '[{"do": [{"status": 401, "message": "Incorrect API key provided", "type": "authentication_error"}]}]'
  cat >"$case/ask.lua" <<'END'
return ctx:parallel({ "a", "b", "c" }, function(c, name) return c:agent { name = name, prompt = "Hello" }.text end)
END
  go
  want 'code == 1' 'verdict == "failed"' 'error.message' 'len(turns) <= 6' 'all(len(m.attempts) <= 1 for m in models.values())'
}

# used_up SECONDS prints a provider's error for a used-up quota, which resets after that time.
used_up() {
  if [ "$runner" = codex ]; then
    printf '{"status": 429, "message": "The usage limit has been reached", "type": "usage_limit_reached", '
    printf '"fields": {"plan_type": "plus", "resets_at": "+%s", "resets_in_seconds": %s}}' "$1" "$1"
  else
    printf '{"status": 429, "message": "This request would exceed your rate limit.", "type": "rate_limit_error", '
    printf '"headers": {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "+%s", ' "$1"
    printf '"anthropic-ratelimit-unified-representative-claim": "five_hour"}}'
  fi
}

# Only accounts have such quotas, so Claude logs in with an OAuth token instead of an API key.
by_account() {
  if [ "$runner" = claude ]; then
    unset ANTHROPIC_API_KEY
    export CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-test-0123456789
  fi
}

# Codex prints the reset time without seconds, so the host waits until the end of that minute.
case_quota() {
  local after=6
  if [ "$runner" = codex ]; then after=2; fi
  serve "[{\"for\": $after, \"do\": [$(used_up $after)]}, {\"do\": [{\"text\": \"Here again.\"}]}]"
  by_account
  ask 'prompt = "Hello"'
  go
  want 'code == 75' 'verdict == "quota"' 'len(turns) <= 2' 'model["class"] == "quota"' 'error.kind == "quota"'
  nothing_left
  limit=150 moon run wait R-001
  want 'code == 0' 'verdict == "ok"' 'len(paid) == 1' 'model.status == "ok"' 'len(turns) <= 3' \
    "turns[-1].at - turns[0].at > $after" 'len(model.attempts) == 2'
}

case_quota_without_a_time() {
  serve '[{"do": [{"status": 429, "message": "You exceeded your current quota, please check your plan and billing details.",
    "type": "insufficient_quota", "code": "insufficient_quota"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 75' 'verdict == "quota"' 'len(turns) <= 2' 'len(model.attempts) == 1'
}

case_quota_of_money() {
  serve '[{"do": [{"status": 400, "message": "Your credit balance is too low to access the API.", "type": "invalid_request_error"}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 75' 'verdict == "quota"' 'model["class"] == "quota"' 'len(turns) == 1' 'len(model.attempts) == 1'
}

# --- time ----------------------------------------------------------------------------------------------

case_hang() {
  serve '[{"do": [{"hang": true}]}]'
  ask 'prompt = "Hello", idle = "8s"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "timeout"' 'took < 30000' 'len(model.attempts) == 1' \
    'len(turns) <= 1'
  nothing_left
}

case_soak_hang_in_the_answer() {
  serve '[{"do": [{"stall": "I was about to"}]}]'
  ask 'prompt = "Hello", timeout = "8s"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "timeout"' 'took < 30000' 'len(turns) <= 1'
  nothing_left
}

case_hang_in_a_tool() {
  serve '[{"do": [{"tool": "sleep 611"}, {"text": "Done."}]}]'
  ask 'prompt = "Hello", timeout = "8s", sandbox = "workspace-write"'
  go
  want 'code == 1' 'verdict == "failed"' 'model["class"] == "timeout"' 'took < 30000'
  nothing_left
}

case_malformed_stream() {
  serve '[{"do": [{"malformed": "{\"type\": \"response.output_item.done\", \"item\": {"}, {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "At last."' 'len(paid) == 1'
}

case_soak_malformed_for_ever() {
  serve '[{"do": [{"malformed": "nonsense"}]}]'
  ask 'prompt = "Hello"'
  go
  if [ "$runner" = codex ]; then
    want 'code == 1' 'verdict == "failed"' 'model["class"] == "network"' 'len(model.attempts) == 3'
  else
    # Claude retries once without streaming.
    want 'code == 0' 'r.text == "whole"' 'run.usage.output_tokens >= 50'
  fi
}

case_dropped_stream() {
  serve '[{"do": [{"drop": "I was about to"}, {"text": "At last."}]}]'
  ask 'prompt = "Hello"'
  go
  want 'code == 0' 'verdict == "ok"' 'r.text == "At last."' 'len(paid) == 1'
}

# --- interruptions ---------------------------------------------------------------------------------------

interrupted_during() {
  serve "[{\"do\": [$1, {\"text\": \"Done.\"}]}]"
  ask 'prompt = "Hello", sandbox = "workspace-write"'
  start run "$case/ask.lua" --allow all --runner "$runner" --task-id t1
  until_true 30 turns 1
  sleep "${2:-0.5}"
  kill -INT "$host"
  ended 5
  want 'code == 130' 'verdict == "cancelled"' 'took < 5000'
  nothing_left
  if [ "$(git worktree list | grep -vc /pool-)" != 1 ]; then git worktree list; fi
}

case_interrupted_while_it_waits() { interrupted_during '{"hang": true}'; }
case_interrupted_in_a_tool() { interrupted_during '{"tool": "(setsid sleep 621 &) ; trap \"\" INT TERM; sleep 622"}' 3; }

# Host and keeper are killed at the same moment. The next command ends the remaining processes, in any session.
case_all_killed_then_swept() {
  serve '[{"do": [{"tool": "(setsid sleep 631 >/dev/null 2>&1 &) ; sleep 632"}, {"text": "Done."}]}]'
  ask 'prompt = "Hello", sandbox = "workspace-write"'
  start run "$case/ask.lua" --allow all --runner "$runner" --task-id t1
  until_true 30 turns 1
  sleep 2
  local pids=() pid
  for pid in $(processes); do
    if is_moonlet "$pid"; then pids+=("$pid"); fi
  done
  kill -9 "${pids[@]}"
  ended 5
  if [ "${#pids[@]}" != 3 ]; then echo "${#pids[@]} processes of moonlet, not 3"; fi
  moon ps
  want 'code == 0'
  nothing_left
}

case_host_killed() {
  serve '[{"do": [{"after": 4, "text": "All the same."}]}]'
  ask 'prompt = "Hello"'
  start run "$case/ask.lua" --allow all --runner "$runner" --task-id t1
  until_true 30 turns 1
  kill -9 "$host"
  ended 5
  moon run resume R-001
  want 'code == 0' 'verdict == "ok"' 'r.text == "All the same."' 'len(turns) == 1' 'len(paid) == 1' \
    'len(model.attempts) == 1' 'model.usage.input_tokens == 1000'
  # A second resume asks no agent.
  moon run resume R-001
  want 'code == 0' 'len(turns) == 1'
}

case_host_killed_and_the_agent_ends() {
  serve '[{"do": [{"after": 2, "text": "All the same."}]}]'
  ask 'prompt = "Hello"'
  start run "$case/ask.lua" --allow all --runner "$runner" --task-id t1
  until_true 30 turns 1
  kill -9 "$host"
  ended 5
  until_true 20 nobody
  moon run resume R-001
  want 'code == 0' 'verdict == "ok"' 'r.text == "All the same."' 'len(turns) == 1' 'len(paid) == 1' 'took < 5000'
}

case_host_killed_while_it_writes() {
  serve '[{"do": [{"tool": "echo new > new.txt; sleep 4"}, {"text": "Written."}]}]'
  ask 'prompt = "Write something.", sandbox = "workspace-write"'
  start run "$case/ask.lua" --allow all --runner "$runner" --task-id t1
  until_true 30 turns 1
  sleep 2
  kill -9 "$host"
  ended 5
  moon run resume R-001
  want 'code == 0' 'verdict == "ok"' 'r.files == ["new.txt"]' 'len(turns) == 2' 'len(paid) == 2'
  if [ "$(cat new.txt)" != new ]; then echo "new.txt was not brought back"; fi
  if [ "$(git worktree list | grep -vc /pool-)" != 1 ]; then git worktree list; fi
}

# --- prompts -----------------------------------------------------------------------------------------------

case_prompts() {
  serve '[{"do": [{"text": "Read."}]}]'
  cat >"$case/ask.lua" <<'END'
local prompts = {
  meta = [[$(touch planted) `touch planted`; touch planted & | > planted "it's" \ %s %n ${HOME} !! * ~ #]] .. "\n\ttab",
  dash = "--dangerously-skip-permissions -p --help",
  nul = "two \0 parts", scripts = "Zażółć gęślą jaźń — 漢字 🙂 \u{200b}\u{feff}end",
  large = ("0123456789abcde\n"):rep(1 << 16):sub(1, -2) .. "!",
}
local names = { "meta", "dash", "scripts", "nul", "large" }
local sums = {}
for _, name in ipairs(names) do sums[name] = prompts[name] end
local answers = ctx:parallel(names, function(c, name)
  return c:agent { name = name, prompt = prompts[name] }.text
end, { settle = true })
prompts.large = nil
local said = {}
for i, name in ipairs(names) do said[name] = answers[i].ok and answers[i].value or answers[i].error.message end
return { prompts = prompts, said = said }
END
  go
  want 'all(r.said[name] == "Read." for name in ("meta", "dash", "scripts", "nul"))'
  if [ "$runner" = codex ]; then
    want 'code == 0' 'len(turns) == 5' 'r.said.large == "Read."'
  else
    # Claude itself measures the last prompt, and sends no request because it is too long.
    want 'code == 4' 'len(turns) == 4' '"too long" in r.said.large' 'models["parallel/5/large"]["class"] == "context"'
  fi
  "$python" "$here/check.py" --prompts "$case" "$([ "$runner" = claude ] || echo large)"
  find "$HOME" -name planted | sed 's/^/was made: /'
}

case_prompts_refused() {
  serve '[{"do": [{"text": "Read."}]}]'
  cat >"$case/ask.lua" <<'END'
local long = ("0123456789abcdef"):rep(1 << 16)
local prompts = { ["bytes \xff\xfe"] = "UTF", [long .. long:rep(10)] = "", ["  \n"] = "empty" }
local said = {}
for prompt in pairs(prompts) do
  local ok, err = pcall(ctx.agent, ctx, { prompt = prompt })
  said[#said + 1] = { ok = ok, kind = not ok and err.kind or nil, message = not ok and err.message or nil }
end
return said
END
  go
  want 'len(r) == 3' 'not any(s.ok for s in r)' 'all(s.kind == "invalid" for s in r)' 'turns == []'
}
