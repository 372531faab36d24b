--- `moonlet log` prints a run's events, or the output of one step.
--- `run attach` displays a run that another process drives, as the terminal of that process would.
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local page = require "moonlet.engine.base.page"
local store = require "moonlet.engine.run.store"
local step_files = require "moonlet.engine.run.step_files"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  follow = { letter = "f", help = "continue until the run or the step ends" },
}

local poll_ms, part_size, json_cap = 200, 1 << 20, 16 << 20

--- Returns a function that reads the lines that were appended to a file since its last call.
local function reader(root, path)
  local from, rest = 0, ""
  return function(at_end)
    local text = core.file.part(root, path, from, part_size) or ""
    from = from + #text
    text = rest .. text
    local last = at_end and #text or (text:find "\n[^\n]*$" or 0)
    rest = text:sub(last + 1)
    return text:sub(1, last)
  end
end

--- Returns true once no host drives the run.
local function is_over(home, id)
  if core.runs.holder(home.handle, id) then return false end
  local rec = select(2, store.find(home, id))
  return rec.ended or not core.runs.holder(home.handle, id)
end

--- Passes new output to `take` until `is_done` returns true and everything is read, or until the
--- reader of standard output closes the pipe.
local function drain(readers, is_done, take)
  while not core.system.reader_is_gone() do
    local over, some = is_done(), false
    for i, read in ipairs(readers) do
      local text = read(over)
      while text ~= "" do
        some = true
        take(i, text)
        text = read(over)
      end
    end
    if over and not some then return end
    if not some then core.task.sleep(poll_ms) end
  end
end

local function each_event(text, fn)
  for line in text:gmatch "[^\n]+" do
    local ok, event = pcall(core.json.decode_record, line)
    local is_known = ok and type(event) == "table" and type(event.type) == "string"
      and type(event.data) == "table"
    if is_known then
      local step = type(event.step) == "string" and event.step or nil
      fn(event.type, core.clock.parse(tostring(event.ts)) or 0, tostring(event.run or ""),
        step, event.data)
    end
  end
end

local function step_watch(root, rec, step)
  if step.status ~= "running" then return function() return true end end
  local read, ended = reader(root, rec.sidecar .. "/events.jsonl"), false
  return function()
    for text in read, false do
      if text == "" then break end
      each_event(text, function(kind, _, _, key)
        if kind == "run.resumed" or key == step.key then ended = kind == "step.finished" end
      end)
    end
    return ended
  end
end

local function as_json(home, root, rec, step)
  local result
  if step then
    local folder = step_files.folder(root, rec, step)
    local function text(name)
      return (core.file.read(root, folder .. "/" .. name, json_cap)) or ""
    end
    result = { step = step.key, stdout = text "stdout.log", stderr = text "stderr.log" }
  else
    result = { events = core.json.array(step_files.events(root, rec)) }
  end
  return options.envelope(result, store.envelope(home, rec)), 0
end

--- Raises the error of drain(). After Ctrl-C, prints that the run continues instead, and returns true.
---@param command string  form of the command that continues to print
local function is_left(id, stream, command, ok, err)
  if ok then return false end
  if not core.task.pending_error() then error(err, 0) end
  core.system.print(stream,
    ("%s continues.  %s shows it again, moonlet cancel %s ends it\n"):format(id,
    command:format(id), id))
  return true
end

local again = "moonlet log %s -f"

local function log(words)
  local found, rest = verbs.read("run log", words, M.known)
  if #rest < 1 or #rest > 2 then
    options.refuse("the log of which run?", "moonlet log last, or moonlet log R-007 STEP")
  end
  if found.follow and found.json then options.refuse("--follow and --json exclude each other") end
  local home = repository.open(found.repo)
  local id, rec = store.find(home, rest[1])
  local root = store.root(home)
  local step = rest[2] and step_files.find(step_files.of(root, rec), rest[2])
  if found.json then return as_json(home, root, rec, step) end
  if step then
    local folder = step_files.folder(root, rec, step)
    if step.kind ~= "agent" and not core.file.stat(root, folder) then
      options.refuse(("the output of the %s '%s' is not in a file"):format(step.kind,
        step_files.name(step.key)),
        "agents and validations have logs; the script itself gets the output of ctx:exec")
    end
    local files = { reader(root, folder .. "/stdout.log"), reader(root, folder .. "/stderr.log") }
    local has_ended, is_silent = step_watch(root, rec, step), true
    local function is_done() return not found.follow or has_ended() or is_over(home, id) end
    is_left(id, 2, again, pcall(drain, files, is_done, function(stream, text)
      is_silent = false
      core.system.print(stream, core.text.strip(text))
    end))
    if is_silent then
      core.system.print(2, step_files.name(step.key) .. " has printed nothing\n")
    end
  else
    local function is_done() return not found.follow or is_over(home, id) end
    local events = { reader(root, rec.sidecar .. "/events.jsonl") }
    is_left(id, 2, again, pcall(drain, events, is_done, function(_, text)
      each_event(text, function(...)
        local line = core.event.line(...)
        if line ~= "" then core.system.print(1, line .. "\n") end
      end)
    end))
  end
  return nil, 0
end

local function attach(words)
  local found, rest = verbs.read("run attach", words, M.known)
  if #rest ~= 1 then options.refuse("attach to which run?", "moonlet run attach last") end
  local repo = found.repo and "--repo=" .. found.repo or nil
  if not page.out().terminal then return log { "run", "log", rest[1], "--follow", repo } end
  local home = repository.open(found.repo)
  local id, rec = store.find(home, rest[1])
  local root = store.root(home)
  core.event.display "watch"
  local events = { reader(root, rec.sidecar .. "/events.jsonl") }
  local ok, err = pcall(drain, events, function() return is_over(home, id) end, function(_, text)
    each_event(text, core.event.replay)
  end)
  core.event.display "none"
  if is_left(id, 1, "moonlet run attach %s", ok, err) then return nil, 0 end
  return require("moonlet.engine.cli.show").main { "run", "show", id, repo }
end

function M.main(words) return (words[2] == "attach" and attach or log)(words) end

return M
