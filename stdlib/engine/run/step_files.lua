--- Reads the files and the progress of a run's steps in a process that does not drive the run.
local record = require "moonlet.record"
local runner_names = require "moonlet.engine.runner.names"

local M = {}

local null = core.json.null
local events_cap = 64 << 20

--- Decodes a step's key for people: "src/b.lua" for "src%2Fb.lua".
function M.name(key)
  local plain = key:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return core.text.is_utf8(plain) and plain or key
end

--- Shortens a step's name: "3" for "parallel/3/agent", "src/b.lua" for a branch with one step.
function M.label(key)
  local rest = key:match "^parallel[#%d]*/(.+)$" or key
  rest = rest:match "^(.+)/agent$" or rest:match "^(.+)/exec$" or rest
  local before, last = rest:match "^(.*)/([^/]+)$"
  if before and before:match "[^/]*$" == last then rest = before end
  return M.name(rest)
end

--- Returns a step's folder below `.agent`. The first agent call of a run uses the sidecar folder.
---@param step {key: string, kind: string}
function M.folder(root, rec, step)
  local own = rec.sidecar .. "/steps/" .. core.run.step_name(step.key)
  return step.kind == "agent" and not core.file.stat(root, own) and rec.sidecar or own
end

---@param runner string?  the runner whose own log lines are skipped
function M.tail(root, path, count, runner)
  local stat = core.file.stat(root, path)
  if not stat or stat.size == 0 then return nil end
  local text = core.file.part(root, path, math.max(stat.size - 8192, 0), 8192) or ""
  local lines, own_log = {}, runner_names.has(runner_names.agents, runner)
    and require("moonlet.engine.runner." .. runner).log_line
  for line in core.text.clean(text):gmatch "[^\r\n]+" do
    if not own_log or not line:find(own_log) then lines[#lines + 1] = line end
  end
  return table.move(lines, math.max(#lines - count + 1, 1), #lines, 1, {})
end

function M.events(root, rec)
  local list = {}
  for line in (core.file.read(root, rec.sidecar .. "/events.jsonl", events_cap)
      or ""):gmatch "[^\n]+" do
    local ok, event = pcall(core.json.decode_record, line)
    if ok and type(event) == "table" then list[#list + 1] = event end
  end
  return list
end

--- Derives the ended and running steps of an unfinished run from its events.
function M.so_far(root, rec)
  local list, by_key = {}, {}
  local now = core.clock.wall()
  for _, event in ipairs(M.events(root, rec)) do
    local data, key = event.data, event.step
    if event.type == "run.resumed" then list, by_key = {}, {} end
    if event.type == "step.started" and type(key) == "string" then
      local began = core.clock.parse(event.ts) or now
      by_key[key] = { key = key, kind = data.kind, status = "running", runner = data.runner or null,
        duration_ms = math.max(now - began, 0), error = null }
      list[#list + 1] = by_key[key]
    elseif event.type == "step.finished" and type(key) == "string" then
      local step = by_key[key]
      if not step then
        step = { key = key }
        by_key[key], list[#list + 1] = step, step
      end
      step.kind, step.status, step.cached, step.exit_code = data.kind, data.status, data.cached,
        data.exit_code
      step.duration_ms, step.error = data.duration_ms,
        data.error and { message = data.error } or null
    elseif event.type == "progress" and data.doing and by_key[key] then
      by_key[key].doing = data.doing
    end
  end
  return list
end

function M.of(root, rec)
  return rec.ended and rec.steps ~= null and rec.steps or M.so_far(root, rec)
end

--- Finds the step that a word names by its key, its name, or the end of either.
function M.find(steps, word)
  local ends, names = {}, {}
  for _, step in ipairs(steps) do
    local name = M.name(step.key)
    names[#names + 1] = name
    if step.key == word or name == word then return step end
    if name:sub(-#word - 1) == "/" .. word or step.key:sub(-#word - 1) == "/" .. word then
      ends[#ends + 1] = step
    end
  end
  if #ends == 1 then return ends[1] end
  local said = core.text.printable(word, 80)
  if #ends > 1 then
    record.refuse(("%d steps are called '%s'"):format(#ends, said),
      "say which: " .. M.name(ends[1].key)
      .. ", " .. M.name(ends[2].key))
  end
  record.refuse(("there is no step '%s'"):format(said), record.suggest(word, names))
end

return M
