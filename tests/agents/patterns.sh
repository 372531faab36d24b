# Cases of run.sh: each pattern with real agent programs, and reviews whose cited lines are verified.
# shellcheck shell=bash disable=SC2154,SC2034

# rules prints the server's script from lines "WHEN<tab>TOOL<tab>ANSWER" on stdin. For a prompt with WHEN, the model
# calls the shell tool with TOOL (unless empty) and answers ANSWER: a text, or JSON through the CLI's tool for it, if any.
rules() {
  "$python" -c '
import json, sys
made = []
for line in sys.stdin.read().splitlines():
    when, tool, answer = line.split("\t")
    given = {"text": answer}
    if sys.argv[1] == "claude" and answer.startswith("{"):
        given = {"structured": json.loads(answer)}
    made.append({"when": when, "do": ([{"tool": tool}] if tool else []) + [given]})
print(json.dumps(made))' "$runner"
}

# Each writer changes another file, because their changes are merged one after the other.
case_patterns() {
  local issue='{"file": "a.txt", "line": 1, "severity": "high", "claim": "It says a.", "evidence": "begin"'
  local score='{"scores": {"1": {"score": 4, "reason": "r"}, "2": {"score": 8, "reason": "r"}}, "reason": "r"}'
  for name in a fix act green; do echo begin >$name.txt; done && commit files
  serve "$(rules <<END
"judgements"		{"judgements": {"1": {"verdict": "confirmed", "reason": "it is there"}}}
"places"	cat act.txt	{"places": [{"file": "act.txt", "line": 1, "why": "here"}], "how": "h", "constraints": []}
"pass"		{"pass": true, "summary": "s", "problems": []}
"conflicts"		{"text": "whole", "conflicts": []}
"actions"		{"points": ["p"], "sources": [], "disagreements": [], "actions": ["Measure it."]}
"points"		{"points": ["p"], "sources": [], "disagreements": []}
"scores"		$score
"choice"		{"choice": "yes", "reason": "r"}
LENS: Risks	cat a.txt	{"findings": [$issue}]}
LENS: Tests	cat -n a.txt	{"findings": [$issue, "status": "refuted"}]}
LENS: Clarity	cat fix.txt	{"findings": [${issue//a.txt/fix.txt}}]}
LENS: Correctness		{"findings": []}
LENS: speed		{"findings": []}
issues listed below	echo fixed >fix.txt	Fixed.
reaches this goal: act	echo acted >act.txt	Acted.
Produce green	echo green >green.txt	Green.
a refined version		refined
		text
END
  )"
  cat >"$case/patterns.lua" <<'END'
local p, got = m.patterns, {}
local criteria, drafts = { "it is short" }, { "short", "long" }
ctx:parallel({ 1, 2 }, function(c, branch)
  if branch == 1 then
    got.review = p.triangulated_review(c, { artifact = "a.txt", lenses = { "risks", "tests" } })
    got.dry = p.until_dry(c, { artifact = "a.txt", lenses = { "correctness", "speed" } })
    got.vote = p.vote(c, { question = "yes?", choices = { "yes", "no" }, voters = 2 })
    got.panel = p.judge_panel(c, { candidates = drafts, criteria = criteria, judges = 2 })
    got.tournament = p.tournament(c, { candidates = drafts, criteria = criteria })
    got.options = p.options_sprint(c, { goal = "an outline", criteria = criteria })
  else
    got.fixed = p.review_fix(c, { artifact = "fix.txt", scope = "fix.txt", lenses = { "clarity" } })
    got.acted = p.scout_act_verify(c, { goal = "act", scope = "act.txt", checks = { "test:grep -q acted act.txt" } })
    got.split = p.split_sections(c, { task = "t", sections = { { name = "x", text = "x" }, { name = "y", text = "y" } } })
    got.brief = p.research(c, { topic = "t", questions = { "x" } })
    got.green = p.until_green(c, { checks = { "test:grep -q green green.txt" }, scope = "green.txt", goal = "green" })
  end
end)
return got
END
  limit=240 moon run "$case/patterns.lua" --allow all --runner "$runner" --limit 3
  want 'code == 0' 'verdict == "ok"' 'r.review.disagreements == 1' 'r.review.findings[0].verified == "confirmed"' \
    'r.dry.dry and r.dry.rounds == 2' 'r.vote.winner == "yes"' 'r.panel.ranking[0].score == 6' \
    'len(r.panel.tied) == 2' 'r.tournament.winner' 'r.options.text == "refined"' \
    'r.fixed["pass"] and r.fixed.files_changed == ["fix.txt"]' 'r.acted["pass"] and r.acted.files_changed == ["act.txt"]' \
    'r.split.text == "whole"' 'r.brief.next_action == "Measure it."' 'r.green.green and r.green.rounds == 1' \
    'run.usage.input_tokens == 1000 * len(paid)' 'len(models) == 26'
  if ! [ "$(cat fix.txt act.txt green.txt | tr '\n' ' ')" = "fixed acted green " ]; then cat fix.txt act.txt green.txt; fi
}

# A judge that omits a candidate counts as failed, a verifier's "fail" blocks the run, and a check program without a
# grant is refused before an agent is paid.
case_pattern_verdicts_codex() {
  echo begin >act.txt && commit files
  serve "$(rules <<END
"places"		{"places": [], "how": "h", "constraints": []}
"pass"		{"pass": false, "summary": "s", "problems": [{"problem": "it is not done"}]}
"scores"		{"scores": {"1": {"score": 4, "reason": "r"}}, "reason": "r"}
reaches this goal: act	echo acted >act.txt	Acted.
		an option
END
  )"
  moon run options-sprint --goal "an outline" --criteria short --angles a,b,c --runner "$runner"
  want 'code == 4' 'verdict == "degraded"' '[l.branch for l in r.lost] == ["judge"]' 'len(r.options) == 3' 'len(turns) == 5'
  moon run scout-act-verify --goal act --scope act.txt --checks test:true --runner "$runner"
  want 'code == 2' 'e.error.kind == "denied"' 'len(turns) == 5'
  moon run scout-act-verify --goal act --scope act.txt --checks test:true --allow run=true --runner "$runner"
  want 'code == 6' 'verdict == "blocked"' 'not r["pass"]' 'r.problems == ["it is not done"]' 'r.files_changed == ["act.txt"]' \
    '[v.kind for v in run.validation] == ["test", "verdict"]' 'run.validation[1].status == "failed"'
}

