--- The recorded runs of one repository: their run.json, read with care.
local record = require "moonlet.record"
local values = require "moonlet.engine.journal.values"
local config = require "moonlet.engine.load.config"
local redact_argv = require "moonlet.engine.agent.redact_argv"
local input_hash = require "moonlet.engine.journal.input_hash"
local seal = require "moonlet.engine.run.seal"
local manifest_schema = require "moonlet.engine.run.manifest_schema"
local manifest = require "moonlet.engine.run.manifest"

local M = {}

M.record_cap = 64 << 20

--- The hash of the text that a record was read from.
local hashes = setmetatable({}, { __mode = "k" })

--- The record in a text; nil when it is none of that run.
---@param text string?
---@param id string
---@return table?
function M.parse(text, id)
  local ok, value = pcall(core.json.decode_record, text or "")
  if not ok or type(value) ~= "table" or value == core.json.null then return nil end
  return value.id == id and manifest_schema.is_record(value) and value or nil
end

--- The run.json of a run; nil when it is missing or damaged, or cannot be read at the moment, with that error.
---@param root any   the opened `.agent` folder
---@param id string
---@return table? record, moonlet.Error? err
function M.look(root, id)
  local text, err, cut = core.file.read(root, "runs/" .. id .. "/run.json", M.record_cap)
  if not text then return nil, err.kind ~= "invalid" and err or nil end
  local value = not cut and M.parse(text, id) or nil
  if value then hashes[value] = core.text.sha256(text) end
  return value
end

--- The hash of the run.json that a record was read from, however the record was changed; nil for any other table. It
--- shows later if the record still holds.
---@param rec table
---@return string?
function M.hash(rec) return hashes[rec] end

--- Raises if run.json has changed since a plan was made from it: somebody has driven the run since, or ended it.
---@param root any
---@param id string
---@param was string?  M.hash() of that; nil if there was none
function M.check_unchanged(root, id, was)
  local text, err = core.file.read(root, "runs/" .. id .. "/run.json", M.record_cap)
  if not text and err.kind ~= "invalid" then error(err, 0) end
  if not was or text and core.text.sha256(text) == was then return end
  error({ kind = "failed", stale = true, message = ("another process has changed %s in the meantime"):format(id),
    hint = "moonlet run show " .. id }, 0)
end

--- True for the error of check_unchanged(): the plan has to be made anew.
---@param err any
---@return boolean
function M.is_stale(err) return type(err) == "table" and rawget(err, "stale") == true end

--- The run.json of a run; nil when it is missing or damaged. Raises when it cannot be read at the moment.
---@param root any   the opened `.agent` folder
---@param id string
---@return table?
function M.read(root, id)
  local value, err = M.look(root, id)
  if err then error(err, 0) end
  return value
end

--- The opened `.agent` folder of a home; nil when there is none yet. Raises when it cannot be opened now: that is not
--- the same.
function M.root(home)
  local root, err = core.file.root(home.agent_path)
  if not root and err.kind ~= "invalid" then error(err, 0) end
  return root
end

--- The number of a run's id, as the host writes it; nil for any other text.
---@param id string
---@return integer?
function M.number(id)
  local digits = id:match "^R%-(%d+)$"
  local number = digits and #digits <= 18 and math.tointeger(tonumber(digits)) or 0
  return number > 0 and ("R-%03d"):format(number) == id and number or nil
end

