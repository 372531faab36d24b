# Defines the cases of run.sh as functions that print faults. Each runs in its own empty folder.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

# Makes a small project with a manifest, its lock file, and tests.
project() {
  repo
  mkdir -p src tests
  printf 'function one() { return 1; }\nmodule.exports = { one };\n' >src/one.js
  printf "test('one', () => expect(require('../src/one').one()).toBe(1));\n" >tests/one.test.js
  printf '{\n  "name": "shop",\n  "dependencies": {\n    "left": "^1.2.0"\n  }\n}\n' >package.json
  printf '{\n  "packages": {\n    "": {\n      "dependencies": {\n        "left": "^1.2.0"\n      }\n    },\n' >package-lock.json
  printf '    "node_modules/left": {\n      "version": "1.2.0"\n    }\n  }\n}\n' >>package-lock.json
  commit base
}

# --- what is reviewed -----------------------------------------------------------------------------

# Plants defects in the index, the work tree, a new file, and the last commit.
everywhere() {
  project
  sed -i 's/return 1/debugger; return 1/' src/one.js && commit 'Last'
  printf 'debugger;\n' >src/staged.js && git add src/staged.js
  printf 'debugger;\n' >>src/one.js
  printf 'debugger;\n' >src/new.js
}

case_default_is_what_is_not_committed() {
  everywhere
  review
  want '{f.file for f in found} == {"src/staged.js", "src/one.js", "src/new.js"}' 'r.checked.kind == "worktree"'
}

case_default_of_a_clean_tree_is_the_last_commit() {
  everywhere
  git reset -q --hard && git clean -qfd
  review
  want '[(f.file, f.line) for f in found] == [("src/one.js", 1)]' 'r.checked.kind == "commit"'
}

case_staged_alone() {
  everywhere
  review --target staged
  want '[f.file for f in found] == ["src/staged.js"]'
}

case_commit_and_range() {
  everywhere
  review --target HEAD
  want '[(f.file, f.line) for f in found] == [("src/one.js", 1)]'
  review --target HEAD~1..HEAD
  want '[(f.file, f.line) for f in found] == [("src/one.js", 1)]'
  review --target HEAD~1
  want 'found == []'
}

case_path_and_glob() {
  everywhere
  review --target src/new.js
  want '[f.file for f in found] == ["src/new.js"]' 'r.checked.files == 1'
  review --target 'src/*.js'
  want '{f.file for f in found} == {"src/new.js", "src/one.js", "src/staged.js"}'
}

case_from_a_subfolder() {
  everywhere
  cd src || return
  review
  want '{f.file for f in found} == {"src/staged.js", "src/one.js", "src/new.js"}'
}

case_nothing_to_review() {
  repo
  review
  want 'code == 0' 'found == []' '"holds no change" in r.next_action'
  review --target HEAD
  want 'code == 2' '"no commit yet" in error.message'
  echo x >a.txt && commit one
  review --target HEAD..HEAD
  want 'code == 0' '"holds no change" in r.next_action'
  review --target nosuch
  want 'code == 2' '"nosuch" in error.message' 'error.hint'
}

case_no_repository() {
  review
  want 'code == 2' '"not a git repository" in error.message' '"git init" in error.hint'
  printf 'x = 1\nbreakpoint()\n' >a.py
  review --target a.py
  want 'code == 0' '[(f.file, f.line) for f in found] == [("a.py", 2)]'
}

case_binary_and_renamed_files() {
  project
  head -c 4000 /dev/urandom >picture.png && commit picture
  head -c 5000 /dev/urandom >picture.png
  git mv src/one.js src/two.js
  printf 'debugger;\n' >>src/two.js
  review
  want '[(f.file, f.line) for f in found] == [("src/two.js", 3)]' 'r.checked.binary == 1'
}

