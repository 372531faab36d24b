--- Reads a finished run as a cassette: --runner cassette:R-007.
--- A step replays the last attempt of the same step in that run, from the run's sidecar folder.
local record = require "moonlet.record"
local context = require "moonlet.engine.context.context"

local M = {}

local json_cap, text_cap = 16 << 20, 64 << 20
local repair_mark = "\n\n---\nYour last answer could not be used:"

local function read_json(root, path)
  local text = root and core.file.read(root, path, json_cap)
  local ok, value = pcall(core.json.decode_record, text or "")
  return ok and type(value) == "table" and value or nil
end

local function refuse(message, hint) record.refuse(message, hint) end

---@class moonlet.RunTape
---@field root userdata      the run's sidecar folder
---@field dir string         the absolute path of `root`
---@field named string       the path of `root` in the run's prompts
---@field top string
---@field root_key string?   key of the step whose files are directly in the sidecar folder

--- Opens a run. Raises `invalid` if the run has not ended.
---@return moonlet.RunTape
function M.open(home, id)
  local agent = core.file.root(home.agent_path)
  local rec = read_json(agent, "runs/" .. id .. "/run.json")
  if not rec then
    refuse(("there is no run %s to play"):format(id), "moonlet list shows the runs")
  end
  local is_parked = rec.verdict == "needs-human" or rec.verdict == "quota"
  if rec.ended ~= true or is_parked or type(rec.sidecar) ~= "string" then
    refuse(("the run %s has not ended, and only a finished run is a cassette"):format(id),
      "moonlet show " .. id)
  end
  local dir = home.agent_path .. "/" .. rec.sidecar
  local root = core.file.root(dir)
  if not root then
    refuse(("the files of %s are gone: %s"):format(id, dir), "record it again with --record DIR")
  end
  local model = read_json(root, "model.json")
  local root_key = model and type(model.step) == "string" and model.step or nil
  -- The prompts of an imported run name the sidecar folder of the machine on which it ran.
  local from = type(rec.imported) == "table" and rec.imported.dir
  local named = type(from) == "string" and from or dir
  return { root = root, dir = dir, named = named, top = rec.top, root_key = root_key, id = id,
    task = rec.task_id }
end

local function folder_of(tape, key)
  if key == tape.root_key then return "" end
  for _, name in ipairs { key, context.plain(key) } do
    local folder = "steps/" .. core.run.step_name(name) .. "/"
    if core.file.stat(tape.root, folder .. "model.json") then return folder end
  end
end

local function keys_of(tape)
  local keys = { tape.root_key }
  for _, entry in ipairs(core.file.list(tape.root, "steps") or {}) do
    local model = read_json(tape.root, "steps/" .. entry.name .. "/model.json")
    if model and type(model.step) == "string" and #keys < 20 then keys[#keys + 1] = model.step end
  end
  return table.concat(keys, ", ")
end

--- Returns the exit record of a step. For the runner `mock`, which records none, derives one from
--- the step's status.
local function exit_of(tape, folder, model)
  local exit = read_json(tape.root, folder .. "exit.json")
  if not exit then return { why = "exited", code = model.status == "ok" and 0 or 1 } end
  local function number(key) return math.tointeger(exit[key]) end
  return { why = type(exit.why) == "string" and exit.why or "exited", code = number "code",
    signal = number "signal", late = exit.late == true or nil,
    error = type(exit.error) == "string" and { kind = "failed", message = exit.error } or nil }
end

--- Returns the patch of a step's changes, even if the step asked a question and was not merged.
local function patch_of(tape, folder, model)
  local last = type(model.attempts) == "table" and model.attempts[#model.attempts]
  local number = last and math.tointeger(last.number)
  local asked = model.status == "ok" and number and ("attempt-%d-changes.patch"):format(number)
  for _, name in ipairs { "changes.patch", asked or nil } do
    if core.file.stat(tape.root, folder .. name) then
      return ("%s/%s%s"):format(tape.dir, folder, name)
    end
  end
end

--- Returns a step's last attempt in the format of a cassette's recording.
---@param tape moonlet.RunTape
---@param neutral fun(text: string, sidecar: string, top: string): string
---@return {call: table, tape: table, patch: string?}? recording, string? keys  the run's steps
function M.recording(tape, key, neutral)
  local folder = folder_of(tape, key)
  local model = folder and read_json(tape.root, folder .. "model.json")
  if not model then return nil, keys_of(tape) end
  local function text(name) return (core.file.read(tape.root, folder .. name, text_cap)) end
  local prompt = neutral(text "prompt.md" or "", tape.named, tostring(tape.top))
  local repaired = prompt:find(repair_mark, 1, true)
  if model.runner == "cassette" then
    error({ kind = "failed", class = "refused",
      message = ("the run %s played a cassette itself"):format(tape.id),
      hint = "play the cassette that it played" }, 0)
  end
  local made = model.runner == "mock"
  local stdout = text "stdout.log"
  return {
    call = { runner = made and "command" or model.runner, task = tape.task, run = tape.id,
      prompt = repaired and prompt:sub(1, repaired - 1) or prompt },
    tape = { exit = exit_of(tape, folder, model), stdout = stdout or "",
      stderr = text "stderr.log" or "",
      answer = text "out/output.md" or not stdout and text "output.md" or nil },
    patch = patch_of(tape, folder, model),
  }
end

return M
