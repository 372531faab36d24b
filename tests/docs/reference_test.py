#!/usr/bin/env python3
"""Compares the reference with the program: names and fields both ways, calls, examples, and the checked-in page.

    reference_test.py MOONLET [WORD]

MOONLET is the executable. With WORD only checks whose name has it run. The last line is the count.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import calls

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOONLET = os.path.abspath(sys.argv[1])
WORD = sys.argv[2] if len(sys.argv) > 2 else ""
AGENT = os.path.join(ROOT, "tests/docs/agent")
BUILTIN_TYPES = {"any", "nil", "boolean", "string", "integer", "number", "table", "function", "userdata", "fun",
                 "self", "true", "false", "T", "R", "A", "B", "C", "thread"}
# The groups of names that PROBES can reach. Add a new group to PROBES.
PROBES = """
local found = {}
local function names_of(t)
  local ok, err = pcall(function() return t.zzzzzzzzzzzz end)
  local list = {}
  if ok then for k in pairs(t) do list[#list + 1] = k end return list end
  for name in (err.hint or ""):gsub("^known are: ", ""):gmatch("[%w_]+") do list[#list + 1] = name end
  return list
end
local function add(name, value) found[#found + 1] = { name = name, type = type(value) } end
local seen = {}
local function walk(t, prefix, deep)
  for _, name in ipairs(names_of(t)) do
    local ok, value = pcall(function() return t[name] end)
    if ok and not seen[value] then
      if type(value) == "function" then seen[value] = true end
      local full = prefix .. "." .. name
      if type(value) == "table" and deep[full] then walk(value, full, deep) else add(full, value) end
    end
  end
end
local deep = {}
for _, name in ipairs(args) do deep[name] = true end
walk(m, "m", deep)
add("m.asset", m.asset)
for name in pairs(deep) do
  if name:find "^moonlet%." then
    local ok, module = pcall(require, name)
    if ok then walk(module, name, deep) else add(name, nil) end
  end
end
for _, name in ipairs(names_of(ctx)) do
  local value = ctx[name]
  add((type(value) == "function" and "ctx:" or "ctx.") .. name, value)
end
for _, name in ipairs(names_of(ctx.budget)) do add("ctx.budget:" .. name, ctx.budget[name]) end
local task = ctx:spawn("task", function() end)
for _, name in ipairs(names_of(task)) do add("task:" .. name, task[name]) end
task:join()
return found
"""


class Failed(Exception):
    pass


def moonlet(*words, cwd=None, code=0):
    """Runs moonlet and returns its output. `code` is the required exit code, or a tuple of allowed ones."""
    run = subprocess.run([MOONLET, *words], cwd=cwd, capture_output=True, text=True, timeout=300)
    if run.returncode not in (code if isinstance(code, tuple) else (code,)):
        raise Failed(f"moonlet {' '.join(words)[:200]} ended with {run.returncode}\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
    return run.stdout


def reference():
    return json.loads(moonlet("doc", "--json"))["result"]["entries"]


class Repository:
    """Makes a fresh repository with two files in src/, one of them changed, and the prompt file of a preset."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="moonlet-docs.")
        os.makedirs(self.path + "/src")
        self.write("src/a.lua", "local x = 1\nlocal y = 2\nreturn x\n")
        self.write("src/b.lua", "return 2\n")
        self.write("scripts/prompt.md", "Read {{file}}.\n")
        for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
            subprocess.run(["git", *words], cwd=self.path, check=True)
        self.write("src/a.lua", "local x = 1\nlocal y = 3\nreturn x\n")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def write(self, name, text):
        os.makedirs(os.path.dirname(f"{self.path}/{name}"), exist_ok=True)
        with open(f"{self.path}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def script(self, text, *words, code=0):
        self.write("scripts/script.lua", text)
        out = moonlet("run", "scripts/script.lua", "--json", *words, cwd=self.path, code=code)
        return json.loads(out)


def registered():
    modules = sorted("moonlet." + name[:-4] for name in os.listdir(ROOT + "/stdlib")
                     if name.endswith(".lua") and name not in ("init.lua", "preset.lua"))
    tables = {name for entry in reference() for name in [re.match(r"(m\.\w+)\.", entry["name"])] if name}
    tables = sorted({match[1] for match in tables})
    with Repository() as repository:
        result = repository.script(PROBES, "--", *tables, *modules)["result"]
    return {item["name"]: item["type"] for item in result}


def names_have_annotations():
    documented = {entry["name"] for entry in reference() if entry["kind"] != "type"} - {"ctx", "m", "args"}
    names = set(registered())
    # Tables of data are copied, so a field of a required module is not identical to the field of m. Ignore those.
    names -= {name for name in names if name.startswith("moonlet.") and "m." + name[8:] in names}
    missing = sorted(names - documented)
    gone = sorted(documented - names)
    if missing or gone:
        raise Failed("".join(f"{name} is registered and has no annotation in stdlib\n" for name in missing)
                     + "".join(f"{name} has an annotation and is not registered\n" for name in gone))


# Each call passes an unknown key to a function that rejects unknown keys. The error's hint lists the known keys.
RECORDS = {
    "moonlet.AgentCall": "ctx:agent { KEY }", "moonlet.CallBudget": "ctx:agent { prompt = 'x', budget = { KEY } }",
    "moonlet.FanOutOptions": "ctx:parallel({}, print, { KEY })", "moonlet.AnyOptions": "ctx:any({}, print, { KEY })",
    "moonlet.ScopeOptions": "ctx:scope({ KEY }, print)", "moonlet.Limits": "ctx:scope({ budget = { KEY } }, print)",
    "moonlet.StepInput": "ctx:step('a', { KEY }, print)", "moonlet.ExecCall": "ctx:exec { 'true', KEY }",
    "moonlet.SessionCall": "ctx:session { 'true', KEY }",
    "moonlet.SendOptions": "ctx:session { 'cat' }:send('x', { KEY })",
    "moonlet.ExpectOptions": "ctx:session { 'cat' }:expect('x', { KEY })",
    "moonlet.ScreenOptions": "ctx:session { 'cat' }:screen { KEY }",
    "moonlet.ValidateCall": "ctx:validate { command = 'true', KEY }",
    "moonlet.VerdictCall": "ctx:verdict { by = 'v', pass = true, KEY }",
    "moonlet.RequireCall": "ctx:require { command = 'true', KEY }", "moonlet.GateCall": "ctx:gate { action = 'x', KEY }",
    "moonlet.ListFolderOptions": "ctx:list('src', { KEY })", "moonlet.SchemaOptions": "m.schema.boolean { KEY }",
    "moonlet.ObjectOptions": "m.schema.object({}, { KEY })", "moonlet.ListOptions": "m.schema.list(m.schema.any(), { KEY })",
    "moonlet.TextOptions": "m.schema.string { KEY }", "moonlet.NumberOptions": "m.schema.number { KEY }",
    "moonlet.QuestionCall": "ctx:question { text = 'x', KEY }", "moonlet.ReadOptions": "ctx:read('src/a.lua', { KEY })",
    "moonlet.PresetSpec": "m.preset { KEY }", "moonlet.Failure": "m.fail { KEY }",
    "moonlet.Needs": "m.preset { name = 'a', summary = 'a', run = print, needs = { KEY } }",
    "moonlet.ArgOptions": "m.arg.string { KEY }", "moonlet.PathArgOptions": "m.arg.path { KEY }", "moonlet.RouteSpec": "m.route { KEY }",
    "moonlet.merge.Options": "m.merge.findings({}, { KEY })", "moonlet.Pack": "m.pack.new { KEY }",
    "moonlet.PlanCall": "ctx:plan { KEY }", "moonlet.prompt.Fields": "m.prompt.worker { KEY }", "moonlet.prompt.Reviewer": "m.prompt.reviewer { KEY }",
    "moonlet.prompt.Research": "m.prompt.research { KEY }", "moonlet.prompt.Verifier": "m.prompt.verifier { KEY }",
    "moonlet.prompt.Implementer": "m.prompt.implementer { scope = 'x', KEY }",
    "moonlet.prompt.Scout": "m.prompt.scout { question = 'x', KEY }",
    "moonlet.prompt.Judge": "m.prompt.judge { criteria = { 'x' }, KEY }",
    "moonlet.prompt.Planner": "m.prompt.planner { goal = 'x', KEY }", "moonlet.prompt.Compose": "m.prompt.compose { KEY }",
    "moonlet.patterns.Common": "m.pattern.options('p', { KEY }, {})",
    "moonlet.patterns.TriangulatedReview": "m.patterns.triangulated_review(ctx, { KEY })",
    "moonlet.patterns.ReviewFix": "m.patterns.review_fix(ctx, { KEY })",
    "moonlet.patterns.ScoutActVerify": "m.patterns.scout_act_verify(ctx, { KEY })",
    "moonlet.patterns.Research": "m.patterns.research(ctx, { KEY })",
    "moonlet.patterns.OptionsSprint": "m.patterns.options_sprint(ctx, { KEY })",
    "moonlet.patterns.Vote": "m.patterns.vote(ctx, { KEY })",
    "moonlet.patterns.JudgePanel": "m.patterns.judge_panel(ctx, { KEY })",
    "moonlet.patterns.UntilGreen": "m.patterns.until_green(ctx, { KEY })",
    "moonlet.patterns.UntilDry": "m.patterns.until_dry(ctx, { KEY })",
    "moonlet.patterns.Tournament": "m.patterns.tournament(ctx, { KEY })",
    "moonlet.patterns.SplitSections": "m.patterns.split_sections(ctx, { KEY })",
}


def fields_are_known():
    entries = {entry["name"]: entry for entry in reference()}

    def fields(name):
        entry = entries[name]
        return (fields(entry["parent"]) if entry.get("parent") else set()) | {field["name"] for field in entry["fields"]}

    lines = ["local found = {}"]
    for name, call in RECORDS.items():
        lines.append(f"do local _, err = pcall(function() {call.replace('KEY', 'zzzzzzzzzzzz = 1')} end) "
                     f"found['{name}'] = type(err) == 'table' and err.hint or tostring(err) end")
    with Repository() as repository:
        hints = repository.script("\n".join(lines) + "\nreturn found", "--allow", "all")["result"]
    problems = []
    for name in RECORDS:
        found = re.match(r"known are: (.*)$", hints.get(name, ""))
        known = set(found[1].split(", ")) if found else set()
        for field in sorted(known - fields(name)):
            problems.append(f"{name}: the program takes '{field}', the annotation has no such field")
        for field in sorted(fields(name) - known):
            problems.append(f"{name}: the annotation has '{field}', the program does not take it")
    if problems:
        raise Failed("\n".join(problems))


def records_are_probed():
    """Checks that RECORDS has each type of options whose keys are checked."""
    unchecked = {"moonlet.facts.Options", "moonlet.git.RunOptions", "moonlet.findings.Origin", "moonlet.secrets.Options",
                 "moonlet.findings.PageOptions", "moonlet.ExecResult",
                 "moonlet.merge.Result", "moonlet.Finding", "moonlet.LostBranch", "moonlet.prompt.Data", "moonlet.facts.File", "moonlet.facts.Git", "moonlet.Ctx",
                 "moonlet.git.FileDiff", "moonlet.RunnerExit", "moonlet.RunnerAnswers", "moonlet.Arg",
                 "moonlet.Schema", "moonlet.paths.Description", "moonlet.secrets.Hit", "moonlet.redaction.Scanner", "moonlet.BudgetKind"}
    taken = {name for entry in reference() if entry["kind"] == "function" for value in entry["params"]
             for name in re.findall(r"moonlet\.[\w.]+", value["type"])}
    new = sorted(taken - unchecked - set(RECORDS))
    if new:
        raise Failed("no call in RECORDS reaches: " + ", ".join(new))


CONSTANTS = {"core.json.null", "core.process.default_cap", "core.process.largest_cap"}


def primitives_have_annotations():
    """Compares the functions of core that C++ registers with stdlib/meta/core.lua."""
    registered = set()
    files = [os.path.relpath(os.path.join(folder, name), ROOT) for folder, _, names in os.walk(ROOT + "/lua/core")
             for name in names if name.endswith(".cpp")]
    for path in files + ["lua/engine/script.cpp", "lua/engine/host_library.cpp", "lua/sandbox/coroutine.cpp"]:
        noun = os.path.basename(path)[:-4].replace("file_swap", "file").replace("host_library", "host")
        with open(f"{ROOT}/{path}", encoding="utf-8") as file:
            for name in re.findall(r'\{"(\w+)",\s*(?:guard|raising|returning|working)<[^<>]+>\}', file.read()):
                if noun != "coroutine" or name in ("drive", "wait_outside"):
                    registered.add(f"core.{noun}.{name}")
    entries = {entry["name"]: entry for entry in reference()}
    annotated = {f"core.{field['name']}.{inner['name']}" for field in entries["core"]["fields"]
                 for inner in entries["core." + field["name"]]["fields"]} - CONSTANTS
    if registered != annotated:
        raise Failed("".join(f"{name} has no annotation in stdlib/meta/core.lua\n" for name in sorted(registered - annotated))
                     + "".join(f"{name} is not registered\n" for name in sorted(annotated - registered)))


def types_are_declared():
    entries = reference()
    known = {entry["name"] for entry in entries if entry["kind"] == "type"}
    problems = []
    for entry in entries:
        values = entry["params"] + entry["returns"] + entry["fields"] + [{"type": entry.get("type") or ""}]
        for value in values:
            text = re.sub(r"\"[^\"]*\"", "", value["type"])
            text = re.sub(r"[\w.]+\??:\s|`[^`]*`", " ", text)
            for name in re.findall(r"[A-Za-z_][\w.]*", text):
                if name not in known and name not in BUILTIN_TYPES:
                    problems.append(f"{entry['name']}: the type {name} is not declared ({value['type']})")
        for value in entry["params"] + entry["fields"]:
            if not entry["file"].endswith("core.lua") and value["type"] in ("", "table") and entry["name"] not in ("moonlet.PresetSpec", "moonlet.Preset") \
                    and value["name"] not in ("schema", "config") and entry.get("type", "").find("|") < 0 \
                    and entry["file"] not in ("stdlib/record.lua", "stdlib/paths.lua"):
                problems.append(f"{entry['name']}: '{value['name']}' is a table of unknown fields")
        if entry["kind"] != "type" and not entry["summary"]:
            problems.append(f"{entry['name']} has no description")
    if problems:
        raise Failed("\n".join(problems))


def each_has_an_example():
    without = [entry["name"] for entry in reference()
               if entry["kind"] != "type" and entry["name"] not in ("ctx", "m", "args") and not entry.get("example")]
    if without:
        raise Failed("no example: " + ", ".join(without))


def body_of(example):
    """Returns an example as Lua code. A line that ends with `--> VALUE` becomes a comparison."""
    lines = []
    for line in example.split("\n"):
        found = re.match(r"^(\s*)(.*?)\s*--> (.*)$", line)
        if not found:
            lines.append(line)
            continue
        space, code, value = found.groups()
        names = re.match(r"local ([\w, ]+?) = ", code)
        if names:
            lines.append(code)
            code = names[1]
        lines.append(f"{space}same(table.pack({code}), table.pack({value}), [==[{line.strip()}]==])")
    return "\n".join(lines)


HEAD = """
local function text_of(value)
  if type(value) == "table" then return m.json.encode(value) end
  return math.type(value) == "float" and value % 1 == 0 and tostring(math.tointeger(value)) or tostring(value)
end
local function same(got, wanted, line)
  for i = 1, math.max(1, wanted.n) do
    if text_of(got[i]) ~= text_of(wanted[i]) then
      error { kind = "failed", message = line .. " gave " .. text_of(got[i]) }
    end
  end
end
"""
WAITS = ("ctx:gate", "ctx:question")
OPTIONS = ["--runner", "command:" + AGENT, "--allow", "all"]


def examples_run():
    parts, names = [HEAD + "local failures = m.array {}"], []
    for entry in reference():
        if entry.get("example") and entry["name"] not in WAITS:
            names.append(entry["name"])
            parts.append(f"do local ok, err = pcall(ctx.scope, ctx, {{ name = '{entry['name']}' }}, function(ctx)\n"
                         f"{body_of(entry['example'])}\nend)\nif not ok then failures[#failures + 1] = "
                         f"'{entry['name']}: ' .. (type(err) == 'table' and err.message or tostring(err)) end end")
    with Repository() as repository:
        failures = repository.script("\n".join(parts) + "\nreturn failures", *OPTIONS, code=(0, 4))["result"]
    if failures or len(names) < 100:
        raise Failed("\n".join(failures) + f"\n{len(names)} examples")


def waiting_examples_run():
    for entry in reference():
        if entry["name"] in WAITS:
            with Repository() as repository:
                repository.script(HEAD + body_of(entry["example"]), *OPTIONS, code=3)
                moonlet("answer", "1", "approve" if entry["name"] == "ctx:gate" else "main", "--json", cwd=repository.path)


def calls_fit():
    entries = {entry["name"]: entry for entry in reference()}
    problems, count = calls.check(ROOT, ["presets", "examples"], entries)
    if problems or count < 100:
        raise Failed("\n".join(problems) + f"\n{count} calls and fields were looked at")


WRONG = """local m = require "moonlet"
local answer = ctx:agent { promt = "x", timeout = "1m" }
ctx:log(answer.txet, ctx:exec { "true" }.cod)
ctx:paralel({}, print)
m.merge.finding {}
local p = m.preset { name = "a", summary = "b", run = print, needs = { program = {} }, budget = { agent = 1 } }
local glob = require "moonlet.glob"
glob.compil "x"
"""


def wrong_calls_are_seen():
    checker = calls.Checker({entry["name"]: entry for entry in reference()})
    checker.check_file("x.lua", WRONG)
    wanted = ["moonlet.AgentCall has no field 'promt'", "moonlet.AgentCall needs 'prompt'",
              "moonlet.AgentResult has no field 'txet'", "moonlet.ExecResult has no field 'cod'", "there is no ctx:paralel",
              "there is no m.merge.finding", "moonlet.Needs has no field 'program'", "moonlet.Limits has no field 'agent'",
              "there is no m.glob.compil"]
    found = [problem.split(": ", 1)[1] for problem in checker.problems]
    if found != wanted:
        raise Failed("\n".join(found))


def reference_and_types_are_installed():
    """Checks an installation: it has the reference, and moonlet finds the types in it, without those of the engine."""
    with tempfile.TemporaryDirectory() as top:
        install = subprocess.run(["cmake", "--install", os.path.dirname(MOONLET), "--prefix", top + "/prefix"],
                                 capture_output=True, text=True, check=False)
        if install.returncode != 0:
            raise Failed(install.stdout[-2000:] + install.stderr[-2000:])
        with open(top + "/prefix/share/doc/moonlet/reference.md", encoding="utf-8") as file:
            page = file.read()
        missing = [entry["name"] for entry in reference()
                   if not entry["name"].startswith("core") and "### " + entry["name"] not in page]
        if missing or page != moonlet("doc", "--markdown"):
            raise Failed(f"the installed reference is another one; it lacks {missing}")
        run = subprocess.run([top + "/prefix/bin/moonlet", "init", "--json", "--repo", top], capture_output=True, text=True,
                             check=False, env={**os.environ, "HOME": top + "/home"})
        if run.returncode != 0 or json.loads(run.stdout)["result"]["types"] != "~/.local/share/moonlet/lua":
            raise Failed(run.stdout + run.stderr)

        def files_of(types):
            return {os.path.relpath(os.path.join(where, name), types)
                    for where, _, names in os.walk(types) for name in names}
        files = files_of(top + "/prefix/share/moonlet/lua/moonlet")
        shared = files_of(top + "/home/.local/share/moonlet/lua/moonlet")
        wanted = {os.path.relpath(os.path.join(where, name), ROOT + "/stdlib") for where, _, names in os.walk(ROOT + "/stdlib")
                  for name in names if name.endswith(".lua") and "/engine" not in where}
        if files != wanted or shared != wanted:
            raise Failed(f"installed: {sorted((files ^ wanted) | (shared ^ wanted))} differ from stdlib")


def doc_finds_and_suggests():
    def expect(text, *words, code=0):
        run = subprocess.run([MOONLET, "doc", *words], capture_output=True, text=True)
        if run.returncode != code or text not in run.stdout + run.stderr:
            raise Failed(f"moonlet doc {' '.join(words)}: {run.returncode}\n{run.stdout[:600]}{run.stderr}")

    expect("ctx:agent(call) -> moonlet.AgentResult", "agent")
    expect("ctx:agent(call) -> moonlet.AgentResult", "ctx.agent")
    expect("web_search", "AgentCall")
    expect("m.findings.markdown", "findings")
    expect("did you mean 'ctx:parallel'?", "ctx:paralel", code=2)
    expect("did you mean 'pipeline'?", "pipelin", code=2)
    expect('"signature":"ctx:any(items, fn, options?) -> value, index"', "ctx:any", "--json")


CHECKS = [names_have_annotations, primitives_have_annotations, fields_are_known, records_are_probed, types_are_declared, each_has_an_example,
          examples_run, waiting_examples_run, calls_fit, wrong_calls_are_seen, reference_and_types_are_installed, doc_finds_and_suggests]


def main():
    passed = failed = 0
    for check in CHECKS:
        name = "reference: " + check.__name__.replace("_", " ")
        if WORD not in name:
            continue
        try:
            check()
            passed += 1
            print("ok", name)
        except Failed as problem:
            failed += 1
            print("FAILED:", name)
            print("    " + str(problem).replace("\n", "\n    "))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
