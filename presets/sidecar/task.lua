--- Reads the task of a sidecar: from a text or a file of the repository, with its headings, if any.
local find, gsub, lower, match = string.find, string.gsub, string.lower, string.match

local M = {}

local file_cap = 256 * 1024

local function invalid(message, hint, at)
  error({ kind = "invalid", message = message, hint = hint, at = at }, 0)
end

local function read_file(ctx, name)
  if name == "" then invalid("--prompt-file names no file", "name a text file of the repository") end
  local text, err, cut = ctx:read(name, { cap = file_cap, missing = "nil" })
  if not text then
    invalid(("--prompt-file: %s"):format(err.message), err.hint or "name a text file of the repository", name)
  end
  if cut then
    invalid(("--prompt-file %s is larger than %d KB"):format(name, file_cap >> 10),
      "a task is a page of text; give the material with --input", name)
  end
  if find(text, "\0", 1, true) or not utf8.len(text) then
    invalid(("--prompt-file %s is not UTF-8 text"):format(name), "write the task as plain text", name)
  end
  return text
end

--- The text of the task; raises if there is none, or more than one.
---@param ctx table
---@param args table
---@return string text, string source how messages call it
function M.text(ctx, args)
  if args.prompt ~= nil and args.prompt_file ~= nil then
    invalid("--prompt and --prompt-file exclude each other", "say the task in one of them")
  end
  if args.prompt == nil and args.prompt_file == nil then
    invalid("there is no task", "say it with --prompt 'TEXT' or --prompt-file FILE")
  end
  local text, source = args.prompt, "--prompt"
  if text == nil then text, source = read_file(ctx, args.prompt_file), "--prompt-file " .. args.prompt_file end
  text = gsub(gsub(text, "^\239\187\191", ""), "\r\n", "\n")
  text = match(text, "^%s*(.-)%s*$")
  if not utf8.len(text) then invalid(source .. " is not UTF-8 text", "write the task as plain text") end
  if not find(text, "%w") and not find(text, "[\128-\255]") then
    invalid(source .. " is empty", "say in a sentence or two what the sidecar is to find out or to make")
  end
  return text, source
end

local FIELDS = {
  task = "task", ["what to do"] = "task", goal = "goal", goals = "goal", ["non-goals"] = "non_goals",
  ["non goals"] = "non_goals", ["out of scope"] = "non_goals", ["not part of it"] = "non_goals", how = "steps",
  steps = "steps", method = "steps", inspect = "inspect", inputs = "inspect", ["what to read"] = "inspect",
  scope = "inspect", edits = "edits", changes = "edits", output = "output", answer = "output", format = "output",
  escalate = "escalate", escalation = "escalate", ["when to escalate"] = "escalate", privacy = "privacy",
}

--- Takes a task apart by its headings. Text under an unknown heading belongs to the task.
---@param text string
---@return table<string, string>
function M.sections(text)
  local result, field, fence = {}, "task", nil
  local function add(line)
    result[field] = result[field] and result[field] .. "\n" .. line or line
  end
  for line in string.gmatch(text .. "\n", "([^\n]*)\n") do
    local ticks = match(line, "^%s*(```+)")
    if ticks then fence = not fence or nil end
    local heading = not fence and match(line, "^#+%s+(.-)%s*:?%s*#*$")
    local known = heading and FIELDS[lower(heading)]
    if known then
      field = known
    elseif heading then
      field = "task"
      -- A heading of the prompt itself would end the section it stands in.
      add("**" .. heading .. "**")
    else
      add(line)
    end
  end
  for name, value in pairs(result) do
    local bare = match(value, "^%s*(.-)%s*$")
    result[name] = bare ~= "" and bare or nil
  end
  return result
end

return M