case_hostile_names() {
  project
  printf 'debugger;\n' | tee "$(printf 'src/new\nline.js')" "$(printf 'src/esc\033[31m.js')" 'src/`x`](y)|<b>.js' \
    'src/-rf.js' 'src/$(touch owned).js' "$(printf 'src/bad\377.js')" >/dev/null
  ln -s /etc/passwd src/link.js
  review
  want 'len(found) == 6' 'unverified == []'
  review --target staged
  git add -A
  review --target staged
  want 'len(found) == 6'
  if [ -e owned ]; then echo "a name was run"; fi
  "$moonlet" run triangulated-review 2>/dev/null | LC_ALL=C grep -c "$(printf '\033')" | grep -qx 0 ||
    echo "an escape reached the terminal"
}

case_conflict_in_progress() {
  project
  git checkout -q -b other && sed -i 's/return 1/return 2/' src/one.js && commit two
  git checkout -q main && sed -i 's/return 1/return 3/' src/one.js && commit three
  git merge -q other >/dev/null 2>&1
  review
  want '"conflict-mark" in rules'
}

case_ten_thousand_files() {
  repo
  mkdir src
  for i in $(seq 10000); do echo "exports.n = $i;" >"src/n$i.js"; done
  commit many
  sed -i 's/$/ debugger;/' src/n500.js
  for i in $(seq 501 9000); do echo "// $i" >>"src/n$i.js"; done
  start=$(date +%s)
  review
  want '[(f.file, f.line) for f in found if f.severity == "high"] == [("src/n500.js", 1)]'
  [ $(($(date +%s) - start)) -le 40 ] || echo "it took more than 40 seconds"
}

case_a_line_of_a_hundred_megabytes() {
  repo
  echo base >README.md && commit base
  head -c 100000000 /dev/zero | tr '\0' '(' >big.js
  printf 'debugger;\n' >small.js
  start=$(date +%s)
  review
  want '[f.file for f in found] == ["small.js"]'
  git add -A && git commit -qm big
  review
  want '"small.js" in [f.file for f in found]'
  [ $(($(date +%s) - start)) -le 40 ] || echo "it took more than 40 seconds"
}

# --- lenses ---------------------------------------------------------------------------------------

case_lenses() {
  project
  review --lenses correctnes,risks
  want 'code == 2' '"correctness" in error.hint'
  review --lenses risks
  want 'code == 2' '"at least 2" in error.message'
  review --lenses risks,tests,security,clarity,evidence
  want 'code == 2' '"at most 4" in error.message'
  review --lenses risks,risks
  want 'code != 0' '"twice" in error.message'
  review --lenses 'backward compatibility,evidence quality'
  want 'code == 0' 'r.checked.lenses == ["compatibility", "evidence"]'
  review --lenses risks,tests --need 3
  want 'code != 0' '"--need" in error.message'
  for lens in correctness risks tests clarity consistency evidence practicality accessibility security performance \
    compatibility; do
    review --lenses "$lens,$([ $lens = risks ] && echo tests || echo risks)"
    want 'code == 0'
  done
}

# --- agents ---------------------------------------------------------------------------------------

# Makes a change for agents to review. Their answers are in $case/answers, one file per lens.
asked() {
  project
  printf 'exports.two = (a) => a + 2;\nexports.three = (a) => a + 3;\n' >src/two.js
  commit 'Two and three'
  mkdir -p "$case/answers"
}

# answer LENS reads the answer for a lens from standard input.
answer() { cat >"$case/answers/$1"; }
good() {
  printf '{"findings": [{"file": "src/two.js", "line": %s, "severity": "%s", "claim": "%s", "confidence": %s}]}' "$@"
}
ask() { review --runner "command:reviewer $case/answers" --unconfined "$@"; }

case_agents_get_a_lens_each() {
  asked
  ask --lenses correctness,security --context "It runs on a watch."
  want 'code == 0' 'found == []'
  for lens in correctness security; do
    prompt=$case/answers/prompt-$lens
    [ "$(wc -c <"$prompt")" -lt 12000 ] || echo "the prompt for $lens is long: $(wc -c <"$prompt") bytes"
    for part in "through one lens, $lens," '"findings"' 'exports.two' 'It runs on a watch.' 'git show' 'src/two.js'; do
      grep -qF -- "$part" "$prompt" || echo "the prompt for $lens lacks: $part"
    done
  done
  if grep -q 'Security\. What' "$case/answers/prompt-correctness"; then echo "a prompt holds another lens"; fi
}

