--- Replays one step: the new run starts with its parent's journal without that step.
local files = require "moonlet.engine.base.files"
local seal = require "moonlet.engine.run.seal"
local records = require "moonlet.engine.journal.records"
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"
local step_files = require "moonlet.engine.run.step_files"

local M = {}

local null = core.json.null
local journal_cap = 256 << 20
local value_cap = 256 << 20
local owner_alone = 384  -- mode 0600, for the owner only

--- Lists the kinds of records to copy. Other kinds describe the hosts of the parent run.
local kept = { ["end"] = true, fact = true, answer = true, timeout = true, name = true }

---@param base {id: string, record: table}
---@param own {step: string, prompt: string?}
function M.of(home, base, own)
  local rec = base.record
  if not rec.ended then
    record.refuse(("%s has not ended: it has no journal to read"):format(base.id),
      "leave --step out")
  end
  if type(rec.packet) == "table" and rec.preset == "task" then
    record.refuse("the run of a packet is one agent and its checks",
      "moonlet run replay " .. base.id)
  end
  local step = step_files.find(rec.steps ~= null and rec.steps or {}, own.step)
  local prompt
  if own.prompt then
    if step.kind ~= "agent" then
      record.refuse(("'%s' is not an agent: it has no prompt"):format(
        core.text.printable(step.key, 80)))
    end
    local path = own.prompt:sub(1, 1) == "/" and own.prompt
      or core.system.cwd() .. "/" .. own.prompt
    local err
    prompt, err = files.read_path(path, 4 << 20)
    if not prompt then record.refuse("--prompt: " .. err.message, nil, path) end
    if not prompt:find "%S" then
      record.refuse("--prompt: the file is empty", "write the new prompt of the step into it", path)
    end
  end
  return { key = step.key, prompt = prompt, parent = base.id, home = home }
end

--- Moves --runner and --model, which apply only to the replayed step, to `change`.
function M.take_options(words, change)
  local rest, i = {}, 1
  while i <= #words do
    local name, value = words[i]:match "^%-%-([^=]+)=?(.*)$"
    if name == "runner" or name == "model" then
      if not words[i]:find("=", 1, true) then i, value = i + 1, words[i + 1] end
      change[name] = value
    else
      rest[#rest + 1] = words[i]
    end
    i = i + 1
  end
  return rest
end

function M.attach(plan, change)
  if change.runner then require("moonlet.engine.load.runners").parse(change.runner, plan.config) end
  plan.options.step = { key = change.key, runner = change.runner, model = change.model,
    prompt = change.prompt, parent = change.parent }
  plan.seed = M.seed
end

--- Reports whether a record concerns the step, a step inside it, or a step around it.
local function concerns(key, step)
  return key == "" or key == step or key:sub(1, #step + 1) == step .. "/"
    or step:sub(1, #key + 1) == key .. "/"
end

local function copy_value(root, from, stored)
  local name = type(stored) == "table" and stored ~= null and stored["$value"]
  if type(name) ~= "string" then return end
  local text = core.file.read(root, ("runs/%s/values/%s"):format(from, name), value_cap)
  if text then core.run.write_value(name, text, false) end
end

---@param change table  result of M.of()
function M.seed(run, change)
  local home, from = run.home, change.parent
  local root = store.root(home.real or home)
  local text, _, cut = assert(core.file.read(root, ("runs/%s/steps.jsonl"):format(from),
    journal_cap))
  if cut then
    record.refuse(("the journal of %s is larger than 256 MB"):format(from), "leave --step out")
  end
  -- Copy the parent's key, so that this run can compare the parent's keyed hashes with its own.
  local key = seal.key(root, from)
  if key then
    local path = ("runs/%s/key"):format(run.id)
    local own = store.root(home)
    assert(core.file.write(own, path, key))
    core.file.set_mode(own, path, owner_alone)
  end
  for _ in records.open() do error("a new run has an empty journal") end
  local drive = { type = "drive", pid = core.system.pid, moonlet = core.system.version, from = from,
    at = core.clock.iso(core.clock.wall()) }
  local begun = false
  for line in text:gmatch "[^\n]+" do
    local ok, entry = pcall(core.json.decode_record, line)
    local item = ok and type(entry) == "table" and entry.body
    if type(item) == "table" then
      if not begun then
        drive.names, begun = item.names, true
        core.journal.note(core.json.encode_record(drive))
      end
      local is_wanted = kept[item.type] and item.status ~= "cancelled"
        and not (type(item.key) == "string" and concerns(item.key, change.key))
      if is_wanted then
        if item.driven_ms then item.driven_ms = 0 end
        item.from = from
        copy_value(root, from, item.result)
        copy_value(root, from, item.raised)
        core.journal.note(core.json.encode_record(item))
      end
    end
  end
  core.journal.append(core.json.encode_record { type = "alive", driven_ms = 0 }, true)
end

return M
