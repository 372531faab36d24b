--- Opens an agent's workspace: the shared work tree, a separate worktree, or copies of inputs.
--- An agent that works in place in the shared work tree gets an exclusive lock.
local worktree_changes = require "moonlet.engine.workspace.worktree_changes"
local edit_scope = require "moonlet.engine.workspace.edit_scope"
local grants = require "moonlet.engine.context.grants"
local protected_paths = require "moonlet.engine.workspace.protected_paths"
local baseline = require "moonlet.engine.workspace.baseline"
local real_paths = require "moonlet.engine.workspace.real_paths"
local record = require "moonlet.record"
local waiting = require "moonlet.engine.workspace.waiting"
local worktree = require "moonlet.engine.workspace.worktree"
local write_lock = require "moonlet.engine.workspace.write_lock"

local M = {}

local input_cap = 64 << 20
local modes = { ["read-only"] = true, ["workspace-write"] = true }

--- Returns the sandbox mode that a call asks for. Raises an error if the user has forbidden it.
---@return "read-only"|"workspace-write"
function M.mode(run, call)
  local writes = call.writes or call.in_place
  local asked = call.sandbox or writes and "workspace-write" or run.options.sandbox or "read-only"
  if not modes[asked] then
    error(record.invalid(("ctx:agent: sandbox '%s' is not understood"):format(
      core.text.printable(asked, 40)),
      "write read-only or workspace-write"), 0)
  end
  if asked == "workspace-write" and run.options.sandbox == "read-only" then
    error({ kind = "denied",
      message = "the agent asks to write, but --sandbox read-only was given" }, 0)
  end
  if call.inputs and asked == "workspace-write" then
    error(record.invalid(
      "ctx:agent: with inputs the agent sees only copies, and cannot write the work tree"), 0)
  end
  if call.writes and #call.writes == 0 then
    error(record.invalid("ctx:agent: writes names no folder",
      "name the folders that the agent may write, or leave it out where it only reads"), 0)
  end
  if call.writes and call.in_place then
    error(record.invalid("ctx:agent: writes and in_place exclude each other",
      "writes names folders; in_place allows the whole work tree"), 0)
  end
  if call.edits then edit_scope.check(call.edits) end
  if call.edits and call.writes then
    error(record.invalid("ctx:agent: writes and edits exclude each other",
      "writes names folders of the shared work tree; edits limits a worktree of its own, or "
        .. "in_place"), 0)
  end
  return asked
end

local function refuse_folder(path, why, hint)
  error(record.invalid(("ctx:agent: writes: '%s' %s"):format(core.text.printable(tostring(path),
    80), why), hint), 0)
end

--- Returns the declared folders as real and as relative paths. Rejects a folder outside of the
--- repository.
local function declared_folders(run, writes)
  local list, relative = {}, {}
  for i, path in ipairs(writes) do
    if type(path) ~= "string" or path == "" or path:sub(1, 1) == "/" or path:find("\0", 1, true)
      or ("/" .. path .. "/"):find("/../", 1, true) or real_paths.is_reserved(path) then
      refuse_folder(path, "is not a folder of the repository",
        "write it relative to the top, without ..")
    end
    grants.check_write(run.grants, path)
    local own, why, real = real_paths.of_repository(run, path)
    if not own then
      refuse_folder(path, why, "name a folder of the repository itself, and no link")
    end
    local root, err = core.file.make_root(real)
    if not root then error(err, 0) end
    if core.system.real_path(run.top .. "/" .. path) ~= real then
      refuse_folder(path, "leads elsewhere now",
        "name a folder of the repository itself, and no link")
    end
    list[i], relative[i] = real, own
  end
  return list, relative
end

