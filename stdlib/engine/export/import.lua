--- `moonlet run import` imports a run's record from another machine under a new number. The files
--- are checked in `.agent/imports/<random>` before that folder is renamed; the next import removes
--- what a killed one left. The run is read-only: store.check_own() rejects changes.
local archive = require "moonlet.engine.export.archive"
local files = require "moonlet.engine.export.files"
local head = require "moonlet.engine.journal.head"
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null
local staging = "imports"
local most_numbers = 1000
local longest_text, longest_id = 1000, 64

local function refuse(message)
  record.refuse(message, "export the run again, and copy the file as it is")
end

local function is_text(value) return type(value) == "string" and #value <= longest_text end

local function entries(list, check)
  if type(list) ~= "table" or list == null then
    refuse "the manifest of the archive has no list of files"
  end
  for i, entry in ipairs(list) do
    local is_entry = type(entry) == "table" and entry ~= null and is_text(entry.path)
    if not is_entry or not check(entry) then
      refuse(("entry %d of the archive's manifest is damaged"):format(i))
    end
  end
  return list
end

--- Parses the manifest of an archive. Raises an error if it is malformed or names an unknown path.
---@return table manifest
function M.parse(text)
  local ok, value = pcall(core.json.decode, text)
  if not ok or type(value) ~= "table" or value == null then
    refuse "the manifest of the archive is not a JSON object"
  end
  if value.moonlet_record ~= archive.version then
    record.refuse(("the archive has the format %s, and this moonlet reads %d"):format(
      core.text.printable(tostring(value.moonlet_record), 40), archive.version),
      "use the version of moonlet that "
        .. "wrote it")
  end
  if not is_text(value.run) or not store.number(value.run) or not is_text(value.dir) then
    refuse "the manifest of the archive names no run"
  end
  local seen = {}
  entries(value.files, function(entry)
    local is_file = math.type(entry.bytes) == "integer" and entry.bytes >= 0
      and is_text(entry.sha256)
      and entry.sha256:find "^%x+$" and #entry.sha256 == 64
    if is_file and not files.is_known(entry.path) then
      refuse(("the archive contains '%s', which is not part of a record"):format(
        core.text.printable(entry.path, 200)))
    end
    seen[entry.path] = true
    return is_file
  end)
  if not seen["run.json"] or not seen["steps.jsonl"] then
    refuse "the archive holds no run.json or no journal"
  end
  entries(value.left, function(entry) return is_text(entry.why) end)
  return value
end

--- Builds the imported run.json with its origin, without fields that refer to things on the other
--- machine.
local function adopted(rec, id, manifest, origin)
  local left = {}
  for _, entry in ipairs(manifest.left) do left[entry.path] = entry.why end
  local now = {}
  for name, value in pairs(rec) do now[name] = value end
  local packet = type(rec.packet) == "table" and rec.packet ~= null and rec.packet.id or null
  now.imported = { run = manifest.run, dir = manifest.dir, at = core.clock.iso(core.clock.wall()),
    archive_sha256 = origin.archive, head = origin.head, left = left, packet = packet,
    parent_run_id = rec.parent_run_id or null }
  now.id, now.sidecar = id, ("runs/%s/sidecar"):format(id)
  now.packet, now.parent_run_id, now.review, now.reviewing, now.cleanup = null, null, null, nil, nil
  -- The attempts were paid for on another machine, so the ledger must not count them.
  now.attempts = core.json.array {}
  return now
end

--- Returns the next number that no run of this repository has had.
local function next_number(root)
  local newest = store.ids(root)[1]
  local hint = core.file.read(root, "runs/.last", 64) or ""
  return math.max(newest and store.number(newest) or 0, store.number(hint:match "^[^\n]*") or 0) + 1
end

---@param origin {archive: string, head: string}  hash of the manifest, and head hash of the journal
local function adopt(home, root, staged, rec, manifest, origin)
  local first = next_number(root)
  for number = first, first + most_numbers do
    local id = ("R-%03d"):format(number)
    local text = core.json.encode_record(adopted(rec, id, manifest, origin), 2) .. "\n"
    local body = core.json.encode_record { type = "imported",
      at = core.clock.iso(core.clock.wall()), run = id, from = manifest.run,
      archive = origin.archive, record = core.text.sha256(text) }
    local done, err = core.archive.adopt(home.handle, staged, id, text, body)
    local line = done == nil and err.kind == "failed" and err.message:match "is damaged: (line .*)$"
    if line then refuse("the journal in the archive is damaged: " .. line) end
    if done == nil then error(err, 0) end
    if done then return id end
  end
  error({ kind = "failed", message = "no free run id was found",
    hint = "remove the folders in .agent/runs whose names "
    .. "are far too high" }, 0)
end

--- Writes an archive's files into an empty folder, and checks that they are the record of a run.
local function unpack_into(into, dir, name, text, manifest)
  local list, names = {}, {}
  for i, entry in ipairs(manifest.files) do
    list[i] = { name = entry.path, bytes = entry.bytes, sha256 = entry.sha256 }
    names[i] = entry.path
  end
  assert(core.archive.extract(dir, name, text, list, into))
  assert(core.file.make_dirs(into, "sidecar"))
  assert(core.file.sync(into, names))
  local rec = store.parse(core.file.read(into, "run.json", store.record_cap), manifest.run)
  local is_named = rec and #rec.task_id <= longest_id and rec.task_id:find "^%w[%w._-]*$"
  if not is_named then refuse "run.json in the archive is damaged" end
  if not rec.ended then refuse(("%s in the archive has not ended"):format(manifest.run)) end
  local hash = head.of_file(into, "steps.jsonl")
  if not hash then refuse "the journal in the archive is empty or damaged" end
  return rec, hash
end

--- Removes the folders of killed imports. The caller holds the lock that serializes imports.
local function sweep(root)
  for _, entry in ipairs(core.file.list(root, staging) or {}) do
    if entry.type == "directory" then core.file.remove(root, staging .. "/" .. entry.name) end
  end
end

--- Imports an archive. If the archive is not the record of a run, raises an error and leaves no files.
---@param root userdata  the opened `.agent` folder
---@return string id, table manifest
function M.read(home, root, dir, name)
  local text = assert(core.archive.manifest(dir, name))
  local manifest = M.parse(text)
  assert(core.file.make_dirs(root, staging))
  local lock = assert(core.file.lock(root, staging .. "/lock", 60000))
  sweep(root)
  local staged = ("%s/%s"):format(staging, core.clock.random_hex(8))
  local ok, result = pcall(function()
    local into = assert(core.file.make_root(home.agent_path .. "/" .. staged))
    local rec, hash = unpack_into(into, dir, name, text, manifest)
    return adopt(home, root, staged, rec, manifest,
      { archive = core.text.sha256(text), head = hash })
  end)
  if not ok then core.file.remove(root, staged) end
  core.file.unlock(lock)
  if not ok then error(result, 0) end
  return result, manifest
end

return M
