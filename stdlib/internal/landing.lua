--- Brings files into the work tree, one after the other, so that it can be taken up at any moment: what is
--- to be done is on record first, each file is exchanged with what was there as one step, and what came out
--- is looked at before it is let go. What the user changed meanwhile is put back.
local overlay = require "moonlet.internal.overlay"
local turn = require "moonlet.internal.turn"

local M = {}

local head = "moonlet landing 2"
local record_cap = 256 << 20

---@class moonlet.Landing
---@field entries moonlet.OverlayEntry[]   deletions first
---@field folders string[]                 that are made for it
---@field left string[]                    what stays behind
---@field top string                       of the work tree
---@field work any
---@field stage any

local function must(value, err)
  if value == nil then error(err, 0) end
  return value
end

local function content(root, path) return must(core.file.content(root, path)) end

local function open(run, dir, top)
  local folder = run.absolute(overlay.folder(dir))
  return { entries = {}, folders = {}, left = {}, top = top, work = must(core.file.root(top)),
    stage = must(core.file.make_root(folder)) }
end

local function write_record(landing)
  local parts = { head, "top", landing.top, "", "", "" }
  local function add(kind, path, base, result, name)
    table.move({ kind, path, base or "", result or "", name or "" }, 1, 5, #parts + 1, parts)
  end
  for _, folder in ipairs(landing.folders) do add("folder", folder) end
  for _, path in ipairs(landing.left) do add("left", path) end
  for _, entry in ipairs(landing.entries) do add("file", entry.path, entry.base, entry.result, entry.name) end
  must(core.file.write(landing.stage, "record", table.concat(parts, "\0") .. "\0"))
end

--- The folders that are not there yet.
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

--- Removes the folders above, as long as nothing is in them.
local function remove_emptied(work, path)
  local folder = parent_of(path)
  while folder and core.file.remove_empty(work, folder) do folder = parent_of(folder) end
end

--- Removes a folder in which there are only folders.
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

--- Lets one file and what was there change places. False when it was not what it had been.
local function put(landing, entry)
  local work, stage = landing.work, landing.stage
  if entry.result ~= "" then
    local folder = parent_of(entry.path)
    if folder then must(core.file.make_dirs(work, folder)) end
    if entry.base == "" and content(work, entry.path) == "directory" then remove_folders(work, entry.path) end
  elseif content(work, entry.path) == "" then
    return false
  end
  exchange(landing, entry)
  if content(stage, entry.name) == entry.base then return true end
  exchange(landing, entry)
  return false
end

--- What is at the path of an entry. A folder is no file: where there is to be none, or was none, it may be.
local function present(landing, entry)
  local now = content(landing.work, entry.path)
  return (now == "directory" and (entry.base == "" or entry.result == "")) and "" or now, now
end

--- Where an entry stands: "done", "open", or "changed" by somebody else.
local function standing(landing, entry)
  local stage, name = landing.stage, entry.name
  local now = present(landing, entry)
  local old = name .. ".old"
  if content(stage, old) ~= "" then
    -- The exchange was cut off where it takes more than a step.
    if now == entry.result then must(core.file.rename(stage, old, name)) else must(core.file.remove(stage, old)) end
  end
  local kept = content(stage, name)
  if now == entry.result then
    if kept == entry.base or kept == "" or kept == entry.result then return "done" end
    -- Cut off before it was looked at: it is what the user had made meanwhile.
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

--- Brings back what was there. True when all of it is as it was, but for what others have changed since.
local function take_back(landing)
  local whole, breathe = true, turn.new()
  for i = #landing.entries, 1, -1 do
    local entry = landing.entries[i]
    local ok = pcall(function()
      local now, shown = present(landing, entry)
      if now ~= entry.result or content(landing.stage, entry.name) ~= entry.base then return end
      if shown == "directory" then remove_folders(landing.work, entry.path) end
      local folder = entry.base ~= "" and parent_of(entry.path)
      if folder then must(core.file.make_dirs(landing.work, folder)) end
      exchange(landing, entry)
      if content(landing.stage, entry.name) ~= entry.result then exchange(landing, entry) end
    end)
    whole = whole and ok
    breathe()
  end
  for i = #landing.folders, 1, -1 do core.file.remove_empty(landing.work, landing.folders[i]) end
  return whole
end

local function drop(run, dir)
  local root = must(core.file.root(run.absolute(dir)))
  -- Without it the rest is nothing that anybody goes on with.
  if core.file.stat(root, "landing") then must(core.file.remove(root, "landing/record")) end
  must(core.file.remove(root, "landing"))
end

--- Takes it all back, and raises what was in its way.
local function give_up(run, dir, landing, err)
  if take_back(landing) then
    drop(run, dir)
  elseif type(err) == "table" then
    err.hint = "some files could not be brought back: they are in " .. run.absolute(overlay.folder(dir))
  end
  error(err, 0)
end

local function changed_meanwhile(entry)
  return { kind = "failed", class = "conflict", meanwhile = true,
    message = ("what the agent changed does not apply any more: %s was changed meanwhile"):format(
      core.text.printable(entry.path, 300)) }
end

--- Calls fn where nothing can cancel it. Nothing is raised.
---@param fn function
---@return boolean ok, any error
function M.shielded(fn, ...)
  local shield = core.task.open_scope { shield = true, what = "a merge" }
  local ok, err = pcall(fn, ...)
  core.task.wait_scope(shield)
  core.task.close_scope(shield)
  return ok, err
end

--- Does what is open.
local function carry_out(run, dir, landing, standings)
  local breathe = turn.new()
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
  end)
  if not ok then give_up(run, dir, landing, err) end
