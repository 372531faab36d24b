--- Applies a merge plan to the work tree file by file.
--- A merge can be resumed after a crash, because its plan is recorded and each swap is atomic.
--- A replaced file is checked before it is deleted, and is put back if the user has changed it.
local files = require "moonlet.engine.base.files"
local merge_plan = require "moonlet.engine.workspace.merge_plan"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local head = "moonlet landing 2"
local record_cap = 256 << 20

---@class moonlet.Landing
---@field entries moonlet.OverlayEntry[]   deletions first
---@field folders string[]                 folders that the merge creates
---@field left string[]                    files that are not merged
---@field top string                       top of the work tree
---@field work any
---@field stage any

local function must(value, err)
  if value == nil then error(err, 0) end
  return value
end

local function content(root, path) return must(core.file.content(root, path)) end

local function open(run, dir, top)
  local folder = run.absolute(merge_plan.folder(dir))
  return { entries = {}, folders = {}, left = {}, before = {}, top = top,
    work = must(core.file.root(top)), stage = files.make_root(folder) }
end

local function write_record(landing)
  local parts = { head, "top", landing.top, "", "", "" }
  local function add(kind, path, base, result, name)
    table.move({ kind, path, base or "", result or "", name or "" }, 1, 5, #parts + 1, parts)
  end
  for _, folder in ipairs(landing.folders) do add("folder", folder) end
  for _, path in ipairs(landing.left) do add("left", path) end
  for _, entry in ipairs(landing.before) do
    add("before", entry.path, entry.base, entry.result, entry.name)
  end
  for _, entry in ipairs(landing.entries) do
    add("file", entry.path, entry.base, entry.result, entry.name)
  end
  files.write(landing.stage, "record", table.concat(parts, "\0") .. "\0")
end

--- Lists the missing parent folders of the files that the merge writes.
local function missing_folders(work, entries)
  local known, list = {}, {}
  for _, entry in ipairs(entries) do
    local prefix = ""
    for name in (entry.result ~= "" and entry.path or ""):gmatch("([^/]+)/") do
      prefix = prefix == "" and name or prefix .. "/" .. name
      if known[prefix] == nil then
        known[prefix] = content(work, prefix) == "directory"
        if not known[prefix] then list[#list + 1] = prefix end
      end
    end
  end
  return list
end

local function in_order(entries)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.result == "" then list[#list + 1] = entry end
  end
  for _, entry in ipairs(entries) do
    if entry.result ~= "" then list[#list + 1] = entry end
  end
  return list
end

local function parent_of(path) return path:match("^(.*)/[^/]+$") end

--- Removes the parent folders of a path that have become empty.
local function remove_emptied(work, path)
  local folder = parent_of(path)
  while folder and core.file.remove_empty(work, folder) do folder = parent_of(folder) end
end

--- Removes a folder and its subfolders, unless it contains a file.
local function remove_folders(work, folder)
  for _, entry in ipairs(core.file.list(work, folder) or {}) do
    if entry.type ~= "directory" then return end
    remove_folders(work, folder .. "/" .. entry.name)
  end
  core.file.remove_empty(work, folder)
end

local function exchange(landing, entry)
  return must(core.file.swap(landing.work, entry.path, landing.stage, entry.name))
end

--- Swaps one file into the work tree. Swaps it back if the replaced file is not as expected.
local function put(landing, entry)
  local work, stage = landing.work, landing.stage
  if entry.result ~= "" then
    local folder = parent_of(entry.path)
    if folder then must(core.file.make_dirs(work, folder)) end
    if entry.base == "" and content(work, entry.path) == "directory" then
      remove_folders(work, entry.path)
    end
  elseif content(work, entry.path) == "" then
    return false
  end
  exchange(landing, entry)
  if content(stage, entry.name) == entry.base then return true end
  exchange(landing, entry)
  return false
end

--- Returns the content at an entry's path. A folder counts as a missing file if the entry creates
--- or deletes the file.
local function present(landing, entry)
  local now = content(landing.work, entry.path)
  return (now == "directory" and (entry.base == "" or entry.result == "")) and "" or now, now
end

--- Returns the state of an entry: "done", "open", or "changed" (by another program).
local function standing(landing, entry)
  local stage, name = landing.stage, entry.name
  local now = present(landing, entry)
  local old = name .. ".old"
  if content(stage, old) ~= "" then
    -- The host died between the two steps of a swap.
    if now == entry.result then
      must(core.file.rename(stage, old, name))
    else
      must(core.file.remove(stage, old))
    end
  end
  local kept = content(stage, name)
  if now == entry.result then
    if kept == entry.base or kept == "" or kept == entry.result then return "done" end
    -- The user changed the file shortly before the merge replaced it, and the host died before it
    -- compared the versions. Put the user's version back.
    exchange(landing, entry)
    return "changed"
  end
  if now ~= entry.base then return "changed" end
  if entry.result == "" then
    must(core.file.remove(stage, name))
    return "open"
  end
  return kept == entry.result and "open" or "changed"
end

--- Restores one file. Returns false if another program has changed it since the merge.
local function take_back_one(landing, entry)
  local work, stage = landing.work, landing.stage
  local now, shown = present(landing, entry)
  -- The merge has not replaced this file, so there is nothing to restore.
  if now == entry.base or content(stage, entry.name) ~= entry.base then return true end
  if now ~= entry.result then return false end
  if shown == "directory" then remove_folders(work, entry.path) end
  local folder = entry.base ~= "" and parent_of(entry.path)
  if folder then must(core.file.make_dirs(work, folder)) end
  exchange(landing, entry)
  if content(stage, entry.name) == entry.result then return true end
  exchange(landing, entry)
  return false
end

--- Rolls back the merge. The first result is false if a file was not restored because of an error.
--- The second lists entries that were not restored because another program has changed their files.
---@return boolean whole, moonlet.OverlayEntry[] changed
local function take_back(landing)
  local whole, changed, breathe = true, {}, cooperative.new()
  local function note(entry, ok, back)
    whole = whole and ok
    if ok and not back then changed[#changed + 1] = entry end
  end
  -- These entries are outdated: a resumed merge has made new plans for the same files.
  for _, entry in ipairs(landing.before) do
    note(entry, pcall(function()
      return content(landing.stage, entry.name) ~= entry.base
        or present(landing, entry) == entry.base
    end))
  end
  for i = #landing.entries, 1, -1 do
    note(landing.entries[i], pcall(take_back_one, landing, landing.entries[i]))
    breathe()
  end
  for i = #landing.folders, 1, -1 do core.file.remove_empty(landing.work, landing.folders[i]) end
  return whole, changed
end

local function drop(run, dir)
  local root = files.must(core.file.root(run.absolute(dir)))
  -- Remove the record first. If the host is then killed, no later host resumes this merge.
  if files.is_there(root, "landing") then must(core.file.remove(root, "landing/record")) end
  must(core.file.remove(root, "landing"))
end

--- Returns an unused name for a new folder in the step's folder.
local function free_folder(root)
  local name, count = "before-merge", 1
  while files.is_there(root, name) do
    count = count + 1
    name = "before-merge-" .. count
  end
  return name
end

--- Deletes the record of a merge that was rolled back.
--- A rollback does not touch files that another program has changed after the merge.
--- Warns about these files, and keeps their versions from before the merge.
local function let_go(run, dir, changed)
  if #changed == 0 then return drop(run, dir) end
  local root = must(core.file.root(run.absolute(dir)))
  local folder, shown, put_aside = free_folder(root), {}, false
  for i, entry in ipairs(changed) do
    put_aside = put_aside or entry.base ~= ""
    shown[i] = entry.path
  end
  local text = kept_worktrees.shown(shown)
    .. ": changed since the agent's work was merged there, so it stays unchanged"
  if put_aside then
    text = ("%s, and what it was before is kept in %s/%s"):format(text, run.absolute(dir), folder)
  end
  run.emit("warning", { text = text })
  for _, entry in ipairs(changed) do
    if entry.base ~= "" then
      local path = folder .. "/" .. entry.path
      must(core.file.make_dirs(root, parent_of(path)))
      -- Two entries may have replaced the same file, so keep both of its earlier versions.
      while files.is_there(root, path) do path = path .. "~" end
      must(core.file.rename(root, "landing/" .. entry.name, path))
    end
  end
  drop(run, dir)
end

--- Rolls back the merge and raises the error.
local function give_up(run, dir, landing, err)
  local whole, changed = take_back(landing)
  local ok = whole and pcall(let_go, run, dir, changed)
  if not ok and type(err) == "table" then
    err.hint = "some files could not be restored: they are in "
      .. run.absolute(merge_plan.folder(dir))
  end
  error(err, 0)
end

local function changed_meanwhile(entry)
  return { kind = "failed", class = "conflict", meanwhile = true,
    message = ("the agent's change does not apply any more: %s was changed meanwhile"):format(
      core.text.printable(entry.path, 300)) }
end

--- Calls fn like pcall(), in a scope that cannot be cancelled.
---@param fn function
function M.shielded(fn, ...)
  local shield = core.task.open_scope { shield = true, what = "a merge" }
  local ok, err = pcall(fn, ...)
  core.task.wait_scope(shield)
  core.task.close_scope(shield)
  return ok, err
end

--- Swaps the files that are not merged yet into the work tree, and records the merge as done.
--- Rolls back the merge if an error occurs or another program has changed a file.
local function carry_out(run, dir, landing, done, standings)
  local breathe = cooperative.new()
  local ok, err = pcall(function()
    for _, entry in ipairs(landing.entries) do
      if (not standings or standings[entry] == "open") and not put(landing, entry) then
        error(changed_meanwhile(entry), 0)
      end
      breathe()
    end
    for _, entry in ipairs(landing.entries) do
      if entry.result == "" then remove_emptied(landing.work, entry.path) end
    end
    done()
  end)
  if not ok then give_up(run, dir, landing, err) end
  -- The merge is recorded, so leftover files do no harm.
  pcall(drop, run, dir)
end

--- Merges the entries and calls `done`, or rolls back and raises an error. Cannot be cancelled.
---@param dir string    folder of the step
---@param entries moonlet.OverlayEntry[]
---@param done fun()    records the merge; if it raises an error, nothing is recorded
function M.land(run, dir, entries, left, done)
  local landing = open(run, dir, run.top)
  landing.entries, landing.left = in_order(entries), left
  landing.folders = missing_folders(landing.work, entries)
  core.task.check()
  write_record(landing)
  local ok, err = M.shielded(carry_out, run, dir, landing, done)
  if not ok then error(err, 0) end
end

--- Returns the recorded plan of an earlier host's unfinished merge, or nil.
---@return moonlet.Landing?
function M.pending(run, dir)
  local root = files.root(run.absolute(merge_plan.folder(dir)))
  local text = root and files.read(root, "record", record_cap)
  if not text or text:sub(1, #head + 1) ~= head .. "\0" then return nil end
  local top = text:match("^top%z([^%z]+)%z", #head + 2)
  if not top then return nil end
  local landing = open(run, dir, top)
  local fields = "(%l+)%z([^%z]+)%z([^%z]*)%z([^%z]*)%z([^%z]*)%z"
  for kind, path, base, result, name in text:sub(#head + 2):gmatch(fields) do
    if kind == "folder" then
      landing.folders[#landing.folders + 1] = path
    elseif kind == "left" then
      landing.left[#landing.left + 1] = path
    elseif kind == "file" or kind == "before" then
      local list = kind == "file" and landing.entries or landing.before
      list[#list + 1] = { path = path, base = base, result = result, name = name }
    end
  end
  return landing
end

--- Resumes a merge.
--- For a file that has changed since, `again(entry)` makes a new plan and returns its entries.
--- If `again` raises an error because the changes no longer apply, the merge is rolled back.
---@param landing moonlet.Landing
---@param again fun(entry: moonlet.OverlayEntry): moonlet.OverlayEntry[]?
---@param done fun()   records the merge; if it raises an error, nothing is recorded
function M.go_on(run, dir, landing, again, done)
  local standings, list, before, changed = {}, {}, { table.unpack(landing.before) }, false
  local ok, err = pcall(function()
    local breathe = cooperative.new()
    for _, entry in ipairs(landing.entries) do
      local stands = standing(landing, entry)
      if stands == "changed" then
        changed = true
        before[#before + 1] = entry
        for _, other in ipairs(again(entry) or {}) do
          list[#list + 1] = other
          standings[other] = "open"
        end
      else
        list[#list + 1] = entry
        standings[entry] = stands
      end
      breathe()
    end
  end)
  if not ok then
    if type(err) == "table" and err.class == "conflict" then
      err = select(2, M.shielded(give_up, run, dir, landing, err))
    end
    error(err, 0)
  end
  if changed then
    landing.entries, landing.before = in_order(list), before
    write_record(landing)
  end
  ok, err = M.shielded(carry_out, run, dir, landing, done, standings)
  if not ok then error(err, 0) end
end

--- Rolls back the unfinished merge of an attempt that is abandoned.
---@return boolean  true if a merge was rolled back
function M.undo(run, dir)
  local landing = M.pending(run, dir)
  if landing then
    local whole, changed
    local ok = M.shielded(function()
      local breathe = cooperative.new()
      for _, entry in ipairs(landing.entries) do
        standing(landing, entry)
        breathe()
      end
      whole, changed = take_back(landing)
      if whole then let_go(run, dir, changed) end
    end)
    if not (ok and whole) then
      error({ kind = "failed",
        message = "the interrupted merge of an earlier attempt could not be undone",
        hint = "the files from before are in " .. run.absolute(merge_plan.folder(dir)) }, 0)
    end
  end
  M.forget(run, dir)
  return landing ~= nil
end

--- Deletes the folder of a merge, which contains its record and the files that it replaced.
function M.forget(run, dir)
  if files.root(run.absolute(dir)) then drop(run, dir) end
end

return M
