--- Loads the templates of worker prompts.
--- Each role has one text, in blocks that begin with a label in capitals (`TASK: …`).
--- The user's config and the folder `prompts/` of a preset may replace each template.
local record = require "moonlet.record"

local concat, format, gsub, match = table.concat, string.format, string.gsub, string.match

local M = {}

--- The template `worker` is the start of every prompt.
M.roles = { "worker", "reviewer", "research", "implementer", "verifier", "scout",
  "judge", "planner" }

local first_line = "CONTEXT: WORKER"

---@type (fun(role: string): string?, string?)?  returns a replacement of the built-in text, and its origin
local replaced

--- Sets a function that may supply other templates; nil restores the built-in templates.
---@param fn (fun(role: string): string?, string?)?
function M.replace(fn) replaced = fn end

function M.text(role)
  local own, origin
  if replaced then own, origin = replaced(role) end
  if own then return own, origin or role .. ".md" end
  return require("moonlet.prompts." .. role), "the built-in template " .. role
end

--- Returns the start of every worker's prompt. Its first line tells the agent that it is a worker.
function M.preamble()
  local text = match(M.text "worker", "^%s*(.-)%s*$")
  if not match(text .. "\n", "^" .. first_line .. "%s*\n") then
    text = first_line .. "\n" .. text
  end
  return text .. "\n"
end

--- Splits a template into its blocks. Text above the first label is a block without a label.
---@return {label: string?, text: string}[]
function M.blocks(text)
  local blocks, label, lines = {}, nil, {}
  local function close()
    local body = gsub(concat(lines, "\n"), "%s+$", "")
    if label or body ~= "" then blocks[#blocks + 1] = { label = label, text = body } end
    lines = {}
  end
  for line in string.gmatch(gsub(text, "\r\n", "\n") .. "\n", "([^\n]*)\n") do
    local name, rest = match(line, "^(%u[%u ]*%u):%s*(.*)$")
    if name then
      close()
      label, lines = name, { rest }
    else
      lines[#lines + 1] = line
    end
  end
  close()
  return blocks
end

--- Replaces each `{{name}}` of a template by a text. Raises an error for a name without a text.
function M.fill(text, values, origin)
  return (gsub(text, "{{([%w_]+)}}", function(name)
    local value = values[name]
    if value ~= nil then return value end
    local known = {}
    for key in pairs(values) do known[#known + 1] = key end
    record.refuse(format("%s names '{{%s}}', which has no value", origin,
      core.text.printable(name, 60)), record.suggest(name, known), origin)
  end))
end

local function shown(block)
  local text = block.text
  if not block.label then return text end
  return block.label .. ":" .. (match(text, "^[\n-]") and "\n" or " ") .. gsub(text, "^\n+", "")
end

--- Fills in a role's template: each {{name}} in it becomes the text `values[name]`.
--- A data block in `blocks` replaces the template's block of the same label; a new label is appended.
---@param blocks {label: string, text: string?}[]
function M.render(role, values, blocks)
  local text, origin = M.text(role)
  local parts, own, taken = { M.preamble() }, {}, {}
  for _, block in ipairs(blocks) do
    if block.text and block.text ~= "" then own[block.label] = block end
  end
  for _, block in ipairs(M.blocks(text)) do
    local mine = block.label and own[block.label]
    if mine then taken[block.label] = true end
    parts[#parts + 1] = shown(mine
      or { label = block.label, text = M.fill(block.text, values, origin) })
  end
  for _, block in ipairs(blocks) do
    if own[block.label] == block and not taken[block.label] then
      parts[#parts + 1] = shown(block)
    end
  end
  return concat(parts, "\n") .. "\n"
end

return M
