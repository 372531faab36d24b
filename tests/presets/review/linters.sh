# Tests real linters. A linter that is not installed is skipped with a message.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

# Makes a change for each linter that Debian packages, with old faults above and new faults below.
faulty() {
  repo
  printf '#!/bin/sh\nrm -rf $1/*\n\n\n\n\n\n\necho done\n' >run.sh
  printf 'import os\n\n\n\n\n\n\n\n\ndef f():\n    return 1\n' >names.py
  printf 'a:  1\n\n\n\n\n\n\n\n\nb: 2\n' >conf.yml
  printf 'int old(void) {\n  int a[2];\n  return a[2];\n}\n\n\n\n\n\n\nint f(void);\n' >list.c
  printf 'local old = 1\n\n\n\n\n\n\n\n\nreturn {}\n' >list.lua
  commit base
  sed -i 's/^echo done/for f in $(ls); do\n  echo $f\ndone/' run.sh
  sed -i 's/^    return 1/    return undefined_name/' names.py
  sed -i 's/^b: 2/b: 2\nb: 3/' conf.yml
  printf 'int g(int n) {\n  int b[2] = {0, 0};\n  b[2] = n;\n  return b[0];\n}\n' >>list.c
  sed -i 's/^return {}/local new = 2\nprnt(1)\nreturn {}/' list.lua
}

# by_hand LINTER COMMAND… compares the linter's findings on touched lines with those of the plain
# command, whose output lines begin with FILE:LINE.
by_hand() {
  local name=$1 program=$2
  shift
  command -v "$program" >/dev/null || { echo "$program is not installed" >&2; return 0; }
  git diff -U0 | awk '/^\+\+\+ b\//{f=substr($2,3)} /^@@/{split(substr($3,2),r,","); n=r[2]==""?1:r[2];
    for(i=0;i<n;i++) print f":"r[1]+i}' >"$case/touched"
  "$@" 2>&1 | sed -n 's/^\([^:]*:[0-9]*\):.*/\1/p' | grep -xFf "$case/touched" | sort >"$case/hand"
  linters=$name
  review
  want 'code == 0' "[(l.name, l.status) for l in r.checked.linters] == [('$name', 'ok')]"
  python3 - "$case/out.json" "$name" <<'P' | sort >"$case/moonlet"
import json, sys
for f in json.load(open(sys.argv[1]))["result"]["findings"]:
    if f.get("rule", "").startswith(sys.argv[2]):
        for item in [f] + f["merged_from"]:
            print("%s:%s" % (item["file"], item["line"]))
P
  [ -s "$case/hand" ] || echo "$name by hand finds nothing"
  diff "$case/hand" "$case/moonlet" || echo "$name differs"
}

case_shellcheck_as_by_hand() { faulty && by_hand shellcheck shellcheck -f gcc run.sh; }
case_pyflakes_as_by_hand() { faulty && by_hand pyflakes pyflakes3 names.py; }
case_yamllint_as_by_hand() {
  faulty && by_hand yamllint yamllint -f parsable -d '{extends: relaxed, rules: {line-length: disable}}' conf.yml
}
case_cppcheck_as_by_hand() {
  faulty && by_hand cppcheck cppcheck -q --enable=warning,performance,portability --template=gcc --template-location= list.c
}
case_luacheck_as_by_hand() { faulty && by_hand luacheck luacheck --no-config --formatter plain --std max list.lua; }

# An unstaged edit moves staged lines to other line numbers.
case_lines_of_staged_changes() {
  command -v pyflakes3 >/dev/null || return 0
  faulty
  git add -A
  sed -i '1i # a comment' names.py
  linters=pyflakes
  review
  want '[(f.file, f.line) for f in found if f.rule == "pyflakes"] == [("names.py", 12)]'
  review --whole
  want 'sorted(f.line for f in found if f.rule == "pyflakes") == [2, 12]'
  review --target staged
  want '"names.py" not in [f.file for f in found]' '"1 reviewed file has another text: it was not linted" in " ".join(r.checked.notes)'
}