# Codex ends before its tool does, and its sandbox leaves empty mount points behind. They do not count as changes.
case_tool_outlives_its_answer_codex() {
  serve '[{"do": [{"tool": "mkdir -p src; echo x >src/x; sleep 6", "arguments": {"yield_time_ms": 1000}}, {"text": "Done."}]}]'
  ask 'prompt = "Sleep.", edits = m.array { "src" }, sandbox = "workspace-write"'
  go
  want 'code == 0' 'run.files_changed == ["src/x"]'
  ls -A | grep -E '^[.](agents|aws|codex)$'
}

# An agent wrote a file and asks a question. Its worktree waits, and the agent continues in it after the answer.
case_question_merges_nothing() {
  serve '[{"when": "Answer: blue", "do": [{"tool": "cat half.txt >whole.txt; echo whole >>whole.txt"}, {"text": "Done."}]},
    {"do": [{"tool": "echo half >half.txt"}, {"text": "I began.\n[QUESTION] Which colour?"}]}]'
  ask 'prompt = "Paint it.", asks = true, sandbox = "workspace-write"'
  go
  want 'code == 3' 'run.files_changed == []'
  [ -z "$(git status --short)" ] || git status --short
  [ "$(grep -c '^+half' .agent/sidecars/t1/attempt-1-changes.patch)" = 1 ] || echo "the patch lacks the work"
  moon answer last blue
  want 'code == 0' 'r.files == ["half.txt", "whole.txt"]' 'run.usage.input_tokens == 4000' 'len(turns) == 4'
  [ "$(cat half.txt whole.txt | tr '\n' ' ')" = "half half whole " ] || cat half.txt whole.txt
}

# The sidecar fails if its agent writes a file outside --edits, and then merges none of its changes.
case_edits_bind_codex() {
  serve '[{"do": [{"tool": "echo note >notes.md; echo more >beside.txt"}, {"text": "Written."}]}]'
  moon run sidecar --prompt "Write a note." --sandbox workspace-write --allow write=. --edits "notes.md only" \
    --task-id s1 --runner "$runner"
  want 'code == 1' 'e.error.message == "the agent changed beside.txt, but may change only notes.md: none of its changes are merged"'
  [ -z "$(git status --short)" ] || git status --short
  [ "$(grep -c '^diff' .agent/sidecars/s1/attempt-1-changes.patch)" = 2 ] || echo "the patch lacks the work"
}

# Runs twenty reviews with each program. Each has one true finding, and one about a file that the agent never opened.
case_soak_citations() {
  mkdir src && "$python" - "$case/rules" <<'END'
import json, sys
def line(part, n): return "  local value_%d_%d = compute(%d, 'part %d')" % (part, n, n * 7, part)
for part in range(10):
    open("src/part%d.lua" % part, "w").write("".join(line(part, n) + "\n" for n in range(1, 41)))
ways = ["cat src/part%d.lua", "cat -n src/part%d.lua; ls src", "sed -n '10,40p' src/part%d.lua", "head -n 40 src/part%d.lua",
        "grep -n value_%d_2 src/*.lua", "cd src && cat part%d.lua"]
with open(sys.argv[1], "w") as out:
    for n in range(20):
        mine, other, at = n % 10, (n + 4) % 10, 20 + n % 10
        found = [{"file": "src/part%d.lua" % part, "line": at, "severity": "high", "claim": "It is wrong.", "evidence": seen}
                 for part, seen in ((mine, line(mine, at).strip()), (other, "the value"))]
        out.write("REVIEW %02d\t%s\t%s\n" % (n, ways[n % len(ways)] % mine, json.dumps({"findings": found})))
END
  commit parts
  serve "$(rules <"$case/rules")"
  cat >"$case/ask.lua" <<'END'
local numbers = {}
for i = 1, 20 do numbers[i] = i - 1 end
return ctx:parallel(numbers, function(c, n)
  local answer = c:agent { prompt = ("REVIEW %02d. Review src/ for mistakes."):format(n), schema = m.findings.schema }
  return m.array { answer.data.findings[1].support, answer.data.findings[2].support }
end, { limit = 3 })
END
  limit=400 moon run "$case/ask.lua" --allow all --runner "$runner"
  want 'code == 0' '[s[0] for s in r] == ["seen"] * 20' '[s[1] for s in r] == ["unsupported"] * 20' 'len(turns) == 40'
}
