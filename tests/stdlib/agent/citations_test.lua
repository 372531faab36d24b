local citations = require "moonlet.engine.agent.citations"
local m = require "moonlet"
local runners = { codex = require "moonlet.engine.runner.codex", claude = require "moonlet.engine.runner.claude" }

-- The fixture has ten files of forty unique lines.
local function line_of(file, number) return ("  local value_%d_%d = compute(%d, 'part %d')"):format(file, number, number * 7, file) end
local function text_of(file)
  local lines = {}
  for i = 1, 40 do lines[i] = line_of(file, i) end
  return table.concat(lines, "\n") .. "\n"
end
local function path_of(file) return ("src/part%d.lua"):format(file) end
local function put_all(top)
  for i = 1, 10 do put_file(top .. "/src", ("part%d.lua"):format(i), text_of(i)) end
end

-- Returns each program's event stream of a reviewer that ran one command.
local function stream_of(runner, command, output)
  if runner == "codex" then
    return { core.json.encode { type = "item.completed", item = { id = "i", type = "command_execution", command = command,
      aggregated_output = output, exit_code = 0, status = "completed" } } }
  end
  return {
    core.json.encode { type = "assistant", message = { content = core.json.array { { type = "tool_use", id = "t",
      name = "Bash", input = { command = command } } } } },
    core.json.encode { type = "user", message = { content = core.json.array { { type = "tool_result", tool_use_id = "t",
      content = core.json.array { { type = "text", text = output } } } } } },
  }
end

-- Returns the support of each finding: seen, unsupported or unknown.
local function supports(run, runner, prompt, lines, findings, repairs)
  local state = runners[runner].begin()
  for _, line in ipairs(lines) do runners[runner].parse(state, line) end
  local data = { findings = findings }
  local seen = state.seen or {}
  citations.mark({ run = run, call = { schema = m.findings.schema } }, { prompt = prompt, repairs = repairs },
    { seen = not seen.hidden and seen or nil }, data)
  local list = {}
  for i, finding in ipairs(data.findings) do list[i] = finding.support end
  return list
end

local function a_tree()
  put_all(scratch .. "/tree")
  return { top = scratch .. "/tree", home = { root = core.file.root(scratch .. "/tree") } }
end

test("in 40 reviews, exactly the findings about files that were never opened are marked", function()
  local run, lies, honest = a_tree(), 0, 0
  for review = 1, 40 do
    local runner = review % 2 == 0 and "codex" or "claude"
    local file, other = review % 10 + 1, (review + 4) % 10 + 1
    local output, command
    if review % 3 == 0 then
      command, output = "sed -n 1,40p " .. path_of(file), text_of(file)
    elseif review % 3 == 1 then
      -- Claude's Read and cat -n print line numbers like these.
      local lines = {}
      for i = 1, 40 do lines[i] = ("%6d\t%s"):format(i, line_of(file, i)) end
      command, output = "cat -n " .. path_of(file) .. " && ls src", table.concat(lines, "\n") .. "\n" .. path_of(other)
    else
      command, output = "cd src && cat part" .. file .. ".lua", text_of(file)
    end
    local line = review % 36 + 3
    local list = supports(run, runner, "Review src/. The files are " .. path_of(file) .. " and " .. path_of(other) .. ".",
      stream_of(runner, command, output), {
        { file = path_of(file), line = line, claim = "the value is wrong", evidence = "seen" },
        { file = path_of(other), line = line, claim = "the value is wrong", evidence = line_of(other, line):sub(1, 6) .. "invented" },
      })
    if list[1] ~= "seen" then note(("review %d: an honest finding is %s"):format(review, list[1])) else honest = honest + 1 end
    if list[2] ~= "unsupported" then note(("review %d: a lie is %s"):format(review, list[2])) else lies = lies + 1 end
  end
  is(lies, 40, "lies")
  is(honest, 40, "honest findings")
end)

test("findings are checked against grep output, diffs, renames and read files", function()
  local run = a_tree()
  local grep = stream_of("codex", "rg -n value_3_12 .", "./src/part3.lua:12:" .. line_of(3, 12) .. "\n")
  local function cites(file, line, evidence) return { file = file, line = line, claim = "wrong", evidence = evidence } end
  same(supports(run, "codex", "", grep, { cites("src/part3.lua", 12), cites("src/part3.lua", 30), cites("src/part4.lua", 12) }),
    { "seen", "unsupported", "unsupported" }, "grepped")
  local diff = "Look at this.\ndiff --git a/src/part5.lua b/src/part5.lua\n@@ -7,1 +7,1 @@\n+" .. line_of(5, 7)
    .. "\ndiff --git a/src/old.lua b/src/part6.lua\nrename from src/old.lua\nrename to src/part6.lua\n"
  same(supports(run, "claude", diff, {}, { cites("src/part5.lua", 7), cites("src/part5.lua", 30), cites("src/old.lua", 3),
    cites("src/gone.lua", 3) }), { "seen", "unsupported", "seen", "unsupported" }, "a diff, and a rename")
  local read = stream_of("claude", "head -n 10 src/part7.lua", text_of(7):sub(1, 400))
  same(supports(run, "claude", "", read, { cites("src/part7.lua", 38, "it says " .. line_of(7, 2)),
    cites("src/part7.lua", 38, "it says nothing"), cites("src/part7.lua:2"), cites(run.top .. "/src/part7.lua", 1), cites(nil, 2) }),
    { "seen", "unsupported", "seen", "seen" }, "another line, and other ways to write a place")
  same(supports(run, "claude", "", stream_of("claude", "cat src/*.lua", text_of(8) .. text_of(9)),
    { cites("src/part9.lua", 20), cites("src/part1.lua", 20) }), { "seen", "unsupported" }, "read without its name")
end)

test("findings are unknown if the stream hides tool output", function()
  local run = a_tree()
  local finding = { file = "src/part1.lua", line = 3, claim = "wrong" }
  local hidden = core.json.encode { type = "item.completed", item = { id = "i", type = "command_execution", command = "cat x" } }
  same(supports(run, "codex", "", { hidden }, { finding }), { "unknown" }, "no output")
  same(supports(run, "codex", "", {}, { finding }, "repair"), { "unknown" }, "a repair round")
  local result = m.merge.findings { { lens = "risks", runner = "codex", findings = { finding } } }
  is(#result.findings, 1, "it stays")
  same(result.unjudged, { "risks (codex)" }, "and that is said")
  finding.support = "unsupported"
  result = m.merge.findings { { lens = "risks", findings = { finding } } }
  is(#result.findings + #result.unverified + #result.refuted, 0, "set apart")
  holds(result.unsupported[1].reason, "never shown the lines", "its reason")
  holds(m.findings.markdown(result), "Unsupported", "the page")
end)
