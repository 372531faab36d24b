--- Asks the user for consent to a preset's needs, once for each content hash.
--- Each consent is a small file in the user's state directory.
local budget = require "moonlet.engine.budget.budget"
local grants = require "moonlet.engine.context.grants"
local nested = require "moonlet.engine.load.nested"
local page = require "moonlet.engine.base.page"

local M = {}

local longest_needs = 64 * 1024

local function accepted_folder()
  local base = core.system.state_dir()
  return base and base .. "/accepted"
end

--- A consent's hash includes the rights, because a preset may compute its needs.
local function key(source, wanted)
  local hash = source.hash and source.hash()  -- source.hash is nil for a built-in preset
  return hash and core.text.sha256(hash .. nested.hash(source) .. "\n"
    .. table.concat(grants.describe(wanted), "\n"))
end

local function is_recorded(name)
  local folder = accepted_folder()
  local root = folder and core.file.root(folder)
  return root ~= nil and core.file.stat(root, name) ~= nil
end

--- Records a consent. If that fails, the user is asked again next time.
local function record(name, source, wanted)
  local folder = accepted_folder()
  local root = folder and core.file.make_root(folder)
  if not root then return end
  local lines = grants.describe(wanted)
  table.insert(lines, 1, ("%s (%s), accepted %s"):format(source.name, source.origin,
    core.clock.iso(core.clock.wall())))
  core.file.write(root, name, core.text.printable(table.concat(lines, "; "), 4000) .. "\n")
end

local function ask(source, wanted, question, preset)
  if not core.terminal.can_ask() then return false end
  local lines, out = {}, page.out(2)
  page.hang(lines, out, "preset ", ("%s (%s) asks to:"):format(source.name, source.origin), 2000)
  for _, line in ipairs(grants.describe(wanted)) do
    page.hang(lines, out, "  ", line, longest_needs)
  end
  for name in pairs(source.nested or {}) do
    page.hang(lines, out, "  ", "run the preset " .. name, 2000)
  end
  local limits = preset and budget.text_of(preset) or ""
  if limits ~= "" then page.hang(lines, out, "within ", limits, 2000) end
  local answer = core.terminal.ask(table.concat(lines, "\n") .. "\n" .. question)
  answer = answer and answer:lower():match("^%s*(%l*)%s*$")
  return answer == "y" or answer == "yes"
end

--- Reports whether a preset already has the rights in its `needs`. Asks nobody.
function M.is_given(source, preset)
  local wanted = grants.from_needs(preset.needs)
  if source.builtin or #grants.describe(wanted) == 0 then return true end
  local name = key(source, wanted)
  return name ~= nil and is_recorded(name)
end

--- Reports whether a preset has the rights in its `needs`, and asks once at the terminal if not.
---@param wanted moonlet.Grants
function M.given(source, preset, wanted)
  local name = key(source, wanted)
  if source.builtin then return true end
  if name and is_recorded(name) then return true end
  if not ask(source, wanted, "accept for this version of the preset? [y/N] ", preset) then
    return false
  end
  if name then record(name, source, wanted) end
  return true
end

--- Asks for consent to run a preset's tests. A consent given here is not recorded.
---@param wanted moonlet.Grants
function M.given_to_tests(source, preset, wanted)
  local name = key(source, wanted)
  return source.builtin or name ~= nil and is_recorded(name)
    or ask(source, wanted, "accept for this run of the tests? [y/N] ", preset)
end

--- Asks the user whether a run may start the programs that its command line names.
function M.allows_programs(source, programs)
  local wanted = grants.empty()
  for _, program in ipairs(programs) do wanted.run[program] = true end
  return ask(source, wanted, "accept for this run? [y/N] ")
end

--- Returns a fingerprint of a preset's text and rights, to which a consent is bound.
---@param wanted moonlet.Grants
function M.mark(source, wanted)
  return key(source, wanted) or table.concat(grants.describe(wanted), "\n")
end

--- Returns the needs of a preset, or raises an error if the user has not consented to them for the
--- preset's present text. `accepted` is true if the command line has --allow needs.
---@param consent string?  consent.mark() of the accepted preset; "" means none
---@param no_agents boolean?  the run starts no agents, whatever the preset asks for
---@return moonlet.Grants
function M.demand(source, preset, accepted, consent, no_agents)
  local wanted = grants.from_needs(preset.needs)
  local lines = grants.describe(no_agents and grants.without_agents(wanted) or wanted)
  if source.builtin or #lines == 0 then return wanted end
  if consent then
    if consent == M.mark(source, wanted) then return wanted end
  elseif accepted then
    local name = key(source, wanted)
    if name and not is_recorded(name) then record(name, source, wanted) end
    return wanted
  elseif M.given(source, preset, wanted) then
    return wanted
  end
  error({ kind = "denied", usage = true,
    message = ("preset %s asks for rights that were not given: %s"):format(preset.name,
      table.concat(lines, "; ")),
    hint = "read it, then pass --allow needs once for each version of its text" }, 0)
end

return M
