# The cases of run.sh: functions that print what is wrong. They stand in an empty folder of their own.
# shellcheck shell=bash disable=SC2154

# --- planted defects ------------------------------------------------------------------------------

case_planted_change() {
  repo
  cp -r "$here/planted/before/." . && commit before
  cp -r "$here/planted/after/." .
  key="AKIA$(printf 'Q3EGV7L2TWYKX4NB')"
  sed -i "s/@AWS_KEY@/$key/" config/app.yaml
  commit after
  cp "$here/planted/planted.tsv" "$case/expected.tsv"
  review --target HEAD --lenses correctness,risks,tests,security
  found 0.95 1
  if grep -rq "$key" .agent; then echo "the planted secret stands in an artifact"; fi
}

case_planted_variants() {
  repo
  echo base >README.md && commit base
  plant "$here/defects.txt"
  review --target HEAD
  found 0.95 25
}

case_planted_in_the_work_tree() {
  repo
  echo base >README.md && commit base
  plant "$here/defects.txt"
  git reset -q HEAD~1
  review
  found 0.95 25
  want 'r.checked.kind == "worktree"'
}

case_look_alikes() {
  repo
  plant "$here/lookalikes.txt"
  echo >>README.md && commit 'Touch'
  for lenses in correctness,risks,tests,security clarity,consistency,evidence,practicality \
    accessibility,performance,compatibility; do
    review --target HEAD~1 --lenses $lenses
    want '[(f.rule, f.file, f.line) for f in found] == []'
  done
}

# Code that looks like a planted defect, and is meant.
case_look_alikes_of_leftovers() {
  repo
  echo base >README.md && commit base
  mkdir src
  printf 'function stop(streaming, done) {\n  if (streaming !== false && !done) {\n    return 1;\n  }\n' >src/a.js
  printf '  if (done == false && streaming) {\n    return 2;\n  }\n  return 0;\n}\nmodule.exports = stop;\n' >>src/a.js
  printf 'import pdb\n\n\nclass Shell(pdb.Pdb):\n    prompt = "> "\n' >src/shell.py
  commit 'Add a shell'
  review --target HEAD --lenses correctness,risks,clarity,consistency
  want '[f.rule for f in found if f.rule in ("dead-condition", "breakpoint")] == []'
  printf 'if (false && ready()) {\n  go();\n}\nif (a || false && b) {\n  go();\n}\n' >src/b.js
  printf 'import pdb\n\n\ndef f():\n    pdb.set_trace()\n' >src/f.py
  commit 'Add defects'
  review --target HEAD --lenses correctness,risks,clarity,consistency
  want 'sorted((f.rule, f.file, f.line) for f in found if f.rule in ("dead-condition", "breakpoint")) == [
    ("breakpoint", "src/f.py", 1), ("breakpoint", "src/f.py", 5), ("dead-condition", "src/b.js", 1),
    ("dead-condition", "src/b.js", 4)]'
}

# Code of other people that rules once took for a defect.
case_look_alikes_of_defects() {
  repo
  mkdir src tests && echo 'def test_a(): assert True' >tests/test_a.py
  printf 'def lint(session):\n    session.run("x")\n\n\ndef docs(session):\n    session.run("y")\n' >noxfile.py
  printf 'module x\n\nexclude (\n\texample.org/a v0.1.0\n)\n\nrequire example.org/a v1.0.0\n' >go.mod
  echo 'example.org/a v1.0.0 h1:x=' >go.sum
  commit base
  printf 'int f(int a) {\n  int r;\n  if (a > 9) ; // too much\n   else return a;\n  r=+1;\n  r=-1;\n  return r;\n}\n' >src/a.c
  printf '#!/bin/sh\nif [ -z $CI ]; then\n  ./check\nfi\n' >run.sh
  sed -i 's/v0.1.0/v0.2.0/' go.mod
  rm noxfile.py
  commit 'Change it'
  review --target HEAD --lenses correctness,risks,compatibility,tests
  want '[(f.rule, "is empty" in f.claim) for f in found if "tests" not in f.rule] == [("unquoted-test", False)]'
  printf 'int f(int a, int b) {\n  int r;\n  if (a > 9) ;\n    return a;\n  r =+ b;\n  return r;\n}\n' >src/a.c
  sed -i 's/a v1.0.0/a v1.1.0/' go.mod
  commit 'Break it'
  review --target HEAD --lenses correctness,risks,compatibility
  want 'sorted(f.rule for f in found) == ["empty-body", "manifest-without-lock", "wrong-operator"]'
}

case_a_secret_is_mended_by_where_it_is() {
  repo
  echo base >README.md && commit base
  printf 'key = "AKIA%s"\n' Q3EGV7L2TWYKX4NB >app.py
  git add -A
  review --lenses security,risks
  want '["before you commit" in f.fix for f in found if f.rule == "secret"] == [True]'
  commit 'Add a key'
  review --target HEAD --lenses security,risks
  want '["in the history now" in f.fix for f in found if f.rule == "secret"] == [True]'
  review --target app.py --lenses security,risks
  want '["if it was ever committed" in f.fix for f in found if f.rule == "secret"] == [True]'
}

case_a_note_of_an_old_file_is_not_new() {
  repo
  printf '# %s: the rest\nx = 1\n' TODO >old.py && commit base
  review --target old.py --lenses clarity,practicality
  want '[f.claim for f in found if f.rule == "todo-added"] == ["A TODO says that something is not finished."]'
}

