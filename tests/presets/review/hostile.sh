# Tests linters that misbehave. The run succeeds, and the findings of other linters and checks
# remain.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

# hostile KIND NAME FILE STATUS [WORD] installs a linter NAME from standard input and runs it on
# FILE. The reason for its failure must contain WORD.
hostile() {
  local kind=$1 name=$2 file=$3 status=$4 word=${5:-}
  mkdir -p "$case/bin"
  cat >"$case/bin/$name"
  chmod +x "$case/bin/$name"
  printf '#!/bin/sh\necho "a.py:1:1: the other linter found this"\nexit 1\n' >"$case/bin/pyflakes3"
  chmod +x "$case/bin/pyflakes3"
  rm -rf .agent "$file"
  printf 'def f():\n    breakpoint()\n' >a.py
  printf 'FROM x\nb: 1\n' >"$file"
  linters=$name,pyflakes
  PATH=$case/bin:$PATH review --linter-timeout "${limit:-20s}"
  {
    want 'code == 0' 'run.verdict == "ok"' 'lost == []' '("a.py", 2, "breakpoint") in [(f.file, f.line, f.rule) for f in found]' \
      '("a.py", 1, "pyflakes") in [(f.file, f.line, f.rule) for f in found]' 'len(text) < 3000000' \
      "[l.status for l in r.checked.linters if l.name == '$name'] == ['$status']" \
      "all('$word' in l.why for l in r.checked.linters if l.name == '$name' and '$word')" \
      'all("/" not in (f.file or "") for f in found)' 'all((f.line or 1) in (1, 2) for f in found)'
    LC_ALL=C grep -q "$(printf '\033')" .agent/sidecars/*/findings.md && echo "an escape reached the page"
    [ -e owned ] && echo "it wrote into the repository"
    [ -e "$HOME/owned" ] && echo "it wrote into the home folder"
  } | sed "s/^/$kind: /"
  rm -f "$case/bin/$name"
}

case_hostile_lines() {
  repo && commit base
  printf '#!/bin/sh\nyes "b.yml:1:1: [error] flood (flood)"\n' | limit=2s hostile flood yamllint b.yml failed
  printf '#!/bin/sh\nprintf "b.yml:1:1: [error] bad \\377\\376 bytes (x)\\n"; exit 1\n' | hostile bytes yamllint b.yml ok
  printf '#!/bin/sh\nprintf "b.yml:1:1: [error] \\033[31mred\\033[0m (x)\\n"; exit 1\n' | hostile escapes yamllint b.yml ok
  printf '#!/bin/sh\nsleep 1000\n' | limit=1s hostile hangs yamllint b.yml failed 'did not finish'
  printf '#!/bin/sh\ntrap "" TERM\nwhile :; do sleep 1; done\n' | limit=1s hostile ignores-TERM yamllint b.yml failed
  printf '#!/bin/sh\nsetsid sleep 4321 & setsid sleep 4321 &\nexit 0\n' | hostile forks yamllint b.yml ok
  pgrep -f 'sleep 4321' >/dev/null && echo "forks: a process is left"
  printf '#!/bin/sh\nkill -SEGV $$\n' | hostile crash yamllint b.yml failed 'signal 11'
  printf '#!/bin/sh\nexit 139\n' | hostile exit-139 yamllint b.yml failed 'exit code 139'
  printf '#!/bin/sh\necho "usage: yamllint" >&2; exit 64\n' | hostile usage yamllint b.yml failed 'usage: yamllint'
  printf '#!/bin/sh\necho all is well; exit 1\n' | hostile nonsense yamllint b.yml failed 'nothing in its output can be read'
  printf '#!/bin/sh\nexit 1\n' | hostile says-nothing yamllint b.yml failed 'named nothing'
  printf '#!/bin/sh\nhead -c 10000000 /dev/zero | tr "\\0" x; exit 1\n' | hostile long-line yamllint b.yml failed 'more than'
  printf '#!/bin/sh\nfor n in -1 0 99999999999999999999 7 1e9; do echo "b.yml:$n:1: [error] line (x)"; done; exit 1\n' |
    hostile odd-lines yamllint b.yml ok
  printf '#!/bin/sh\nfor f in ../x /etc/passwd .git/config a/../../x; do echo "$f:1:1: [error] out (x)"; done; exit 1\n' |
    hostile outside yamllint b.yml ok
  printf '#!/bin/sh\necho x >owned; echo x >"$HOME/owned"; rm -f a.py; echo y >>b.yml; exit 0\n' | hostile writes yamllint b.yml ok
  printf '#!/bin/sh\ncat; read x; exit 0\n' | hostile reads-stdin yamllint b.yml ok
  printf '#!/no/such/interpreter\n' | hostile no-interpreter yamllint b.yml failed
}

case_hostile_json() {
  repo && commit base
  printf '#!/bin/sh\necho "{\\"comments\\": [{\\"file\\": "; exit 1\n' | hostile cut-json shellcheck b.sh failed 'not JSON'
  printf '#!/bin/sh\necho "<html>"; exit 1\n' | hostile html shellcheck b.sh failed 'not JSON'
  printf '#!/bin/sh\necho "[1]"; exit 1\n' | hostile other-json shellcheck b.sh failed 'no list of comments'
  printf '#!/bin/sh\necho "{\\"comments\\": 5}"; exit 1\n' | hostile wrong-type shellcheck b.sh failed 'named nothing'
  printf '#!/bin/sh\necho "{\\"comments\\": [5, {\\"file\\": [], \\"line\\": {}, \\"message\\": 1}]}"; exit 1\n' |
    hostile wrong-fields shellcheck b.sh ok
  printf '#!/usr/bin/env python3\nprint("[" * 100000 + "]" * 100000)\n' | hostile deep shellcheck b.sh failed 'not JSON'
}

case_hostile_sarif() {
  repo && commit base
  sarif() { printf '#!/bin/sh\ncat <<"X"\n%s\nX\nexit 1\n' "$1"; }
  place() { printf '{"physicalLocation": {"artifactLocation": {"uri": "%s"}, "region": {"startLine": %s}}}' "$1" "$2"; }
  sarif '{"runs": [{"results": null}]}' | hostile null-results hadolint Dockerfile failed 'named nothing'
  sarif '{"runs": {"a": 1}}' | hostile runs-as-object hadolint Dockerfile failed 'named nothing'
  sarif '{"version": "2.1.0"}' | hostile no-runs hadolint Dockerfile failed 'not SARIF'
  sarif "{\"runs\": [{\"results\": [{\"ruleId\": \"X\", \"message\": {\"text\": \"out\"}, \"locations\": [$(place ../../etc/passwd 1)]},
    {\"ruleId\": \"X\", \"message\": {\"text\": \"out\"}, \"locations\": [$(place file:///etc/passwd 1)]}]}]}" |
    hostile sarif-outside hadolint Dockerfile ok
  sarif "{\"runs\": [{\"results\": [{\"locations\": [$(place Dockerfile -5)]}, {\"message\": {\"text\": []}, \"ruleIndex\": -7,
    \"locations\": [$(place Dockerfile 1e300)]}, {\"level\": {}, \"ruleId\": 5, \"message\": \"x\", \"locations\": [$(place Dockerfile 1)]}]}]}" |
    hostile sarif-odd-fields hadolint Dockerfile ok
  printf '#!/usr/bin/env python3\nimport json\nprint(json.dumps({"runs": [{"results": [{"ruleId": "R%%d" %% i, "message": {"text": "t"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "Dockerfile"}, "region": {"startLine": 1}}}]} for i in range(9000)]}]}))\n' |
    hostile sarif-many hadolint Dockerfile failed 'more than 1000 findings'
}
