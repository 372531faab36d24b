--- Reads the task of a sidecar from a text or a file, and warns if the task is vague or too broad.
local m = require "moonlet"
local text_of = require "moonlet.text"

local find, gsub, lower, match = string.find, string.gsub, string.lower, string.match

local any, trim = text_of.any, text_of.trim

local M = {}

local file_cap = 256 * 1024

local function invalid(message, hint, at)
  error({ kind = "invalid", message = message, hint = hint, at = at }, 0)
end

local function read_file(ctx, name)
  local source = "--prompt-file " .. name
  local hint = "name a text file of the repository"
  if name == "" then invalid("--prompt-file names no file", hint) end
  local text, err, cut = ctx:read(name, { cap = file_cap, missing = "nil" })
  if not text then
    invalid(("--prompt-file: %s"):format(err.message), err.hint or hint, name)
  end
  if cut then
    invalid(("%s is larger than %d KB"):format(source, file_cap >> 10),
      "a task is a page of text; give the material with --input", name)
  end
  return text, source
end

--- Returns the text of the task. Raises an error unless the user gave exactly one.
---@return string text, string source  name of the text's source in messages
function M.text(ctx, args)
  if args.prompt ~= nil and args.prompt_file ~= nil then
    invalid("--prompt and --prompt-file exclude each other", "say the task in one of them")
  end
  if args.prompt == nil and args.prompt_file == nil then
    invalid("the task is missing", "name it: moonlet run sidecar 'TEXT', or --prompt-file FILE")
  end
  local text, source = args.prompt, "--prompt"
  if text == nil then text, source = read_file(ctx, args.prompt_file) end
  if not utf8.len(text) or find(text, "\0", 1, true) then
    invalid(source .. " is not UTF-8 text", "write the task as plain text")
  end
  text = trim((gsub(gsub(text, "^\239\187\191", ""), "\r\n", "\n")))
  if not find(text, "[%w\128-\255]") then
    invalid(source .. " is empty", "say in a sentence or two what the sidecar is to do")
  end
  return text, source
end

local FIELDS = { task = "task", goal = "goal", ["non-goals"] = "non_goals",
  ["out of scope"] = "non_goals", how = "steps", steps = "steps", inspect = "inspect",
  inputs = "inspect", edits = "edits",
  output = "output", format = "output", escalate = "escalate", escalation = "escalate",
  ["when to escalate"] = "escalate", privacy = "privacy" }

--- Splits a task by its headings. Text under an unknown heading belongs to the task.
---@return table<string, string>
function M.sections(text)
  local result, field, fenced = {}, "task", false
  for line in string.gmatch(text .. "\n", "([^\n]*)\n") do
    if find(line, "^%s*```") then fenced = not fenced end
    local heading = not fenced and match(line, "^#+%s+(.-)%s*:?%s*#*$")
    local known = heading and FIELDS[lower(heading)]
    field = known or heading and "task" or field
    -- A Markdown heading would end the section of the prompt around it, so print it in bold.
    if heading then line = "**" .. heading .. "**" end
    if not known then result[field] = result[field] and result[field] .. "\n" .. line or line end
  end
  for name, value in pairs(result) do
    value = trim(value)
    result[name] = value ~= "" and value or nil
  end
  return result
end

local GATED = { "%f[%a]git push%f[%A]", "%f[%a]git tag%f[%A]", "%f[%a]publish%f[%A]",
  "%f[%a]upload%f[%A]", "%f[%a]deploy%f[%A]", "%f[%a]sbatch%f[%A]", "submit the job",
  "create an issue", "open an issue", "file an issue", "send an? e?%-?mail" }

local ESCALATED = { "core algorithm", "final approval", "approve .-merge", "security decision",
  "privacy decision", "data governance", "paper positioning", "%f[%a]rebuttal", "ready to submit",
  "large refactor", "the whole codebase" }

local function words_warnings(task, add)
  -- Remove prohibitions such as "do not push", because they request no action.
  local asked = gsub(lower(task), "%f[%a]do not [^%.\n;]*", "")
  asked = gsub(gsub(asked, "don't [^%.\n;]*", ""), "never [^%.\n;]*", "")
  if select(2, gsub(task, "%S+", "")) < 4 then
    add("vague", "the task is a few words long: say what, where, and what a good answer holds")
  end
  if select(2, gsub("\n" .. task, "\n%s*%d+[%.%)]%s", "")) >= 4 then
    add("broad", "it looks like several tasks: give each a sidecar of its own")
  end
  if any(asked, GATED) then
    add("gate", "it seems to ask for an act that reaches outside: the prompt forbids it")
  end
  if any(asked, ESCALATED) then
    add("escalate", "it seems to ask for a decision that needs you or a stronger reviewer")
  end
end

--- Returns warnings about a task as {kind, text}, before an agent costs money.
---@param task table       sections of the task
---@param inputs table[]   value of ctx.inputs
---@param tokens integer   estimated tokens of the prompt
---@param withheld integer number of secrets redacted in the inputs
function M.warnings(task, inputs, tokens, withheld)
  local list = m.array {}
  local function add(kind, text, ...) list[#list + 1] = { kind = kind, text = text:format(...) } end
  words_warnings(task.task, add)
  if #inputs == 0 and not task.inspect then
    add("inputs", "no input is listed: the agent has to find out by itself what to read")
  end
  for _, input in ipairs(inputs) do
    local name = m.git.show_path(input.path, 120)
    if input.binary then add("inputs", "%s is binary and is not shown to the agent", name) end
    if input.cut then add("inputs", "%s is too large and is shown in part", name) end
    if input.bytes == 0 then add("inputs", "%s is empty", name) end
  end
  if withheld > 0 then add("private", "secrets taken out of the inputs: %d", withheld) end
  if tokens > 60000 then add("size", "the prompt has about %d tokens: list less", tokens) end
  return list
end

return M
