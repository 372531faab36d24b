--- `moonlet run tree` and `moonlet run diff` show how runs are related and differ.
local difference = require "moonlet.engine.task.difference"
local duration = require "moonlet.duration"
local repository = require "moonlet.engine.run.repository"
local lineage = require "moonlet.engine.task.lineage"
local options = require "moonlet.engine.cli.options"
local step_files = require "moonlet.engine.run.step_files"
local store = require "moonlet.engine.run.store"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common()

local null = core.json.null
local most_shown = 12

local function line_of(node, wanted)
  local runner = node.runner ~= null and core.text.printable(node.runner, 24) or "no agent"
  local parts = { node.id, node.verdict, runner }
  if node.pipeline then parts[#parts + 1] = "pipeline" end
  if node.reason ~= null then
    parts[#parts + 1] = "(" .. core.text.printable(node.reason, 80) .. ")"
  end
  return table.concat(parts, "  ") .. (node.id == wanted and "  <-" or "")
end

local function draw(node, wanted, lines, indent)
  for i, child in ipairs(node.children) do
    local is_last = i == #node.children
    lines[#lines + 1] = indent .. (is_last and "`- " or "|- ") .. line_of(child, wanted)
    draw(child, wanted, lines, indent .. (is_last and "   " or "|  "))
  end
end

local function tree(home, rest)
  if #rest ~= 1 then options.refuse("the tree of which run?", "moonlet run tree R-007") end
  local id, rec = store.find(home, rest[1])
  local node = lineage.tree(home, rec)
  local lines = { line_of(node, #node.children > 0 and id) }
  draw(node, id, lines, "")
  return node, table.concat(lines, "\n") .. "\n", store.envelope(home, rec)
end

local function shown(value, unit)
  if value == null then return "unknown" end
  if unit == "ms" then return duration.text(value) end
  if unit == "usd" then return ("%.4f USD"):format(value) end
  return core.text.printable(tostring(value), 80)
end

local function add_pair(lines, name, pair, unit)
  local one, other = shown(pair[1], unit), shown(pair[2], unit)
  lines[#lines + 1] = ("%-9s %s"):format(name, one == other and one or one .. " -> " .. other)
end

local function add_lines(lines, name, found)
  if #found.only_first == 0 and #found.only_second == 0 then
    lines[#lines + 1] = ("%-9s same"):format(name)
    return
  end
  lines[#lines + 1] = ("%-9s differ"):format(name)
  for k, list in ipairs { found.only_first, found.only_second } do
    local mark = k == 1 and "-" or "+"
    for i = 1, math.min(#list, most_shown) do
      lines[#lines + 1] = ("  %s %s"):format(mark, core.text.printable(list[i], 160))
    end
    if #list > most_shown then
      lines[#lines + 1] = ("  %s … %d more"):format(mark, #list - most_shown)
    end
  end
end

local function diff(home, rest)
  if #rest ~= 2 then
    options.refuse("the difference of which two runs?", "moonlet run diff R-001 R-002")
  end
  local _, one = store.find(home, rest[1])
  local _, other = store.find(home, rest[2])
  local found = difference.of(home, one, other)
  local lines = { ("%s -> %s"):format(one.id, other.id) }
  add_pair(lines, "verdict", found.verdict)
  add_pair(lines, "runner", found.runner)
  add_pair(lines, "time", found.duration_ms, "ms")
  add_pair(lines, "tokens", found.tokens)
  add_pair(lines, "cost", found.cost_usd, "usd")
  local part = found.first_difference
  lines[#lines + 1] = ("%-9s %s"):format("differs", part == null and "no step"
    or ("%s: %s"):format(core.text.printable(step_files.name(part.step), 100), part.difference))
  add_lines(lines, "files", found.files)
  add_lines(lines, "prompt", found.prompt)
  add_lines(lines, "findings", found.findings)
  return found, table.concat(lines, "\n") .. "\n", store.envelope(home, other)
end

local actions = { tree = tree, diff = diff }

function M.main(words)
  local name = words[2]
  local found, rest = verbs.read("run " .. name, words, M.known)
  local result, text, run = actions[name](repository.open(found.repo), rest)
  return options.envelope(result, run), 0, text
end

return M