end

--- Puts the entries in place, and calls `done`; raises, and brings all back, when it cannot. Nothing cancels it once
--- it has begun.
---@param run table
---@param dir string    the step's folder
---@param entries moonlet.OverlayEntry[]
---@param left string[]
---@param done fun()    puts on record that it is done
function M.land(run, dir, entries, left, done)
  local landing = open(run, dir, run.top)
  landing.entries, landing.left = in_order(entries), left
  landing.folders = missing_folders(landing.work, entries)
  core.task.check()
  write_record(landing)
  local ok, err = M.shielded(function()
    carry_out(run, dir, landing)
    done()
  end)
  if not ok then error(err, 0) end
end

--- What an earlier host had on record and did not end; nil when there is none.
---@return moonlet.Landing?
function M.pending(run, dir)
  local root = core.file.root(run.absolute(overlay.folder(dir)))
  local text = root and core.file.read(root, "record", record_cap)
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
    elseif kind == "file" then
      landing.entries[#landing.entries + 1] = { path = path, base = base, result = result, name = name }
    end
  end
  return landing
end

--- Goes on with it. `again(entry)` works out what a file comes to that somebody changed meanwhile: its
--- entries, none when it has what the agent did; raises when that does not fit any more, and then all is
--- brought back.
---@param run table
---@param dir string
---@param landing moonlet.Landing
---@param again fun(entry: moonlet.OverlayEntry): moonlet.OverlayEntry[]?
---@param done fun()   puts on record that it is done
function M.go_on(run, dir, landing, again, done)
  local standings, list, changed = {}, {}, false
  local ok, err = pcall(function()
    local breathe = turn.new()
    for _, entry in ipairs(landing.entries) do
      local stands = standing(landing, entry)
      if stands == "changed" then
        changed = true
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
    landing.entries = in_order(list)
    write_record(landing)
  end
  ok, err = M.shielded(function()
    carry_out(run, dir, landing, standings)
    done()
  end)
  if not ok then error(err, 0) end
end

--- Brings back what an earlier host had begun to put in place, for an attempt that nobody wants any more.
---@return boolean  whether there was anything
function M.undo(run, dir)
  local landing = M.pending(run, dir)
  if landing then
    local ok, whole = M.shielded(function()
      local breathe = turn.new()
      for _, entry in ipairs(landing.entries) do
        standing(landing, entry)
        breathe()
      end
      return take_back(landing)
    end)
    if not (ok and whole) then
      error({ kind = "failed", message = "what an earlier attempt had begun to merge could not be brought back",
        hint = "what was there before is in " .. run.absolute(overlay.folder(dir)) }, 0)
    end
  end
  M.forget(run, dir)
  return landing ~= nil
end

--- Lets go of what was there before.
function M.forget(run, dir)
  if core.file.root(run.absolute(dir)) then drop(run, dir) end
end

return M
