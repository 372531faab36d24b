--- Records the hashes of a run's files in the journal, so that changes are noticed.
local values = require "moonlet.engine.journal.values"

local M = {}

--- The events file still grows after the run has ended, so only its beginning is hashed.
M.grows = "events.jsonl"
--- Lists the files of a sidecar that change after the run has ended.
M.later = { M.grows, "decision.md" }
local grown_cap = 256 << 20

--- Hashes the first `bytes` bytes of the events file, or up to 256 MiB, and then syncs it.
local function grown(tree, bytes)
  local is, why = tree.beginning(bytes or grown_cap, bytes == nil)
  if is then
    is.grows = true
    return is
  end
  return why.kind ~= "invalid" and { bytes = 0, error = why.message, grows = true } or nil
end

---@param fold integer?  depth of the folders that an earlier list hashes as a whole
---@param bytes integer?  size of the events file in an earlier list
---@return table? tree  { files, fold?, beginning }
function M.tree(root, sidecar, fold, bytes)
  local tree, err = core.audit.tree(root, sidecar, M.later, fold)
  if not tree then return nil, err end
  local path = sidecar .. "/" .. M.grows
  function tree.beginning(...) return core.audit.beginning(root, path, ...) end
  tree.files[M.grows] = grown(tree, bytes)
  return tree
end

--- Returns nil if the run had no keeper.
function M.keeper_log(root, id)
  return core.audit.beginning(root, "runs/" .. id .. "/keeper.log")
end

--- Reads the key for a run's keyed hashes. Returns nil if the key is missing or damaged.
function M.key(root, id)
  local key = core.file.read(root, ("runs/%s/key"):format(id), 65)
  return key and #key == 64 and not key:find("[^%x]") and key or nil
end

--- Lists a file whose path contains a secret by a redacted name and the keyed hash of its path.
--- Without the run's key, a file with a secret in its path is not listed.
---@param keyed fun(text: string): string?
function M.name_files(files, keyed)
  local named = {}
  for path in pairs(files) do
    local told = core.secret.hide(path)
    if told ~= path then named[path] = told end
  end
  for path, told in pairs(named) do
    local file, name, number = files[path], told, 1
    while files[name] do
      number = number + 1
      name = ("%s~%d"):format(told, number)
    end
    file.named, files[path] = keyed(path), nil
    files[name] = file.named and file
  end
end

local function file_text(file)
  return file.error or (file.special and "special file") or file.sha256
end

--- Reports whether a file is unchanged. Compares only the sizes if the file was too large for a
--- hash. A file with a recorded hash and no present hash counts as changed; otherwise somebody
--- could add files until the limit for hashing is reached.
function M.is_same(is, was)
  if is.link ~= was.link then return false end
  if was.unhashed and not was.sha256 then return is.bytes == was.bytes and not is.special end
  return file_text(is) == file_text(was)
end

--- Reports whether a file belongs to a merge in progress. Such a file is not an output of a step.
local function is_for_merge(path)
  local name = path:match("^steps/[^/]+/(.*)$") or path
  return name == "changes.carried" or name:sub(1, 8) == "landing/"
end

local function is_unread(tree, path)
  local at = path
  while at do
    local entry = tree.files[at]
    if entry then return entry.error ~= nil end
    at = at:match "^(.*/)[^/]+/?$"
  end
  return tree.files["./"] ~= nil and tree.files["./"].error ~= nil
end

local function keep_unread(tree, before, is_ours)
  for path, was in pairs(before) do
    if not was.error and is_unread(tree, path) and not (is_ours and is_ours(path)) then
      tree.files[path] = was
    end
  end
end

--- Lists the files that another program has changed since the run ended or parked, including those
--- that `rec.altered` lists already.
---@param is_ours (fun(path: string): boolean)?  true if the run has written the file since
function M.altered(rec, tree, is_ours)
  local paths, known = core.json.array {}, {}
  for _, path in ipairs(type(rec.altered) == "table" and rec.altered or {}) do
    paths[#paths + 1], known[path] = path, true
  end
  -- If there are many files, folders are hashed as a whole, so single files cannot be compared.
  local before = rec.ended and not rec.files_fold and not tree.fold and type(rec.files) == "table"
    and rec.files or {}
  keep_unread(tree, before, is_ours)
  for path, was in pairs(before) do
    local is = tree.files[path]
    if is and was.grows and is ~= was then
      is = grown(tree, was.bytes)
      if is and is.error then is, tree.files[path] = was, was end
    end
    local ours = is_for_merge(path) or not was.grows and is_ours and is_ours(path)
    if not known[path] and not ours and not was.error and not (is and M.is_same(is, was)) then
      paths[#paths + 1] = path
    end
  end
  table.sort(paths)
  return paths[1] and paths or nil
end

---@class moonlet.Seal
---@field files table?        path -> hash and size
---@field files_fold integer?
---@field altered string[]?   files that were changed while no host drove the run
---@field keeper_log table?   hash of keeper.log

--- Hashes the files of the sidecar. A failure is only reported, because it must not fail the run.
---@return moonlet.Seal
function M.seal(run)
  local root, err = core.file.root(run.home.agent_path)
  local tree
  if root then tree, err = M.tree(root, run.sidecar) end
  if not tree then
    run.emit("warning", { text = "the artifacts are not bound to the record: " .. err.message })
    return {}
  end
  M.name_files(tree.files, values.keyed)
  local altered = run.sealed and M.altered(run.sealed, tree, run.has_written)
  if altered then
    run.emit("warning",
      { text = ("%d of its files were changed or removed while no process drove it, the first "
      .. "of them: "
      .. "%s"):format(#altered, core.text.printable(altered[1], 200)) })
  end
  return { files = tree.files, files_fold = tree.fold, altered = altered or nil,
    keeper_log = M.keeper_log(root, run.id) }
end

function M.hash_of_files(files)
  return files and core.text.sha256(core.json.encode_record(files)) or nil
end

--- Hashes the text of run.json in the redacted form that is written to disk.
function M.hash_of_record(text) return core.text.sha256(core.run.redact(text)) end

--- Appends `item` to the journal of an ended or parked run, and writes `text` to the file `path`.
--- Holds the run's lock meanwhile. Writes nothing if run.json has changed since the caller read it.
---@param was string    hash of the run.json that the caller read (store.hash)
---@param path string   path of the file below `.agent`
---@return boolean done   false if a host drives the run or has changed it; then read run.json again
---@return table? err     why nothing was written, or why the damaged journal lacks the record
function M.change(home, id, was, item, path, text)
  local done, err = core.audit.record(home.handle, id, core.json.encode_record(item),
    was, path, text)
  if done == nil then error(err, 0) end
  return done, err
end

return M
