--- Resolves the presets of ctx:preset before anything starts. The preset's hash covers their text.
local record = require "moonlet.record"
local grants = require "moonlet.engine.context.grants"
local loader = require "moonlet.engine.load.loader"

local M = {}

local function fail(source, message, hint) record.refuse(message, hint, source.origin) end

local function find(home, source, name)
  if not source.builtin then return loader.find(home, name, source) end
  return loader.built_in(name)
    or fail(source, ("preset %s is built in, and '%s' is not"):format(source.name,
      core.text.printable(name, 60)),
      "a built-in preset runs only built-in presets: copy it under another name")
end

local function check_needs(source, preset, child)
  local missing = grants.describe(grants.beyond(grants.from_needs(preset.needs),
    grants.from_needs(child.needs)))
  if child.needs.repository and not preset.needs.repository then
    missing[#missing + 1] = "work in a git repository"
  end
  if #missing == 0 then return end
  fail(source, ("preset %s runs %s, which needs more than it does: %s"):format(preset.name,
    child.name, table.concat(missing, "; ")), ("add that to the needs of %s"):format(preset.name))
end

--- Opens the presets that needs.presets names, and recursively the presets that those need.
--- Rejects a preset that is missing, needs more rights than its parent, or would run itself.
---@param above string[]?         names of the presets that called this preset
function M.resolve(home, source, preset, above)
  local names = preset.needs.presets or {}
  if #names == 0 then return end
  if source.hash then source.hash() end  -- sets `builtin` for a copy of a built-in preset
  local chain = table.move(above or {}, 1, #(above or {}), 1, {})
  chain[#chain + 1] = preset.name
  source.nested = {}
  local texts = { source.opened or "" }
  for _, name in ipairs(names) do
    for _, earlier in ipairs(chain) do
      if earlier == name then
        fail(source, ("the presets run each other: %s -> %s"):format(table.concat(chain, " -> "),
          name), "a preset may not run itself")
      end
    end
    local own = find(home, source, name)
    local child = loader.preset(own)
    M.resolve(home, own, child, chain)
    check_needs(source, preset, child)
    preset.private_inputs = preset.private_inputs or child.private_inputs
    source.nested[name] = { source = own, preset = child }
    texts[#texts + 1] = name .. " " .. (own.opened or "")
  end
  source.opened = source.opened and core.text.sha256(table.concat(texts, "\n"))
end

function M.hash(source) return source.nested and source.opened or "" end

return M