local function inside(path, folders)
  for _, folder in ipairs(folders) do
    if folder == "" or path == folder or path:sub(1, #folder + 1) == folder .. "/" then
      return true
    end
  end
  return false
end

---@class moonlet.Workspace   workspace of an attempt and of its repair
---@field cwd string            absolute path
---@field writable string[]?   folders that the agent may write; nil means all of `cwd`
---@field tree string?          path of the worktree, if the workspace is a worktree
---@field worktree table?       moonlet.Worktree of `tree`
---@field anew boolean?         the worktree is new
---@field kept string[]?        folders such as node_modules, kept for later steps
---@field env table<string, string>?  variables for the agent's environment
---@field stored fun(): any     returns the baseline that a resumed host needs
---@field touched fun(): string[]  returns protected paths that were changed
---@field changed fun(): string[]  returns changed files, which stay even if the answer is discarded
---@field finish fun(key: string): string[], string?, string[]?  merges the changes
---   Returns the changed files, a note for a person, and files that are held back for review.
---   Raises an error on a conflict.
---@field hold (fun(): moonlet.HeldWork)?  keeps the changes for a review
---@field wait (fun(number: integer): moonlet.Waiting)?  keeps the worktree for a question
---@field ruin fun(): string?   says how the agent has destroyed the worktree; nil if it is intact
---@field breach fun(): table?  returns the error of an agent that changed files outside of `edits`
---@field root string?          folder to which the paths of changes are relative
---@field recorded (fun(): string[])?  lists all changed files for a cassette
---@field apply (fun(patch: string))?  applies a patch from a cassette
---@field allows (fun(path: string): boolean)?
---@field meanwhile fun()?       does work for which the agent need not wait; called while it runs
---@field abandon fun(kept: boolean?, number: integer): string?  ends an attempt without a merge
---   If `kept` is true, a resumed run will use the changes.
---   Returns a note for a person that says where changes were saved.

local function none() return {} end

--- Makes a workspace from `fields`. A function that `fields` lacks becomes one that does nothing.
local function place_of(fields)
  local place = { stored = function() end, touched = none, changed = none, finish = none,
    ruin = function() end, breach = function() end, abandon = function() end }
  for name, value in pairs(fields) do place[name] = value end
  return place
end

--- Copies the input files, which are the only files that the agent may read.
local function copy_inputs(run, dir, inputs)
  local work = dir .. "/work"
  core.run.remove(work)
  core.run.make_dirs(work)
  for _, path in ipairs(inputs) do
    local text, err, cut = core.file.read(run.home.root, path, input_cap)
    if not text then error(err, 0) end
    if cut then
      error(record.invalid(("ctx:agent: the input %s is larger than %d MB"):format(path,
        input_cap >> 20)), 0)
    end
    local folder = path:match("^(.*)/[^/]*$")
    if folder then core.run.make_dirs(work .. "/" .. folder) end
    run.write_artifact(work .. "/" .. path, text)
  end
  return run.absolute(work)
end

local function only_inputs(run, dir, call, attempt)
  -- An attempt that still runs, or repairs its answer, has copied the inputs before.
  local there = (attempt.state or attempt.repairs)
    and core.system.real_path(run.absolute(dir .. "/work"))
  return place_of { cwd = there or copy_inputs(run, dir, call.inputs) }
end

local function reading(run, call) return place_of { cwd = run.resolve_cwd(call.cwd) } end

--- Returns the baseline that the attempt has journaled, or takes a new one.
--- If a person has seen which protected paths changed, their current state becomes the baseline.
local function look_of(run, key, attempt, in_place, whole, declared)
  local known = baseline.kept(attempt.seen)
  if not known then
    if attempt.seen ~= nil then
      run.emit("warning", { step = key,
        text = "the baseline of an earlier attempt is lost: only later changes are reported" })
    end
    return baseline.take(run, in_place, whole, declared)
  end
  if attempt.told and known.guard then
    known.guard, known.stored = protected_paths.look(run, nil, known.guard.nested), nil
  end
  return known
end

--- Returns the files changed since the baseline. Warns if there are too many to list.
local function changed_since(run, key, seen)
  local paths, cut = baseline.changed(run, seen)
  if cut then
    run.emit("warning", { step = key,
      text = ("too many files to check: %d of the changed files are listed"):format(#paths) })
  end
  return paths
end

local function watched(run, seen, fields)
  fields.stored = function() return baseline.stored(seen) end
  fields.touched = function() return baseline.touched(run, seen) end
  fields.finish = fields.changed
  return place_of(fields)
end

local function shared_tree(run, key, call, attempt, confined)
  local folders, relative = declared_folders(run, call.writes)
  local seen = look_of(run, key, attempt, false, inside("", relative), relative)
  return watched(run, seen, {
    cwd = run.resolve_cwd(call.cwd), writable = folders, root = run.top,
    allows = function(path) return inside(path, relative) end,
    recorded = function()
      local own = {}
      for _, path in ipairs((baseline.changed(run, seen))) do
        own[#own + 1] = inside(path, relative) and path or nil
      end
      return own
    end,
    changed = function()
      local own = {}
      for _, path in ipairs(changed_since(run, key, seen)) do
        if inside(path, relative) then
          own[#own + 1] = path
        elseif confined then
          run.emit("warning",
            { step = key, text = "changed during the step, and not one of its folders: "
            .. core.text.printable(path, 200) })
        end
      end
      return own
    end,
  })
end

local function in_place(run, key, call, attempt)
  local cwd = run.resolve_cwd(call.cwd)
  local own, why, real = real_paths.of_repository(run, cwd)
  if not own then
    error(record.invalid(("ctx:agent: in_place: cwd '%s' %s"):format(core.text.printable(cwd, 200),
      why), "name a folder of the repository"), 0)
  end
  local release, env = write_lock.hold_for_agent(run, key)
  local ok, seen = pcall(look_of, run, key, attempt, true, true)
  if not ok then
    release()
    error(seen, 0)
  end
  local function changed() return changed_since(run, key, seen) end
  local place = watched(run, seen, { cwd = real, changed = changed, abandon = release, env = env,
    root = run.top, recorded = function()
      return #baseline.touched(run, seen) > 0 and {} or (baseline.changed(run, seen))
    end })
  function place.breach()
    if not call.edits or #baseline.touched(run, seen) > 0 then return nil end
    local outside = edit_scope.outside(call.edits, (baseline.changed(run, seen)))
    return #outside > 0 and edit_scope.error(call.edits, outside,
      "its changes are in the work tree") or nil
  end
  function place.finish()
    local looked, paths = pcall(changed)
    release()
    if not looked then error(paths, 0) end
    return paths
  end
  return place
end

local function patch_name(number) return ("attempt-%d-changes.patch"):format(number) end

local function own_worktree(run, key, dir, call, attempt, from)
  if call.cwd then
    error(record.invalid("ctx:agent: cwd and a worktree of its own exclude each other",
      "leave cwd out, declare writes, or set in_place = true"), 0)
  end
  -- The previous attempt's changes are saved as a patch. A first attempt has no previous attempt.
  local patch = attempt.number > 1 and patch_name(attempt.number - 1) or nil
  local keeps = attempt.state ~= nil or attempt.repairs or attempt.resumes ~= nil
    or from ~= nil and attempt.kind == "first"
  local owner = from and from.key or key
  local tree, anew = worktree.open(run, key, dir, keeps, attempt.tree or from and from.path,
    patch, owner)
  if from and anew and not attempt.state then waiting.restore(run, key, tree, from) end
  return place_of {
    cwd = tree.path, tree = tree.path, worktree = tree, anew = anew, kept = tree.kept,
    abandon = function(kept, number)
      if not kept then return worktree.drop(run, key, dir, tree, patch_name(number)) end
    end,
    meanwhile = function() worktree.sweep(run, key, tree) end,
    root = tree.path, recorded = function()
      return (worktree_changes.paths(run, key, dir, tree))
    end,
    apply = function(file)
      -- The recorded patch includes the changes of the step that asked the question, so revert them
      -- first.
      if from and from.patch then
        worktree_changes.apply(run, key, tree, run.absolute(from.patch), true)
      end
      worktree_changes.apply(run, key, tree, file)
    end,
    ruin = function() return worktree_changes.ruin(tree) end,
    breach = function()
      if not call.edits then return nil end
      local paths, folders = worktree_changes.paths(run, key, dir, tree)
      for _, folder in ipairs(folders) do paths[#paths + 1] = folder .. "/" end
      local outside = edit_scope.outside(call.edits, paths)
      return #outside > 0 and edit_scope.error(call.edits, outside,
        "none of its changes are merged") or nil
    end,
    wait = function(number)
      return waiting.leave(run, key, dir, tree, owner, patch_name(number))
    end,
    hold = function() return worktree.hold(run, key, dir, tree) end,
    finish = function(confirm) return worktree.merge(run, key, dir, tree, confirm) end,
  }
end

--- Opens the workspace of an attempt.
---@param mode "read-only"|"workspace-write"
---@param how {confined: boolean?, from: moonlet.Waiting?}  options of the attempt
---   `confined` means that the kernel confines the agent.
---   `from` is the worktree in which an earlier step has asked a question.
---@return moonlet.Workspace
function M.open(run, key, dir, call, mode, attempt, how)
  if call.inputs then return only_inputs(run, dir, call, attempt) end
  if call.writes then return shared_tree(run, key, call, attempt, how.confined) end
  if mode == "read-only" then return reading(run, call) end
  grants.check_write(run.grants, call.cwd or ".")
  if call.in_place then return in_place(run, key, call, attempt) end
  if not run.home.git then
    error(record.invalid(
      "a step that writes gets a git worktree of its own, and this is not a repository",
      "declare the folders with writes = { … }, or set in_place = true"), 0)
  end
  return own_worktree(run, key, dir, call, attempt, how.from)
end

return M