case_a_picture_in_a_heading_is_no_letter_of_its_anchor() {
  repo
  printf '# Page\n\n- [News](#-news)\n- [Old](#old)\n\n## \xf0\x9f\x86\x95 News\n' >page.md && commit base
  review --target page.md --lenses correctness,risks
  want '[f.line for f in found if f.rule == "broken-anchor"] == [4]'
}

# A small project with a manifest, its lock file, and tests.
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

case_lock_without_manifest() {
  project
  sed -i 's/"left": "^1.2.0"/"left": "^1.2.0",\n        "right": "^3.0.0"/' package-lock.json
  commit 'Add right'
  review
  want '[f.line for f in found if f.rule == "lock-without-manifest"] == [6]'
}

case_lock_updated_alone_is_a_question() {
  project
  sed -i 's/"version": "1.2.0"/"version": "1.2.1"/' package-lock.json
  commit 'Update left'
  review
  want 'found == []' '[f.rule for f in unverified] == ["lock-without-manifest"]' '"unverified" in r.next_action'
}

case_lock_with_other_code() {
  project
  sed -i 's/"version": "1.2.0"/"version": "1.2.1"/' package-lock.json
  echo '// more' >>src/one.js
  commit 'Say more'
  review
  want 'rules == ["lock-without-manifest"]'
}

case_manifest_without_lock() {
  project
  sed -i 's/"left": "^1.2.0"/"left": "^1.2.0",\n    "right": "^3.0.0"/' package.json
  commit 'Add right'
  review
  want '[(f.file, f.line) for f in found if f.rule == "manifest-without-lock"] == [("package.json", 5)]'
}

case_code_without_tests() {
  project
  printf '\nfunction half(n) {\n  if (n %% 2) {\n    throw new Error("odd");\n  }\n  return n / 2;\n}\n' >>src/one.js
  commit 'Halve'
  review
  want '[f.file for f in found if f.rule == "code-without-tests"] == ["src/one.js"]'
  printf "test('half', () => expect(require('../src/one').half(2)).toBe(1));\n" >>tests/one.test.js
  commit 'Test half'
  review --target HEAD~2..HEAD
  want 'found == []'
}

case_executable_data() {
  project
  chmod +x package.json
  commit 'Modes'
  review
  want '[(f.rule, f.file) for f in found] == [("odd-mode", "package.json")]'
}

# --- what is reviewed -----------------------------------------------------------------------------

# Defects in the index, in the work tree, in a new file, and in the last commit.
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

case_clean_change_says_what_was_checked() {
  project
  printf '// a word\n' >>src/one.js && commit 'A word'
  review
  want 'found == []' 'r.checked.files == 1' 'r.checked.added == 1' 'r.checked.rules > 50' '"no agent read this" in r.next_action'
  page=$(cat .agent/sidecars/*/findings.md)
  [[ $page == *"no findings"* ]] || echo "findings.md does not say that there are none"
  [[ $page == *"Checked: 1 file (+1 -0 lines); lenses correctness, risks, tests; by "*" patterns, no agent read this."* ]] ||
    echo "findings.md does not say what was checked"
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
  want '"conflict-marker" in rules'
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

case_lines_that_patterns_choke_on() {
  repo
  echo base >README.md && commit base
  python3 - <<'P'
pieces = ["(", " ", "a", "=", "a=", '"', "if (", "SELECT a FROM ", 'exec("', "rm -rf ", "a.b,", "chmod 7", 'x = "', "f(a,"]
for ending in ["js", "py", "go", "c", "rb", "rs", "java", "sh", "md"]:
    with open("n." + ending, "w") as file:
        for piece in pieces:
            for length in (990, 3990):
                file.write((piece * 4000)[:length] + "\n\n")
with open("z.js", "w") as file:
    file.write("debugger;\n")
P
  start=$(date +%s)
  review
  want '"z.js" in [f.file for f in found]' 'lost == []' 'r.checked.notes == []'
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

# A change that agents review: the answers lie in $case/answers, by lens.
asked() {
  project
  printf 'exports.two = (a) => a + 2;\nexports.three = (a) => a + 3;\n' >src/two.js
  commit 'Two and three'
  mkdir -p "$case/answers"
}

# answer LENS < text
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

case_agents_with_rules_beside_them() {
  asked
  printf 'debugger;\n' >>src/two.js && commit 'Stop'
  good 2 low 'a debugger statement was left in the code' 0.5 | answer risks
  ask --rules --target HEAD
  want '"breakpoint" in rules' 'r.checked.rules > 50'
  ask --target HEAD
  want '"breakpoint" not in rules' 'r.checked.rules is None'
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

# A hostile answer of one lens must never cost the findings of the others.
case_hostile_answers() {
  asked
  good 1 medium 'two adds to text as if it were a number' 0.6 | answer correctness
  good 2 medium 'nothing tests three at all' 0.6 | answer tests
  lose() { # why it is lost
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
  keep() { # the number of findings
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
  want 'len(found) == 1'
  if grep -q "$key" .agent/sidecars/*/findings.*; then echo "a reviewer's quotation of a secret was passed on"; fi
}

# --- merging --------------------------------------------------------------------------------------

case_merge() {
  cp "$here/merge.lua" .
  "$moonlet" run merge.lua --json >"$case/out.json" 2>"$case/err.txt" </dev/null
  code=$?
  want 'error and error.message == None or code == 0' 'code == 0 and r.looked > 60'
}
