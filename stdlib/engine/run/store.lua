--- Reads the recorded runs of one repository. A damaged run.json counts as missing.
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

local hashes = setmetatable({}, { __mode = "k" })

--- Returns nil if run.json is damaged or belongs to another run.
function M.parse(text, id)
  local ok, value = pcall(core.json.decode_record, text or "")
  if not ok or type(value) ~= "table" or value == core.json.null then return nil end
  return value.id == id and manifest_schema.is_record(value) and value or nil
end

--- Reads run.json. Returns nil if it is missing or damaged, and an error if it is unreadable.
---@return table? record, moonlet.Error? err
function M.look(root, id)
  local text, err, cut = core.file.read(root, "runs/" .. id .. "/run.json", M.record_cap)
  if not text then return nil, err.kind ~= "invalid" and err or nil end
  local value = not cut and M.parse(text, id) or nil
  if value then hashes[value] = core.text.sha256(text) end
  return value
end

function M.hash(rec) return hashes[rec] end

--- Raises an error if run.json has changed since a plan was made from it.
---@param was string?  M.hash() of that record; nil if there was no record
function M.check_unchanged(root, id, was)
  local text, err = core.file.read(root, "runs/" .. id .. "/run.json", M.record_cap)
  if not text and err.kind ~= "invalid" then error(err, 0) end
  if not was or text and core.text.sha256(text) == was then return end
  error({ kind = "failed", stale = true,
    message = ("another process has changed %s in the meantime"):format(id),
    hint = "moonlet show " .. id }, 0)
end

--- Reports whether check_unchanged() raised the error, so that a new plan is needed.
function M.is_stale(err) return type(err) == "table" and rawget(err, "stale") == true end

--- Reads run.json like look(), but raises an error if it is unreadable.
function M.read(root, id)
  local value, err = M.look(root, id)
  if err then error(err, 0) end
  return value
end

--- Opens the `.agent` folder. Returns nil if it does not exist.
function M.root(home)
  local root, err = core.file.root(home.agent_path)
  if not root and err.kind ~= "invalid" then error(err, 0) end
  return root
end

--- Parses the number of a run's id. Returns nil for any other text.
function M.number(id)
  local digits = id:match "^R%-(%d+)$"
  local number = digits and #digits <= 18 and math.tointeger(tonumber(digits)) or 0
  return number > 0 and ("R-%03d"):format(number) == id and number or nil
end

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

function M.envelope(home, rec)
  local function value(key)
    if rec[key] == nil then return core.json.null end
    return rec[key]
  end
  return {
    id = rec.id, task_id = rec.task_id, preset = rec.preset,
    runner = type(rec.runner_name) == "string" and rec.runner_name or rec.runner,
    model = manifest.model(rec.model, rec.runner_name,
      type(rec.config) == "table" and rec.config.runners or nil),
    verdict = value "verdict",
    exit_code = rec.exit_code or manifest.exit_codes[rec.verdict] or core.json.null,
    started_at = rec.started_at, duration_ms = value "duration_ms",
    dir = home.agent_path .. "/" .. rec.sidecar, parent_run_id = value "parent_run_id",
    replay_reason = rec.options.reason or core.json.null, replayed_as = core.json.array {},
    steps = rec.steps ~= core.json.null and rec.steps or core.json.array {}, usage = value "usage",
    validation = rec.validation or core.json.array {},
    review = manifest.review(rec.review),
    files_changed = rec.files_changed or core.json.array {},
    held_back = rec.held_back or core.json.array {},
  }
end

--- Raises an error if the file of a large result is missing or was changed.
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
      message = ("the result of %s %s"):format(rec.id,
        is_gone and (why and "is gone: its file is missing"
        or "is gone: its file was changed") or "cannot be read: " .. why.message),
      hint = is_gone and ("restore the file from a backup; the run itself ended with: %s"):format(
        rec.verdict)
        or why.hint }, 0)
  end
  return value == nil and core.json.null or value
end