case_agents_corroborate_and_rank() {
  asked
  good 1 medium 'two adds to text as if it were a number' 0.6 | answer correctness
  good 1 high 'two adds to text as though it was a number' 0.7 | answer risks
  good 2 high 'nothing tests three' 0.5 | answer tests
  ask
  want 'code == 0' 'len(found) == 2' 'found[0].line == 1' 'found[0].severity == "high"' \
    'found[0].corroborated_by == ["correctness (command)"]' 'found[0].confidence > 0.8' \
    'len(found[0].merged_from) == 1' 'found[1].line == 2' 'r.next_action.count("\n") == 0' \
    'r.next_action.startswith("Fix the high finding at src/two.js:1 first")'
}

case_refuted_and_unverified_stay_apart() {
  asked
  good 1 high 'two adds to text as if it were a number' 0.9 | answer correctness
  printf '{"findings": [
    {"file": "src/two.js", "line": 1, "severity": "high", "claim": "two adds to text as if it were a number", "status": "refuted"},
    {"file": "src/two.js", "line": 2, "severity": "critical", "claim": "three may overflow", "status": "unverified"}]}' |
    answer risks
  ask
  want '[f.line for f in found] == [1]' 'found[0].disputed_by == ["risks (command)"]' \
    '[f.line for f in unverified] == [2]' '[f.line for f in refuted] == [1]' '"src/two.js:1" in r.next_action'
}

# A hostile answer for one lens must not cost the findings of the others.
case_hostile_answers() {
  asked
  good 1 medium 'two adds to text as if it were a number' 0.6 | answer correctness
  good 2 medium 'nothing tests three at all' 0.6 | answer tests
  lose() { # $1 is how often the reviewer is asked
    ask
    want 'code == 4' 'run.verdict == "degraded"' 'sorted(f.line for f in found) == [1, 2]' \
      '[l.review for l in lost] == ["risks"]' 'lost[0].message'
    [ "$(grep -c run "$case/answers/count-risks")" -eq "$1" ] || echo "asked $(grep -c run "$case/answers/count-risks") times"
    rm -f "$case/answers/count-risks"
  }
  head -c 2000 /dev/urandom | answer risks && lose 2
  printf '{"findings": [{"claim": "bad \377\376 bytes"}]}' | answer risks && lose 2
  printf '#!/bin/sh\nexit 3\n' | answer risks && chmod +x "$case/answers/risks" && lose 1
  printf '#!/bin/sh\nkill -9 $$\n' | answer risks && lose 1
  chmod -x "$case/answers/risks"
  python3 -c 'print("{\"findings\":" + "[" * 100000 + "]" * 100000 + "}")' | answer risks && lose 2
  printf '{"findings": "none"}' | answer risks && lose 2
  printf '{"findings": [{"severity": "high"}]}' | answer risks && lose 2
  : | answer risks && lose 2
}

case_odd_answers_that_can_be_read() {
  asked
  good 1 medium 'two adds to text as if it were a number' 0.6 | answer correctness
  keep() { # $1 is the number of findings
    ask
    want 'code == 0' 'lost == []' "len(found) == $1"
  }
  printf '{\r\n"findings": [\r\n{"file": "src/two.js", "line": 2,\r\n"severity": "low", "claim": "three lacks a test"}]}\r\n' |
    answer risks && keep 2
  printf 'Here it is:\n```json\n%s\n```\nThat is all.\n' "$(good '"2-4"' Major 'three lacks a test' '"80%"')" |
    answer risks && keep 2
  want 'found[0].severity == "high"' 'found[0].line == 2' 'found[0].confidence == 0.8'
  printf '[{"file": "./src/two.js:2", "claim": "three lacks a test"}]' | answer risks && keep 2
  want 'sorted(f.line for f in found) == [1, 2]'
  printf '{"findings": [], "notes": ["I read all of it"], "more": {"a": [1]}}' | answer risks && keep 1
}