--- Ids of all runs, newest first.
---@return string[]
function M.ids(root)
  local ids = {}
  local entries, err = {}, nil
  if root then entries, err = core.file.list(root, "runs") end
  if not entries and err.kind ~= "invalid" then error(err, 0) end
  for _, entry in ipairs(entries or {}) do
    if entry.type == "directory" and M.number(entry.name) then ids[#ids + 1] = entry.name end
  end
  table.sort(ids, function(a, b)
    if #a ~= #b then return #a > #b end
    return a > b
  end)
  return ids
end

--- The `run` object of an envelope, from the record.
function M.envelope(home, rec)
  local function value(key)
    if rec[key] == nil then return core.json.null end
    return rec[key]
  end
  return {
    id = rec.id, task_id = rec.task_id, preset = rec.preset,
    runner = type(rec.runner_name) == "string" and rec.runner_name or rec.runner,
    model = manifest.model(rec.model, rec.runner_name, type(rec.config) == "table" and rec.config.runners or nil),
    verdict = value "verdict",
    exit_code = rec.exit_code or manifest.exit_codes[rec.verdict] or core.json.null, started_at = rec.started_at,
    duration_ms = value "duration_ms", dir = home.agent_path .. "/" .. rec.sidecar,
    parent_run_id = value "parent_run_id", replay_reason = rec.options.reason or core.json.null,
    replayed_as = core.json.array {},
    steps = rec.steps ~= core.json.null and rec.steps or core.json.array {}, usage = value "usage",
    validation = rec.validation or core.json.array {},
    review = manifest.review(rec.review),
    files_changed = rec.files_changed or core.json.array {}, held_back = rec.held_back or core.json.array {},
  }
end

--- The result of the run; null if it returned nothing, or has not ended. Raises if its file is gone: that is not the
--- same.
---@param home table
---@param rec table
---@return any
function M.result(home, rec)
  local stored = rec.result
  if stored == nil or stored == core.json.null then return core.json.null end
  local root = M.root(home)
  local path, why
  local value = values.get(stored, function(name, cap)
    path = ("runs/%s/values/%s"):format(rec.id, name)
    local text, err = core.file.read(root, path, cap)
    why = err
    return text
  end)
  if value == nil and path then
    local is_gone = not why or why.kind == "invalid"
    error({ kind = is_gone and "lost" or why.kind, at = home.agent_path .. "/" .. path,
      message = ("the result of %s %s"):format(rec.id, is_gone and (why and "is gone: its file is missing"
        or "is gone: its file was changed") or "cannot be read: " .. why.message),
      hint = is_gone and ("bring the file back from a copy; the run itself came to: %s"):format(rec.verdict)
        or why.hint }, 0)
  end
  return value == nil and core.json.null or value
end

--- The record of a run to be resumed, with its start values as given, secrets and all.
---@param home table
---@param rec table
---@return table rec
---@return string[] lost  fields whose secrets the environment does not have any more
function M.as_given(home, rec)
  local told, lost = input_hash.with_secrets(rec, seal.key(M.root(home), rec.id) or "")
  local whole = {}
  for name, value in pairs(told) do whole[name] = value end
  for _, name in ipairs(lost) do
    if name == "path" then
      local names, seen = {}, {}
      for label in rec.path:gmatch "%[redacted:([^%]]+)%]" do
        if not seen[label] then names[#names + 1] = label end
        seen[label] = true
      end
      error(record.invalid(("the path of the script of %s has a secret that is not known any more"):format(rec.id),
        ("give the environment the %s that it had when the run was started"):format(table.concat(names, ", ")),
        rec.path), 0)
    end
  end
  for name, packed in pairs(type(rec.bytes) == "table" and rec.bytes or {}) do whole[name] = values.unpacked(packed) end
  return whole, lost
end

--- The user's config as it was when the run was started, so far as it concerns runs.
---@param rec table
---@return moonlet.Config
function M.config(rec)
  local now = config.current()
  local then_ = type(rec.config) == "table" and rec.config ~= core.json.null and rec.config or {}
  local own = {}
  for key, value in pairs(now) do own[key] = value end
  for key, value in pairs(then_) do
    if value ~= core.json.null then own[key] = value end
  end
  if own.runners ~= now.runners then
    own.runners = redact_argv.restored(own.runners, now.runners)
    -- Routes come from the config as it is now, also for runners that the run has not known.
    for name, entry in pairs(now.runners) do
      if entry.file and not own.runners[name] then own.runners[name] = entry end
    end
  end
  return own
end

--- True for the run of a task, or of a packet.
local function is_of(rec, task)
  return rec.task_id == task or type(rec.packet) == "table" and rec.packet.id == task
end

--- The newest run of a task or packet; nil when there is none.
local function find_task(home, root, task)
  if not root then return nil end
  -- The folder of a packet's run has the run in its name.
  local named = task:match "^T%-%d+%-(R%-%d+)$"
  local own = named and M.number(named) and M.look(root, named)
  if own and own.task_id == task then return named, own end
  local indexed = core.ledger.present(home.handle) and core.ledger.list(home.handle, { task = task }, 1)
  local newest = indexed and indexed[1]
  local value = newest and M.look(root, newest.id)
  if value and is_of(value, task) then return newest.id, value end
  for _, candidate in ipairs(M.ids(root)) do
    value = M.look(root, candidate)
    if value and is_of(value, task) then return candidate, value end
  end
end

--- The newest run of a task; nil when there is none.
---@param home table
---@param task string
---@return string? id, table? record
function M.of_task(home, task) return find_task(home, M.root(home), task) end

--- The newest run.
local function newest(home, root)
  for _, id in ipairs(M.ids(root)) do
    local value = M.look(root, id)
    if value then return id, value end
  end
  error(record.invalid("there is no run yet", "moonlet preset list shows what can be run", home.top), 0)
end

--- The run that `text` names: an id (R-007, r-7, 7), `last`, a task id, or a packet (T-001), which has its newest run;
--- raises for anything else.
---@return string id, table record
function M.find(home, text)
  local root = M.root(home)
  if text == "last" then return newest(home, root) end
  local number = text:match("^[Rr]?%-?0*(%d+)$")
  -- Longer ones are names of tasks, made of the time.
  local id = number and #number <= 18 and ("R-%03d"):format(tonumber(number)) or text
  if root and M.number(id) then
    local value = M.read(root, id)
    -- A whole id means the run; it is asked for often.
    local by_task = value and text ~= id and find_task(home, root, text)
    if by_task and by_task ~= id then
      error(record.invalid(("'%s' is the task of %s, and may mean the run %s"):format(text, by_task, id),
        ("say %s or %s"):format(by_task, id)), 0)
    end
    if value then return id, value end
    if core.file.stat(root, "runs/" .. id) then
      error(record.invalid(("run %s has no run.json that can be read"):format(id),
        "it was ended before it began, or it is damaged: moonlet run verify", home.agent_path .. "/runs/" .. id), 0)
    end
  end
  local packet = text:match "^[Tt]%-0*(%d+)$"
  packet = packet and #packet <= 9 and ("T-%03d"):format(tonumber(packet))
  local by_task, of_task = find_task(home, root, packet or text)
  if by_task then return by_task, of_task end
  if packet then error(record.invalid(packet .. " has no run", "moonlet run " .. packet), 0) end
  error(record.invalid(("there is no run '%s'"):format(core.text.printable(text, 60)),
    "moonlet run list shows them"), 0)
end

--- Raises for a run that was imported: its record is another machine's word, so nothing in it is executed, no process
--- that it names is ended, and nothing is merged from it.
---@param rec table
---@param verb string  as in "cannot be resumed"
function M.check_own(rec, verb)
  local from = rec.imported
  if type(from) ~= "table" or from == core.json.null then return end
  error(record.invalid(("%s was imported, and cannot be %s"):format(rec.id, verb),
    ("moonlet run PRESET --runner cassette:%s plays its answers"):format(rec.id)), 0)
end

--- True for the record of a prompt, which may go on after any verdict.
---@param rec table
---@return boolean
function M.is_prompt(rec)
  return rec.target == "repl" and rec.script == true and (rec.path == nil or rec.path == core.json.null)
end

return M
