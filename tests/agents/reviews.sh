# Cases of run.sh in which three agents review in parallel. run.sh and cases.sh define the helper functions.
# shellcheck shell=bash disable=SC2154,SC2034

# finding LINE CLAIM [SECONDS] prints a reviewer's answer with one finding, which the server delays.
finding() {
  local after=', "after": '${3:-0} given='{"findings": [{"file": "src/a.js", "line": '$1', "severity": "high", "claim": "'$2'", "evidence": "the line", "fix": "change it", "confidence": 0.9}]}'
  if [ "$runner" = claude ]; then
    printf '[{"structured": %s%s}, {"text": "Done."}]' "$given" "$after"
  else
    printf '[{"text": %s%s}]' "$("$python" -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$given")" "$after"
  fi
}

# reviewed CORRECTNESS RISKS TESTS runs triangulated-review with these answers of its three reviewers.
to_review() {
  mkdir -p src && printf 'one\ntwo\nthree\n' >src/a.js && commit change
  serve "[{\"when\": \"one lens, correctness\", \"do\": $1}, {\"when\": \"one lens, risks\", \"do\": $2},
    {\"when\": \"one lens, tests\", \"do\": $3}]"
}
reviewed() {
  to_review "$@"
  moon run triangulated-review --runner "$runner" --task-id t1
}

no='[{"status": 400, "message": "no", "type": "invalid_request_error"}]'

case_review() {
  reviewed "$(finding 1 'The first line is wrong.' 4)" "$(finding 1 'The first line is wrong.' 4)" "$(finding 3 'Nothing tests it.' 4)"
  want 'code == 0' 'verdict == "ok"' 'len(turns) == 3' 'len(paid) == 3' \
    'sorted(f.line for f in r.findings) == [1, 3]' 'any(f.corroborated_by for f in r.findings)' 'r.lost == []' \
    'run.usage.input_tokens == 3000' 'turns[2].at < ends[0].at' 'len(run.steps) >= 3'
}

case_review_one_fails() {
  reviewed "$(finding 1 'The first line is wrong.')" "$no" "$(finding 3 'Nothing tests it.')"
  want 'code == 4' 'verdict == "degraded"' 'len(r.findings) == 2' 'len(r.lost) == 1' '"risks" in str(r.lost[0])' \
    'sum("risks" in m.step for m in models.values()) == 1' '[(d.succeeded, d.total) for d in record.degraded] == [(2, 3)]'
}

case_review_two_fail() {
  reviewed "$(finding 1 'The first line is wrong.')" "$no" "$no"
  want 'code == 1' 'verdict == "failed"' '"1 of 3" in error.message' 'len(paid) == 1'
}

case_review_all_quota() {
  local after=9
  if [ "$runner" = codex ]; then after=5; fi
  mkdir -p src && printf 'one\n' >src/a.js && commit change
  serve "[{\"for\": $after, \"do\": [$(used_up $after)]}, {\"when\": \"one lens, tests\", \"do\": $(finding 3 'Untested.')},
    {\"when\": \"one lens, risks\", \"do\": $(finding 1 'Wrong.')}, {\"do\": $(finding 1 'Wrong.')}]"
  by_account
  moon run triangulated-review --runner "$runner" --task-id t1
  want 'code == 75' 'verdict == "quota"' 'len(paid) == 0' 'len(turns) <= 6'
  limit=150 moon run wait R-001
  want 'code == 0' 'verdict == "ok"' 'len(turns) - len(paid) <= 6' "turns[-1].at - turns[0].at > $after" \
    'len({t.reply.get("text") or str(t.reply.structured) for t in turns if "status" not in t.reply}) >= 2'
}

case_review_host_killed() {
  to_review "$(finding 1 'The first line is wrong.' 4)" "$(finding 1 'The first line is wrong.' 1)" "$(finding 3 'Nothing tests it.' 2)"
  start run triangulated-review --runner "$runner" --task-id t1
  until_true 30 turns 3
  sleep 0.5
  kill -9 "$host"
  ended 5
  moon run resume R-001
  want 'code == 0' 'verdict == "ok"' 'len(turns) == 3' 'len(paid) == 3' 'sorted(f.line for f in r.findings) == [1, 3]' \
    'run.usage.input_tokens == 3000'
}

# The host is killed repeatedly at random moments, and no answer is requested twice.
case_soak_killed_at_random() {
  local round id tries finished=0
  to_review '[{"text": "x"}]' '[{"text": "x"}]' '[{"text": "x"}]'
  for round in 1 2 3 4 5 6 7 8; do
    obey "[{\"when\": \"one lens, correctness\", \"do\": $(finding 1 "Wrong $round." 2)},
      {\"when\": \"one lens, risks\", \"do\": $(finding 1 "Wrong $round." 0)}, {\"do\": $(finding 3 "Untested $round." 1)}]"
    start run triangulated-review --runner "$runner" --task-id "t$round"
    for tries in 1 2 3 4; do
      sleep "$((RANDOM % 3)).$((RANDOM % 10))"
      kill -9 "$host" 2>/dev/null
      ended 5
      if ! [ -e ".agent/sidecars/t$round" ]; then break; fi
      id=$(basename "$(dirname "$(grep -ls "\"t$round\"" .agent/runs/*/run.json)")")
      if [ "$tries" -lt 4 ]; then start run resume "$id"; fi
    done
    if [ "$tries" -lt 4 ]; then continue; fi
    moon run resume "$id"
    finished=$((finished + 1))
    want 'code == 0' "len(turns) == 3 * $finished" 'len(paid) == len(turns)'
    nothing_left
  done
}