case_places_that_are_not_there() {
  asked
  good 1 medium 'two adds to text as if it were a number' 0.6 | answer correctness
  printf '{"findings": [
    {"file": "../../etc/passwd", "line": 1, "severity": "critical", "claim": "one leads out of the tree"},
    {"file": "/etc/shadow", "line": 1, "severity": "critical", "claim": "another leads out of it too"},
    {"file": "src/gone.js", "line": 3, "severity": "critical", "claim": "no file has this name"},
    {"file": "src/two.js", "line": 1000000000, "severity": "critical", "claim": "no file is as long as this"},
    {"file": "src/one.js", "line": 99, "severity": "critical", "claim": "this one was not changed and is short"},
    {"file": "src/two.js", "line": 1e300, "severity": "low", "claim": "a line beyond counting"},
    {"file": "src/two.js", "line": -4, "severity": "low", "claim": "less than the first line"},
    {"file": "src/one.js", "line": 1, "severity": "low", "claim": "nobody calls one with its new cousin"},
    {"claim": "![x](http://evil.example/x.png) <script>alert(1)</script> @everyone \\u001b[31m"}]}' | answer risks
  ask
  want 'code == 0' 'len(unverified) == 5' 'all(f.reason for f in unverified)' 'len(found) == 5' \
    'r.next_action.startswith("Fix the medium finding at src/two.js:1")'
  page=$(cat .agent/sidecars/*/findings.md)
  for bad in '](http' ' <script' "$(printf '\033')" ' @everyone'; do
    [[ $page != *"$bad"* ]] || echo "findings.md holds $bad"
  done
}

case_too_few_reviews() {
  asked
  good 1 medium 'two adds to text as if it were a number' 0.6 | answer correctness
  echo nonsense | answer risks
  echo nonsense | answer tests
  ask
  want 'code == 1' 'run.verdict == "failed"' '"1 of 3" in error.message'
  grep -q 'two adds to text' .agent/sidecars/*/findings.md || echo "the one review is lost"
  grep -q 'two adds to text' .agent/sidecars/*/findings.json || echo "the one review is lost in findings.json"
  ask --need 1
  want 'code == 4' 'len(found) == 1' 'len(lost) == 2'
}

case_many_findings() {
  asked
  python3 -c '
import json
print(json.dumps({"findings": [{"file": "src/two.js", "line": 1 + i % 2, "severity": "low",
    "claim": "thing number %d of kind %s" % (i, chr(97 + i % 26) * 7)} for i in range(9999)]}))' | answer risks
  start=$(date +%s)
  ask
  want 'code == 0' 'sum(1 + len(f.merged_from) for f in found) == 9999'
  [ $(($(date +%s) - start)) -le 30 ] || echo "it took more than 30 seconds"
}

case_secrets_stay_out_of_prompts() {
  asked
  key="AKIA$(printf 'Q3EGV7L2TWYKX4NB')"
  printf 'const key = "%s";\nconst db = { password: "Xk93#mQ72vL!" };\n' "$key" >src/keys.js
  ask
  if grep -q -e "$key" -e 'Xk93' "$case"/answers/prompt-*; then echo "a secret stands in a prompt"; fi
  want 'code == 0'
  printf '{"findings": [{"file": "src/keys.js", "line": 1, "claim": "a key", "evidence": "key = %s"}]}' "$key" |
    answer risks
  ask
  want '[f.lens for f in found if "rule" not in f] == ["risks"]'
  if grep -q "$key" .agent/sidecars/*/findings.*; then echo "a reviewer's quotation of a secret was passed on"; fi
}

# --- merging --------------------------------------------------------------------------------------

case_merge() {
  cp "$here/merge.lua" .
  "$moonlet" run merge.lua --json >"$case/out.json" 2>"$case/err.txt" </dev/null
  code=$?
  want 'error and error.message == None or code == 0' 'code == 0 and r.looked > 60'
}
