--- Hides known findings with a baseline file, which a run can rewrite.
--- Rule, file and the text of the line identify a finding, so it may move to another line.
local m = require "moonlet"

local M = {}

local function given(value) return value ~= m.null and value or "" end

local function key(item)
  return table.concat({ given(item.rule), given(item.file),
    item.evidence ~= "" and given(item.evidence) or given(item.claim) }, "\0")
end

--- Counts how often each known finding occurs in the baseline file.
---@param path string?  "" or nil without a baseline
---@return table<string, integer>
function M.read(ctx, path)
  local counts = {}
  if not path or path == "" then return counts end
  local text = ctx:read(path, { cap = 16 << 20 })
  local ok, data = pcall(m.json.decode, text)
  local list = ok and type(data) == "table" and rawget(data, "findings")
  if type(list) ~= "table" then
    m.fail { kind = "invalid", message = ("--baseline: %s is not a baseline"):format(path),
      hint = "--write-baseline FILE writes one" }
  end
  for _, item in ipairs(list) do
    local name = type(item) == "table" and key(item)
    if name then counts[name] = (counts[name] or 0) + 1 end
  end
  return counts
end

--- Returns the findings that are not in the baseline, and the number of hidden ones.
---@param list table[]
---@param counts table<string, integer>
---@return table[], integer
function M.hide(list, counts)
  local kept, hidden = m.array {}, 0
  for _, item in ipairs(list) do
    local name = key(item)
    if (counts[name] or 0) > 0 then
      counts[name], hidden = counts[name] - 1, hidden + 1
    else
      kept[#kept + 1] = item
    end
  end
  return kept, hidden
end

--- Writes all findings to the file `path`, which becomes the new baseline.
---@param path string?
---@param list table[]
function M.write(ctx, path, list)
  if not path or path == "" then return end
  local items = m.array {}
  for i, item in ipairs(list) do
    items[i] = { rule = item.rule, file = item.file, line = item.line, claim = item.claim,
      evidence = item.evidence }
  end
  ctx:exec { "tee", "--", path, stdin = m.json.encode({ version = 1, findings = items }, 2) .. "\n",
    name = "write-baseline", check = true }
end

return M
