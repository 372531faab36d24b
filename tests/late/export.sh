#!/usr/bin/env bash
# Opens exported runs in programs that people use for them: Chromium, speedscope, axe-core and
# protobuf's JSON reader. Also kills exports and imports.
#   export.sh MOONLET
# The npm packages are installed once, into ${XDG_CACHE_HOME:-~/.cache}/moonlet-tests/export. Screenshots
# of the pages are saved in $MOONLET_SHOTS, if it is set.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
moonlet=$(realpath "$1")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/moonlet-tests/export
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_STATE_HOME=$work/state HOME=$work/home
shots=${MOONLET_SHOTS:-$work/shots}
mkdir -p "$HOME" "$shots" "$work/repo"
passed=0 failed=0 skipped=0

result() {
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)) && echo "ok $1"; else failed=$((failed + 1)) && echo "FAIL $1"; fi
}
skip() {
  skipped=$((skipped + 1))
  echo "skipped $1: $2"
}

# --- the runs ----------------------------------------------------------------------------------------
cd "$work/repo" || exit 1
git init -q . && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m first
cat >agent <<'X'
#!/bin/sh
said=$(cat)
evil="<img src=x onerror=window.pwned=1></script><script>window.pwned=1;document.title='pwned'</script>"
echo "$evil" >&2
case $said in *write*) echo "$evil" >"new<script>.txt" ;; esac
case $said in *fail*) exit 3 ;; esac
printf '# Answer %s\n\n[link](javascript:pwned=1) <iframe srcdoc="%s"></iframe>\n' "$evil" "$evil"
X
chmod +x agent
cat >plain.lua <<'X'
ctx:phase("look", 2)
ctx:exec { "printf", "one\ntwo\n" }
ctx:exec { "sleep", "0.05" }
ctx:phase("review", 4)
ctx:parallel({ "a.py", "b.py", "c.py", "d.py" }, function(c, file)
  return c:agent { name = "review", prompt = "Review " .. file }.text
end, { key = function(file) return file end })
ctx:phase("check")
ctx:validate { kind = "test", command = "true" }
return { done = true }
X
cat >hostile.lua <<'X'
local evil = "<img src=x onerror=window.pwned=1></script><script>window.pwned=1</script>"
ctx:phase(evil, 3)
ctx:log(evil)
ctx:exec { "printf", "%s", evil }
ctx:parallel({ evil, "b" }, function(c, name)
  return c:agent { name = name .. evil, prompt = evil }.text
end, { key = function(name) return name end, need = 1 })
pcall(function() ctx:agent { name = "fail", prompt = "fail " .. evil } end)
ctx:validate { kind = "lint", command = { "sh", "-c", "echo '<script>window.pwned=1</script>'; exit 1" }, required = false }
return evil
X
cat >large.lua <<'X'
for phase = 1, 10 do
  ctx:phase("phase " .. phase, 500)
  local items = {}
  for i = 1, 500 do items[i] = i end
  ctx:parallel(items, function(c, i) return c:exec { "true" }.code end, { limit = 32 })
end
return "done"
X
run() { "$moonlet" run "$1.lua" --allow all --runner "command:$work/repo/agent ${2:-}" --title "$3" --json >"$work/$1.json" 2>"$work/$1.err"; }
run plain '' 'a plain run'
run hostile '' '<script>window.pwned=1</script>'
run large '' 'ten thousand events'
events=$(wc -l <"$(ls -d .agent/sidecars/large-*)/events.jsonl")
[ "$events" -ge 10000 ]
result "the large run has 10,000 events ($events)" $?
for name in plain hostile large; do
  id=$(grep -o '"id":"R-[0-9]*"' "$work/$name.json" | head -n 1 | cut -d '"' -f 4)
  "$moonlet" export "$id" --as html -o "$work/$name.html" >/dev/null
  result "$name is exported as a page" $?
done
"$moonlet" show 1 | sed -n 's/^head //p' >"$work/plain.head"
"$moonlet" export 1 --as perfetto -o "$work/trace.json" >/dev/null
"$moonlet" export 1 --as otlp --content -o "$work/plain.jsonl" >/dev/null
"$moonlet" export 3 --as otlp -o "$work/large.jsonl" >/dev/null
python3 - "$work/trace.json" >"$work/trace.expected" <<'X'
import json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
slices = [event for event in events if event["ph"] == "X"]
print(json.dumps({"slices": len(slices), "lanes": len({event["tid"] for event in slices})}))
X

# --- the browser -------------------------------------------------------------------------------------
# shellcheck source=tests/late/export/packages.sh
. "$here/export/packages.sh"
why=$(missing)
if [ -n "$why" ]; then
  skip "the pages in Chromium" "$why"
else
  output=$(timeout -k 10 1000 node "$here/export/browser.mjs" "$cache" "$work" "$shots" 2>&1 </dev/null)
  printf '%s\n' "$output" | grep -v ' passed, '
  if [[ ${output##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  else
    result "the browser's suite ends with a count" 1
  fi
fi

# --- spans -------------------------------------------------------------------------------------------
python=
for program in python3 /usr/bin/python3; do
  "$program" -c 'import google.protobuf' 2>/dev/null && python=$program
done
if ! command -v protoc >/dev/null || [ -z "$python" ]; then
  skip "OTLP by protobuf's JSON reader" "protobuf-compiler or python3-protobuf is not installed"
else
  mkdir "$work/protos"
  "$python" -B "$here/export/otlp.py" "$here/../data/opentelemetry-proto" "$work/protos" "$work/plain.jsonl" "$work/large.jsonl"
  result "protobuf's JSON reader reads every line of spans" $?
fi

# --- kills -------------------------------------------------------------------------------------------
# A killed export leaves a complete file or none, and a killed import leaves a complete run or none.
"$moonlet" export 1 --as record -o "$work/whole.record" >/dev/null
"$moonlet" export 3 --as record -o "$work/large.record" >/dev/null
bad=0
# The shell reports each kill on its standard error.
exec 3>&2 2>/dev/null
for i in $(seq 1 50); do
  form=$([ $((i % 2)) = 0 ] && echo html || echo record)
  rm -f "$work/out/"* && mkdir -p "$work/out"
  timeout -s KILL "0.0$((i % 10))$((i % 7))" "$moonlet" export 3 --as "$form" -o "$work/out/file" >/dev/null 2>&1
  [ -e "$work/out/file" ] || continue
  cmp -s "$work/out/file" "$work/large.$form" || { bad=$((bad + 1)) && echo "export $i left another file"; }
done
result "50 kills of an export leave no half file" "$bad"
mkdir "$work/other" && cd "$work/other" && git init -q .
bad=0
for i in $(seq 1 50); do
  timeout -s KILL "0.$((i % 4))$((i % 10))$((i % 7))" "$moonlet" run import "$work/large.record" >/dev/null 2>&1
done
exec 2>&3
"$moonlet" run import "$work/whole.record" >/dev/null || bad=1
"$moonlet" run verify all >"$work/verified" 2>&1 || { bad=1 && cat "$work/verified"; }
left=$(find .agent/imports -mindepth 1 -type d | wc -l)
[ "$left" = 0 ] || { bad=1 && echo "$left folders are left in .agent/imports"; }
result "50 kills of an import leave only whole runs ($(find .agent/runs -name run.json | wc -l))" "$bad"

printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
