--- Compares two runs: their outcomes, and the first step that differs.
local store = require "moonlet.engine.run.store"
local step_files = require "moonlet.engine.run.step_files"
local summary = require "moonlet.engine.task.summary"
local state = require "moonlet.engine.run.state"

local M = {}

local null = core.json.null
local text_cap = 4 << 20
local most_lines = 200

local function some(value) return value ~= nil and value ~= null and value or nil end

local function lines_of(text)
  local list, set = {}, {}
  for line in ((text or "") .. "\n"):gmatch "([^\n]*)\n" do
    if line:find "%S" then list[#list + 1], set[line] = line, true end
  end
  return list, set
end

--- Returns the lines that only one of two texts has.
local function only(one, other)
  local first, in_first = lines_of(one)
  local second, in_second = lines_of(other)
  local function rest(list, set)
    local found = core.json.array {}
    for _, line in ipairs(list) do
      if not set[line] and #found < most_lines then found[#found + 1] = line end
    end
    return found
  end
  return { only_first = rest(first, in_second), only_second = rest(second, in_first) }
end

local function text_of(root, rec, folder, name)
  return (core.file.read(root, (folder or rec.sidecar) .. "/" .. name, text_cap))
end

local function usage_of(rec)
  local usage = some(rec.usage) or {}
  return some(usage.total_tokens) or null, some(usage.cost_usd) or null
end

local function part(root, one, other, step, twin)
  if not twin then return "is not there" end
  if step.status ~= twin.status then return ("%s, %s"):format(step.status, twin.status) end
  if step.runner ~= twin.runner then
    return ("runner %s, %s"):format(tostring(step.runner), tostring(twin.runner))
  end
  if step.kind ~= "agent" then return nil end
  local here, there = step_files.folder(root, one, step), step_files.folder(root, other, twin)
  for _, name in ipairs { "prompt.md", "output.md" } do
    local first, second = text_of(root, one, here, name), text_of(root, other, there, name)
    -- A step that was copied from the original run of a replay has no files of its own, so skip it.
    if first and second and first ~= second then
      return name == "prompt.md" and "another prompt" or "another answer"
    end
  end
end

local function first_difference(root, one, other)
  local twins, seen = {}, {}
  for _, step in ipairs(some(other.steps) or {}) do twins[step.key] = step end
  for _, step in ipairs(some(one.steps) or {}) do
    seen[step.key] = true
    local how = part(root, one, other, step, twins[step.key])
    if how then
      return { step = step.key,
        difference = how == "is not there" and how .. " in " .. other.id or how }
    end
  end
  for _, step in ipairs(some(other.steps) or {}) do
    if not seen[step.key] then
      return { step = step.key, difference = "is not there in " .. one.id }
    end
  end
  return null
end

function M.of(home, one, other)
  local root = store.root(home)
  local tokens_one, cost_one = usage_of(one)
  local tokens_other, cost_other = usage_of(other)
  local function both(a, b)
    return core.json.array { a == nil and null or a, b == nil and null or b }
  end
  return {
    runs = both(one.id, other.id), verdict = both(one.verdict, other.verdict),
    runner = both(state.runner(one) or null, state.runner(other) or null),
    duration_ms = both(one.duration_ms, other.duration_ms), tokens = both(tokens_one, tokens_other),
    cost_usd = both(cost_one, cost_other),
    files = only(table.concat(some(one.files_changed) or {}, "\n"),
      table.concat(some(other.files_changed) or {}, "\n")),
    prompt = only(text_of(root, one, nil, "prompt.md"), text_of(root, other, nil, "prompt.md")),
    findings = only(summary.answer(home, one, text_cap), summary.answer(home, other, text_cap)),
    first_difference = first_difference(root, one, other),
  }
end

return M