case_a_commit_is_linted_where_the_work_tree_has_it() {
  command -v pyflakes3 >/dev/null || return 0
  faulty
  commit change
  linters=pyflakes
  review
  want '[(f.file, f.line) for f in found if f.rule == "pyflakes"] == [("names.py", 11)]'
  echo '# later' >>names.py
  review --target HEAD
  want '[f for f in found if f.rule == "pyflakes"] == []' '[(l.name, l.status) for l in r.checked.linters] == [("pyflakes", "idle")]'
}

case_linters_by_name() {
  faulty
  for linters in none shellcheck shellcheck,pyflakes; do
    review
    want "[l.name for l in r.checked.linters] == [n for n in '$linters'.split(',') if n != 'none']"
  done
  linters=default
  review
  want '{"shellcheck", "pyflakes", "gitleaks"} < {l.name for l in r.checked.linters}' \
    '"eslint" not in [l.name for l in r.checked.linters]'
  linters=all
  review
  want '{"eslint", "tsc", "clippy", "mypy"} < {l.name for l in r.checked.linters}' 'code == 0'
  linters=shelcheck
  review
  want 'code == 2' '"shellcheck" in error.hint'
}

case_a_linter_that_is_not_installed_is_named() {
  faulty
  printf 'x = 1\n' >new.py
  mkdir "$case/few"
  for name in git sh bash env tee python3; do ln -s "$(command -v $name)" "$case/few/$name"; done
  linters=default
  PATH=$case/few review
  want 'code == 0' 'run.verdict == "ok"' '{l.status for l in r.checked.linters} == {"absent", "idle"}'
  page=$(cat .agent/sidecars/*/findings.md)
  [[ $page == *"Not installed: shellcheck, pyflakes, yamllint"* ]] || echo "findings.md names no linter: $page"
  PATH=$case/few "$moonlet" run triangulated-review --format github 2>err >/dev/null </dev/null
  grep -q '^Checked: .*Not installed: shellcheck' err || echo "standard error does not say what was checked: $(cat err)"
}

case_a_named_linter_must_be_installed() {
  faulty
  mkdir "$case/few"
  for name in git sh bash env tee python3; do ln -s "$(command -v $name)" "$case/few/$name"; done
  linters=default,shellcheck
  PATH=$case/few review
  want 'code == 1' '"shellcheck is not installed" in error.message' 'error.at is None'
}

case_suppressions_and_settings_are_named() {
  faulty
  printf 'import os  # %s\n' noqa >quiet.py
  echo 'disable=all' >.shellcheckrc
  review
  want 'sorted((s.file, s.line, s.what) for s in r.checked.silenced) == [(".shellcheckrc", None, "settings"), ("quiet.py", 1, "# noqa")]' \
    '"silences linters" in " ".join(r.checked.notes)'
}

case_a_report_in_sarif() {
  faulty
  cp "$here/../../data/linters/gitleaks.sarif" "$case/repo/report.sarif"
  review --findings report.sarif
  want '[(f.rule, f.file, f.line, f.severity) for f in found] == [("sarif-gitleaks-aws-access-token", "names.py", 11, "high")]' \
    '[(l.name, l.status, l.findings, l.elsewhere) for l in r.checked.linters] == [("report.sarif", "ok", 1, 2)]'
  echo '{}' >report.sarif
  review --findings report.sarif
  want 'code == 0' 'r.checked.linters[0].status == "failed"' '"not SARIF" in r.checked.linters[0].why'
}

# Replaces linters that are not installed by programs that print the samples of their documentation.
case_documented_samples() {
  faulty
  mkdir -p "$case/bin" .github/workflows
  printf 'FROM debian\nRUN cd /tmp\n' >Dockerfile
  printf 'on: push\njobs: {}\n' >.github/workflows/ci.yml
  printf '{}\n' >tsconfig.json && printf 'let a: number = "x";\nlet b = 1;\n' >a.ts
  echo 'export default []' >eslint.config.js
  for name in ruff hadolint actionlint gitleaks eslint tsc mypy; do
    sample=$(echo "$here/../../data/linters/$name".*)
    printf '#!/bin/sh\ncat "%s"\nexit 1\n' "$sample" >"$case/bin/$name"
    chmod +x "$case/bin/$name"
  done
  linters=ruff,hadolint,actionlint,gitleaks,eslint,tsc,mypy
  PATH=$case/bin:$PATH review
  want 'code == 0' '{l.status for l in r.checked.linters} == {"ok"}' \
    '("Dockerfile", 2, "hadolint-DL3003") in [(f.file, f.line, f.rule) for f in found]' \
    '("names.py", 11, "ruff-F821") in [(f.file, f.line, f.rule) for f in found]' \
    '("names.py", 11, "gitleaks-aws-access-token", "critical") in [(f.file, f.line, f.rule, f.severity) for f in found]' \
    '("names.py", 11, "mypy-name-defined") in [(f.file, f.line, f.rule) for f in found]' \
    '("a.ts", 1, "tsc-TS2322", "high") in [(f.file, f.line, f.rule, f.severity) for f in found]' \
    '("a.ts", 2, "eslint-no-unused-vars", "medium") in [(f.file, f.line, f.rule, f.severity) for f in found]' \
    '(".github/workflows/ci.yml", 2, "actionlint-syntax-check") in [(f.file, f.line, f.rule) for f in found]'
}

case_findings_are_facts_for_agents() {
  command -v pyflakes3 >/dev/null || return 0
  faulty
  mkdir -p "$case/answers"
  printf '{"findings": [{"file": "names.py", "line": 11, "severity": "high", "claim": "undefined name undefined_name raises NameError", "confidence": 0.8}]}' |
    answer risks
  linters=pyflakes
  ask
  want 'code == 0' '[len(f.corroborated_by) for f in found if f.line == 11 and f.file == "names.py"] == [1]'
  grep -q "names.py:11 pyflakes: undefined name 'undefined_name'" "$case/answers/prompt-risks" ||
    echo "the prompt lacks what the linter found"
}

# Luacheck must not report globals that the project's settings or test runner define, nor matters of
# style.
case_luacheck_without_noise() {
  repo
  printf 'return {}\n' >m.lua
  commit base
  printf 'it("adds", function()\n  local ok, err = pcall(print)\n  local ok, err = pcall(print, err)  \n  assert.is_true(ok, err)\nend)\n' >m_spec.lua
  printf 'local function f()\n  slip = vim.fn\nend\nreturn f\n' >m.lua
  mkdir presets
  printf 'return m.preset { name = "x", run = function() return ctx:read(args[1]) .. mine end }\n' >presets/x.lua
  linters=luacheck
  review
  want '[(f.rule, f.file, f.line) for f in found if f.file == "m_spec.lua"] == []' \
    '[f.claim for f in found if f.file == "presets/x.lua"] == ["accessing undefined variable \x27mine\x27"]'
  rm presets/x.lua
  echo 'globals = {"vim"}' >.luacheckrc
  review
  want '[(f.rule, f.file, f.line) for f in found if f.rule != "code-without-tests"] == [("luacheck-W111", "m.lua", 2)]'
}

# A glob also matches a leading dot, and a script without an extension is recognised by its first
# line.
case_files_of_other_names() {
  repo
  printf 'x: 1\n' >.travis.yml
  printf '#!/bin/sh\ntrue\n' >"Running nvm v1.0"
  commit base
  printf 'x: 1\nx: 2\n' >.travis.yml
  printf '#!/bin/sh\nrm -rf $1/*\n' >"Running nvm v1.0"
  linters=yamllint,shellcheck
  review
  want '{f.file for f in found} == {".travis.yml", "Running nvm v1.0"}'
}

case_eslint_without_settings_says_so() {
  repo
  printf 'let a = 1\n' >a.js
  commit base
  printf 'let b = 2\n' >>a.js
  linters=eslint
  review
  want 'code == 0' 'r.checked.linters[0].status == "failed"' '"it needs one of eslint.config.js" in r.checked.linters[0].why'
}
