--- The runner `cassette`: plays back what `--record DIR` kept of agents, in milliseconds and without any
--- process, through the very code that read them when they were real. Faults can be asked for:
---   --runner cassette:DIR            --runner 'cassette:DIR,fault=429'
---   --runner 'cassette:DIR,fault=quota@correctness,fault=invalid*2@tests'
--- A fault befalls the first attempt of each step, or the first N with *N, all with **; @NAME limits it to
--- steps of which NAME is a part of the key.
---
--- A cassette holds a folder for each step, and in it one for each attempt: call.json (what the agent was
--- given), stdout.log, stderr.log, output.md and exit.json (what it gave).
local record = require "moonlet.record"
local truth = require "moonlet.internal.truth"

local M = {}

local file_cap = 64 << 20
local slow_ms = 300

local faults = {
  ["429"] = true, quota = true, auth = true, network = true, hang = true, truncated = true, crash = true,
  slow = true, invalid = true,
}

local function parse_fault(text)
  local kind, count, step = text:match("^([%w]+)(%*?[%d%*]*)@?(.*)$")
  if not kind or not faults[kind] then
    local names = {}
    for name in pairs(faults) do names[#names + 1] = name end
    error(record.invalid(("there is no fault '%s'"):format(core.text.printable(kind or text, 40)),
      record.suggest(kind or "", names)), 0)
  end
  local times = count == "" and 1 or count == "**" and math.huge or math.tointeger(tonumber(count:sub(2)))
  if not times then
    error(record.invalid(("fault '%s' is not understood"):format(core.text.printable(text, 60)),
      "write fault=429, fault=429*2, fault=429** or fault=429@step"), 0)
  end
  return { kind = kind, times = times, step = step }
end

--- What follows "cassette:" in --runner.
---@param rest string
---@return {name: string, dir: string, faults: table[]}
function M.parse(rest)
  local spec = { name = "cassette", faults = {} }
  for item in (rest or ""):gmatch("[^,]+") do
    local fault = item:match("^fault=(.*)$")
    if fault then
      spec.faults[#spec.faults + 1] = parse_fault(fault)
    else
      spec.dir = item
    end
  end
  if spec.dir and spec.dir:sub(1, 1) ~= "/" then spec.dir = core.system.cwd() .. "/" .. spec.dir end
  if not spec.dir then
    error(record.invalid("--runner cassette names no folder", "write --runner cassette:DIR"), 0)
  end
  -- A resumed run may stand elsewhere.
  spec.text = "cassette:" .. spec.dir .. (rest:find(",", 1, true) and rest:match(",.*$") or "")
  return spec
end

--- Texts of a run that differ in each run, made the same.
local function neutral(run, text)
  local function replace(what, by)
    if what and what ~= "" then text = text:gsub((what:gsub("%p", "%%%0")), by) end
  end
  replace(run.absolute(run.sidecar), "<sidecar>")
  replace(run.top, "<repository>")
  replace(run.task_id, "<task>")
  replace(run.id, "<run>")
  return text
end

local function prompt_of(job, attempt) return neutral(job.run, attempt.prompt) end

--- Makes the folder of --record, before anything is started that would have to be paid for in vain.
---@param dir string  absolute
function M.prepare(dir)
  local root, err = core.file.make_root(dir)
  local probe = ".moonlet-" .. core.clock.random_hex(8)
  local written
  if root then
    written, err = core.file.write(root, probe, "")
    core.file.remove(root, probe)
  end
  if written then return end
  error(record.invalid(("--record: nothing can be kept in %s: %s"):format(dir, err.message),
    "name a folder that can be made and written"), 0)
end

--- Puts a whole recording in place of the one before. Later attempts of an earlier recording are none of
--- this one's.
local function replace(base, beside, number)
  local path, old = "attempt-" .. number, ".old-" .. core.clock.random_hex(8)
  local there = core.file.stat(base, path) ~= nil
  local moved, err = true, nil
  if there then moved, err = core.file.rename(base, path, old) end
  if moved then moved, err = core.file.rename(base, beside, path) end
  if not moved then
    if there then core.file.rename(base, old, path) end
    core.file.remove(base, beside)
    error(err, 0)
  end
  for _, entry in ipairs(core.file.list(base, ".") or {}) do
    local n = tonumber(entry.name:match("^attempt%-(%d+)$"))
    if entry.name == old or n and n > number then core.file.remove(base, entry.name) end
  end
end

--- Keeps what an attempt was given and gave: all of it new, or what was there before.
---@param job moonlet.Job
---@param attempt moonlet.Attempt
---@param exit table
function M.keep(job, attempt, exit)
  local run = job.run
  local name = core.run.step_name(job.step.key)
  local base, err = core.file.make_root(run.options.record .. "/" .. name)
  if not base then error(err, 0) end
  local beside = ".new-" .. core.clock.random_hex(8)
  local function put(file, text)
    local written, why = core.file.write(base, beside .. "/" .. file, core.run.redact(text))
    if not written then
      core.file.remove(base, beside)
      error(why, 0)
    end
  end
  local made, why = core.file.make_root(run.options.record .. "/" .. name .. "/" .. beside)
  if not made then error(why, 0) end
  local prompt = prompt_of(job, attempt)
  put("call.json", core.json.encode({ version = 1, key = job.step.key, attempt = attempt.number,
    runner = job.runner.name, events = job.call.events, model = job.model, sandbox = job.sandbox,
    prompt = prompt, prompt_sha256 = core.text.sha256(prompt) }, 2) .. "\n")
  for _, file in ipairs { "stdout.log", "stderr.log" } do
    put(file, run.read_artifact(job.dir .. "/" .. file, file_cap) or "")
  end
  local answer = run.read_artifact(job.dir .. "/out/output.md", file_cap)
  if answer then put("output.md", answer) end
  put("exit.json", core.json.encode({ version = 1, why = exit.why, code = exit.code, signal = exit.signal,
    duration_ms = exit.duration_ms }, 2) .. "\n")
  replace(base, beside, attempt.number)
end

local function miss(dir, message, hint)
  error({ kind = "failed", class = "refused", message = ("the cassette %s %s"):format(dir, message),
    hint = hint or "record it again with --record DIR" }, 0)
end

local function read_json(root, path)
  local text = core.file.read(root, path, file_cap)
  local ok, value = pcall(core.json.decode, text or "")
  return ok and type(value) == "table" and not core.json.is_array(value) and value or nil
end

local whys = { exited = true, signalled = true, wall = true, idle = true, cancelled = true, lost = true,
  not_started = true }

--- The call.json of a recording; raises what is wrong with it.
local function read_call(root, dir, path)
  local call = read_json(root, path .. "/call.json")
  if not call then miss(dir, ("holds %s/call.json that cannot be read"):format(path)) end
  if call.version ~= nil and call.version ~= 1 then
    miss(dir, ("was made by another version of moonlet: %s/call.json"):format(path))
  end
  if call.events == core.json.null then call.events = nil end
  for _, name in ipairs { "prompt", "runner", "events" } do
    if type(call[name]) ~= "string" and (name ~= "events" or call.events ~= nil) then
      miss(dir, ("holds %s/call.json without its %s"):format(path, name))
    end
  end
  if call.runner == "cassette" or call.runner == "rules" then
    miss(dir, ("holds %s/call.json of the runner %s, which has nothing to record"):format(path, call.runner))
  end
  return call
end

--- The exit.json of a recording; raises what is wrong with it: how a process ended is half of what it said.
local function read_exit(root, dir, path)
  local exit = read_json(root, path .. "/exit.json")
  if not exit then miss(dir, ("has no %s/exit.json that can be read"):format(path)) end
  for _, name in ipairs { "code", "signal" } do
    if exit[name] == core.json.null then exit[name] = nil end
    if exit[name] ~= nil and math.type(exit[name]) ~= "integer" then
      miss(dir, ("holds %s/exit.json whose %s is no whole number"):format(path, name))
    end
  end
  if not whys[exit.why] or exit.why == "exited" and not exit.code
    or exit.why == "signalled" and not (exit.signal and exit.signal > 0) then
    miss(dir, ("holds %s/exit.json that does not say how the process ended"):format(path))
  end
  return exit
end

--- A file of a recording; raises for one that cannot be read, and for one that must be there and is not.
local function read_part(root, dir, path, needed)
  if not needed and not core.file.stat(root, path) then return nil end
  local text, err = core.file.read(root, path, file_cap)
  if not text then miss(dir, ("has no %s that can be read: %s"):format(path, err.message)) end
  return text
end

--- The recording of an attempt: that of its number, or else the last one.
local function find(root, dir, key, number)
  local name = core.run.step_name(key)
  for n = number, 1, -1 do
    local path = ("%s/attempt-%d"):format(name, n)
    if core.file.stat(root, path) then return path, read_call(root, dir, path) end
  end
  local keys = {}
  for _, entry in ipairs(core.file.list(root, ".") or {}) do
    local call = read_json(root, entry.name .. "/attempt-1/call.json")
    if call and type(call.key) == "string" and #keys < 20 then keys[#keys + 1] = core.text.printable(call.key, 100) end
  end
  miss(dir, ("has no recording of the step '%s'"):format(key), "it has: " .. table.concat(keys, ", "))
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

--- Says what is different in a prompt: the first line that is.
local function check_prompt(dir, key, recorded, now)
  -- It may have been recorded where nobody knew that a word of it is a secret.
  recorded = core.run.redact(recorded)
  if recorded == now then return end
  local old, new = lines_of(recorded), lines_of(now)
  local i = 1
  while old[i] == new[i] do i = i + 1 end
  local function shown(line) return line and "'" .. core.text.printable(line, 200) .. "'" or "nothing" end
  miss(dir, ("was recorded with another prompt for the step '%s': line %d was %s and is %s (%d lines were, %d are)")
    :format(key, i, shown(old[i]), shown(new[i]), #old, #new))
end

local function fault_of(spec, key, number)
  for _, fault in ipairs(spec.faults) do
    if number <= fault.times and (fault.step == "" or key:find(fault.step, 1, true)) then return fault.kind end
  end
end

--- Errors that a provider would have told.
local told = {
  ["429"] = function() return truth.error("rate", "a fault that was asked for: 429 Too Many Requests",
    { retry_after_ms = 0 }) end,
  quota = function() return truth.error("quota", "a fault that was asked for: the quota is used up",
    { reset_at = core.clock.wall() + 2000 }) end,
  auth = function() return truth.error("auth", "a fault that was asked for: 401 Unauthorized") end,
  network = function() return truth.error("network", "a fault that was asked for: connection refused",
    { retry_after_ms = 0 }) end,
}

--- What became of a recording by a fault: changes `tape` in place.
local function spoil(kind, tape)
  if kind == "hang" then
    tape.exit.why, tape.exit.code, tape.stdout, tape.answer = "idle", -1, "", nil
  elseif kind == "truncated" then
    tape.stdout, tape.answer = tape.stdout:sub(1, #tape.stdout // 2), nil
  elseif kind == "crash" then
    tape.exit.why, tape.exit.code, tape.exit.signal, tape.answer = "signalled", -1, 11, nil
    tape.stdout = tape.stdout:sub(1, #tape.stdout // 2)
  elseif kind == "invalid" then
    tape.answer = "This is not what was asked for."
  elseif kind == "slow" then
    core.task.sleep(slow_ms)
  end
end

--- Plays one attempt: leaves its files as if it had run, and gives the exit.
---@param spec {dir: string, faults: table[]}
---@param job moonlet.Job
---@param attempt moonlet.Attempt
---@return table exit, table call, table? error  what a fault of the provider comes to
function M.play(spec, job, attempt)
  local dir = spec.dir
  local root = core.file.root(dir)
  if not root then miss(dir, "is not there") end
  local key = job.step.key
  local path, call = find(root, dir, key, attempt.number)
  check_prompt(dir, key, call.prompt, attempt.repair and call.attempt == 1 and call.prompt or prompt_of(job, attempt))
  local kind = fault_of(spec, key, attempt.number)
  local tape = { exit = read_exit(root, dir, path), stdout = read_part(root, dir, path .. "/stdout.log", true),
    stderr = read_part(root, dir, path .. "/stderr.log") or "", answer = read_part(root, dir, path .. "/output.md") }
  if kind then spoil(kind, tape) end
  local run = job.run
  run.write_artifact(job.dir .. "/stdout.log", tape.stdout)
  run.write_artifact(job.dir .. "/stderr.log", tape.stderr)
  if tape.answer then run.write_artifact(job.dir .. "/out/output.md", tape.answer) end
  local exit = { why = tape.exit.why, code = tape.exit.code or -1, signal = tape.exit.signal or 0, duration_ms = 0,
    cpu_ms = 0, max_rss_kb = 0, drained = true, stragglers = 0, stdout_total = #tape.stdout, stdout_kept = #tape.stdout,
    stdout_cut = false, stderr_total = #tape.stderr, stderr_kept = #tape.stderr, stderr_cut = false }
  return exit, call, kind and told[kind] and told[kind]() or nil
end

return M