--- Returns the start values of a recorded run. Restores redacted secrets from the environment.
---@return string[] lost  fields whose secrets the environment no longer has
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
      record.refuse(("the path of the script of %s has a secret that is not known any more"):format(
        rec.id),
        ("give the environment the %s that it had when the run was started"):format(
          table.concat(names, ", ")),
        rec.path)
    end
  end
  for name, packed in pairs(type(rec.bytes) == "table" and rec.bytes or {}) do
    whole[name] = values.unpacked(packed)
  end
  return whole, lost
end

--- Returns the current config with the settings that the run recorded.
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
    -- The current config may route tasks to user runners that the run did not record, so add them.
    for name, entry in pairs(now.runners) do
      if entry.file and not own.runners[name] then own.runners[name] = entry end
    end
  end
  return own
end

local function is_of(rec, task)
  return rec.task_id == task or type(rec.packet) == "table" and rec.packet.id == task
end

local function find_task(home, root, task)
  if not root then return nil end
  -- The task id of a packet's run ends with the run's id: T-001-R-007.
  local named = task:match "^T%-%d+%-(R%-%d+)$"
  local own = named and M.number(named) and M.look(root, named)
  if own and own.task_id == task then return named, own end
  local indexed = core.ledger.present(home.handle)
    and core.ledger.list(home.handle, { task = task }, 1)
  local newest = indexed and indexed[1]
  local value = newest and M.look(root, newest.id)
  if value and is_of(value, task) then return newest.id, value end
  for _, candidate in ipairs(M.ids(root)) do
    value = M.look(root, candidate)
    if value and is_of(value, task) then return candidate, value end
  end
end

---@return string? id, table? record
function M.of_task(home, task) return find_task(home, M.root(home), task) end

local function newest(home, root)
  for _, id in ipairs(M.ids(root)) do
    local value = M.look(root, id)
    if value then return id, value end
  end
  record.refuse("there is no run yet", "moonlet preset list shows what can be run", home.top)
end

--- Finds a run by R-007, r-7, 7, a task id (its newest run), or `last`.
---@return string id, table record
function M.find(home, text)
  local root = M.root(home)
  if text == "last" then return newest(home, root) end
  local number = text:match("^[Rr]?%-?0*(%d+)$")
  -- More than 18 digits are not a run's number, but may be a task id that contains a time.
  local id = number and #number <= 18 and ("R-%03d"):format(tonumber(number)) or text
  if root and M.number(id) then
    local value = M.read(root, id)
    -- A full id (R-007) always means the run, so do not search the tasks.
    local by_task = value and text ~= id and find_task(home, root, text)
    if by_task and by_task ~= id then
      record.refuse(("'%s' is the task of %s, and may mean the run %s"):format(text, by_task, id),
        ("say %s or %s"):format(by_task, id))
    end
    if value then return id, value end
    if core.file.stat(root, "runs/" .. id) then
      record.refuse(("run %s has no run.json that can be read"):format(id),
        "it was ended before it began, or it is damaged: moonlet run verify",
        home.agent_path .. "/runs/" .. id)
    end
  end
  local packet = text:match "^[Tt]%-0*(%d+)$"
  packet = packet and #packet <= 9 and ("T-%03d"):format(tonumber(packet))
  local by_task, of_task = find_task(home, root, packet or text)
  if by_task then return by_task, of_task end
  if packet then record.refuse(packet .. " has no run", "moonlet run " .. packet) end
  record.refuse(("there is no run '%s'"):format(core.text.printable(text, 60)),
    "moonlet list shows them")
end

--- Raises an error for an imported run: nothing in it is executed, merged or ended.
---@param verb string  the refused action, as in "cannot be resumed"
function M.check_own(rec, verb)
  local from = rec.imported
  if type(from) ~= "table" or from == core.json.null then return end
  record.refuse(("%s was imported, and cannot be %s"):format(rec.id, verb),
    ("moonlet run PRESET --runner cassette:%s plays its answers"):format(rec.id))
end

--- Detects the record of an interactive run, which may continue after any verdict.
function M.is_prompt(rec)
  return rec.target == "repl" and rec.script == true
    and (rec.path == nil or rec.path == core.json.null)
end

return M
