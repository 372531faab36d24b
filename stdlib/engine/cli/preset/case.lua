--- Loads the Lua file of a preset's test. Reports a mistake in the file with its line.
local loader = require "moonlet.engine.load.loader"
local record = require "moonlet.record"
local run_record = require "moonlet.engine.run.manifest"

local M = {}

local fields = { summary = "string", files = "table", change = "table", args = "list",
  runner = "string", expect = "table!", git = "boolean", record = "string", answers = "list" }
local expect_fields = { verdict = "string", exit_code = "integer", result = "any",
  findings = "string", error = "string", files = "table" }
local words = { args = 'write args = { "--files", "a.lua" }',
  answers = 'write answers = { "approve" }' }

local verdicts = {}
for verdict in pairs(run_record.exit_codes) do verdicts[#verdicts + 1] = verdict end

--- Returns the file and the first line in which a field with the name `word` is assigned.
local function place_of(origin, text, word)
  local number = 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if word and line:find("%f[%w_]" .. word:gsub("%p", "%%%0") .. "%f[^%w_][\"'%]]*%s*=[^=]") then
      return ("%s:%d"):format(origin, number)
    end
  end
  return origin
end

--- Checks the table that a test's file returns. Raises { message, hint, word }; `word` names the wrong
--- field.
local function check(case)
  local function refuse(word, message, hint)
    local err = record.invalid(message, hint)
    err.word = word
    error(err, 0)
  end
  record.check(case, fields, "the test")
  record.check(case.expect, expect_fields, "expect")
  for _, name in ipairs { "args", "answers" } do
    local list = case[name]
    if list and #list == 0 and next(list) ~= nil then
      refuse(name, name == "args" and "args is the list of words of a command line"
        or "answers is a list", words[name])
    end
  end
  for _, name in ipairs { "files", "change" } do
    if case[name] and #case[name] > 0 then
      refuse(name, name .. " has texts by paths",
        ('write %s = { ["a.lua"] = "text" }'):format(name))
    end
  end
  if case.expect.files and #case.expect.files > 0 then
    refuse("files", "expect.files has parts of texts by the names of artifacts",
      'write files = { ["findings.md"] = "a part" }')
  end
  local verdict = case.expect.verdict
  if verdict and not run_record.exit_codes[verdict] then
    refuse("verdict", ("there is no verdict '%s'"):format(core.text.printable(verdict, 60)),
      record.suggest(verdict, verdicts))
  end
  if next(case.expect) == nil then
    refuse("expect", "expect is empty, so every result would pass",
      'state the expected result, as in expect = { verdict = "ok" }')
  end
end

--- Loads the test case from the text of a test's file.
---@param origin string           the file's name in messages
---@param source moonlet.Source   the preset, whose files m.asset and require can read
function M.load(origin, text, source)
  source.used = source.used or {}
  local case = loader.load(origin, text, loader.globals(source))()
  local ok, err = pcall(check, case)
  if ok then return case end
  err.at = place_of(origin, text,
    err.word or err.message:match "key '([^']+)'" or err.message:match "^expect%f[%W]" or
    err.message:match "'([^']+)'")
  err.word = nil
  error(err, 0)
end

return M
