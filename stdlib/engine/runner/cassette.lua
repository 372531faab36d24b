--- The runner `cassette` replays the recordings of `--record DIR` without starting a process.
--- A recording is parsed by the code that reads a live agent.
--- Faults can be injected: --runner 'cassette:DIR,fault=quota@correctness,fault=invalid*2@tests'
--- A fault hits the first attempt of each step; with `*N` the first N attempts, with `**` all.
--- `@NAME` limits a fault to steps whose key contains NAME.
--- Any finished run can be replayed as a cassette, too: --runner cassette:R-007 (cassette_run.lua).
--- Each attempt has a folder STEP/attempt-N with its input, its output and its exit.
--- call.json has the agent's input, and changes.json has the files that the agent changed.
local cassette_changes = require "moonlet.engine.runner.cassette_changes"
local instruction_text = require "moonlet.engine.runner.instruction_text"
local lines = require "moonlet.engine.base.lines"
local record = require "moonlet.record"
local cassette_run = require "moonlet.engine.runner.cassette_run"
local context = require "moonlet.engine.context.context"
local outcome = require "moonlet.engine.runner.outcome"

local M = {}

local file_cap = 64 << 20
local slow_ms = 300

local faults = { "429", "quota", "auth", "network", "hang", "truncated", "crash", "slow",
  "invalid", "cancel" }

local function parse_fault(text)
  local kind, count, step = text:match("^([%w]+)(%*?[%d%*]*)@?(.*)$")
  local hint = record.suggest(kind or "", faults)
  for _, known in ipairs(faults) do
    local times = kind == known and (count == "" and 1 or count == "**" and math.huge
      or tonumber(count:sub(2)))
    if times then return { kind = kind, times = times, step = step, text = text } end
    if kind == known then hint = "write fault=429, fault=429*2, fault=429** or fault=429@step" end
  end
  record.refuse(("there is no fault '%s'"):format(core.text.printable(text, 60)), hint)
end

--- Splits a text into the cassette's folder, which may contain commas, and the parts `fault=…`.
local function split(text)
  local before, after = {}, {}
  local function take(pattern, list, at)
    local first, second = text:match(pattern)
    if not first then return false end
    text = at == 1 and first or second or ""
    table.insert(list, at == 1 and 1 or #list + 1, at == 1 and second or first)
    return true
  end
  while take("^fault=([^,]*),(.*)$", before) or take("^fault=([^,]*)$", before) do end
  while take("^(.*),fault=([^,]*)$", after, 1) do end
  return text, table.move(after, 1, #after, #before + 1, before)
end

--- Parses the text after "cassette:" in --runner.
---@param base string?  folder from which a relative path starts; default: the working directory
---@return {name: string, dir: string, faults: table[], text: string}
function M.parse(rest, base)
  local dir, asked = split(rest or "")
  if dir == "" then
    record.refuse("--runner cassette names no folder", "write --runner cassette:DIR")
  end
  if dir:find(",fault=", 1, true) then
    record.refuse(("the faults of the cassette '%s' do not stand together at its end")
      :format(core.text.printable(rest, 200)), "write --runner 'cassette:DIR,fault=429,fault=…'")
  end
  local spec = { name = "cassette", faults = {} }
  -- A cassette that is a run can be opened only when the run's repository is known.
  spec.run = dir:match "^R%-%d+$"
  -- Store an absolute path, because a resumed run may have another working directory.
  spec.dir = dir:sub(1, 1) == "/" and dir or (base or core.system.cwd()) .. "/" .. dir
  spec.text = "cassette:" .. (spec.run or spec.dir)
  for i, fault in ipairs(asked) do
    spec.faults[i] = parse_fault(fault)
    spec.text = ("%s,fault=%s"):format(spec.text, fault)
  end
  return spec
end

--- Replaces a path in a text by another text. `/a/b` does not match inside `/a/bc`.
local function with_path(text, path, by)
  if path == "" then return text end
  return (text:gsub("()" .. path:gsub("%p", "%%%0") .. "()", function(from, to)
    local is_whole = not text:find("^[%w_-]", to) and not text:find("^%.[%w_]", to)
      and not text:sub(math.max(1, from - 1), from - 1):find("[%w_./-]")
    return is_whole and by or nil
  end))
end

--- Raises an error if a cassette is missing. Called before the run is created.
---@param spec {dir: string}
---@param home table  home of the run that will replay the cassette
function M.check(spec, home)
  if spec.run then
    cassette_run.open(home, spec.run)
    return
  end
  local root, err = core.file.root(spec.dir)
  if root then return end
  record.refuse(("the cassette %s is not there: %s"):format(core.text.printable(spec.dir, 400),
    err.message), "record it with --record DIR")
end

--- Removes instruction files and absolute paths from a prompt, because they differ between runs.
local function neutral_prompt(text, sidecar, top)
  return with_path(with_path(instruction_text.without(text), sidecar, "<sidecar>"), top,
    "<repository>")
end

local function prompt_of(job, attempt)
  local run = job.run
  return neutral_prompt(attempt.prompt, run.absolute(run.sidecar), run.top)
end

--- Creates the folder of --record, and tests that it is writable, before an agent costs money.
---@param dir string  absolute
function M.prepare(dir)
  local named, spec = pcall(M.parse, dir)
  if not named or spec.dir ~= dir then
    record.refuse(("--record: no cassette can be named %s"):format(core.text.printable(dir, 400)),
      "name a folder without ',fault=' in its path")
  end
  local root, err = core.file.make_root(dir)
  local probe = ".moonlet-" .. core.clock.random_hex(8)
  local written
  if root then
    written, err = core.file.write(root, probe, "")
    core.file.remove(root, probe)
  end
  if written then return end
  record.refuse(("--record: cannot write to %s: %s"):format(dir, err.message),
    "name a folder that can be made and written")
end

local function recorded_numbers(root, path)
  local numbers = {}
  for _, entry in ipairs(core.file.list(root, path) or {}) do
    local digits = entry.name:match("^attempt%-([1-9]%d*)$")
    if digits and #digits < 10 then numbers[#numbers + 1] = math.tointeger(tonumber(digits)) end
  end
  table.sort(numbers)
  return numbers
end

--- Returns the numbers of a step's attempts that had its current input: their recordings stay.
local function kept_before(job)
  local story, key = job.run.journal, job.key
  job.kept = job.kept or {}
  for _, charge in ipairs(story.history.charges[key] or {}) do
    local entry = charge.entry
    if entry and entry.class ~= "abandoned" and charge.hash == story.begins[key].input_hash then
      job.kept[charge.number] = true
    end
  end
  return job.kept
end

--- Stores a recording as attempt `number`. Deletes later ones, and those that are not in `kept`.
local function replace(base, beside, number, kept)
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
  if there then core.file.remove(base, old) end
  kept[number] = true
  for _, n in ipairs(recorded_numbers(base, ".")) do
    if n > number or not kept[n] then core.file.remove(base, "attempt-" .. n) end
  end
end

--- Records an attempt's input and output. If that fails, the earlier recording stays.
---@param text string?  answer that no process printed, such as an answer of the runner mock
function M.keep(job, attempt, exit, text)
  local run = job.run
  local folder = run.options.record .. "/" .. core.run.step_name(job.key)
  local base = assert(core.file.make_root(folder))
  local beside = ".new-" .. core.clock.random_hex(8)
  local function put(file, content)
    local written, why = core.file.write(base, beside .. "/" .. file, core.run.redact(content))
    if not written then
      core.file.remove(base, beside)
      error(why, 0)
    end
  end
  assert(core.file.make_root(folder .. "/" .. beside))
  local prompt = prompt_of(job, attempt)
  put("call.json", core.json.encode({ version = 1, key = job.key, attempt = attempt.number,
    runner = text and "command" or job.runner.name, events = job.call.events, model = job.model,
    sandbox = job.sandbox, task = run.task_id, run = run.id, prompt = prompt,
    prompt_sha256 = core.text.sha256(prompt) }, 2) .. "\n")
  for _, file in ipairs { "stdout.log", "stderr.log" } do
    put(file, run.read_artifact(job.dir .. "/" .. file, file_cap) or "")
  end
  local answer = text or run.read_artifact(job.dir .. "/out/output.md", file_cap)
  if answer then put("output.md", answer) end
  local kept, changed, left_out = pcall(cassette_changes.text_of, job.lease and job.lease.place)
  if kept and changed then put(cassette_changes.file, changed) end
  if not kept or left_out[1] then
    run.emit("warning", { step = job.key, text = "the cassette lacks some of the agent's changes: "
      .. core.text.printable(kept and table.concat(left_out, ", ")
        or tostring(changed.message or changed), 300) })
  end
  local not_started = exit.error and { kind = exit.error.kind, message = exit.error.message,
    hint = exit.error.hint }
  put("exit.json",
    core.json.encode({ version = 1, why = exit.why, code = exit.code, signal = exit.signal,
    late = exit.late, duration_ms = exit.duration_ms, error = not_started }, 2) .. "\n")
  replace(base, beside, attempt.number, kept_before(job))
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

local whys = { exited = true, signalled = true, wall = true, idle = true, cancelled = true,
  finished = true, lost = true, not_started = true }

local function read_call(root, dir, path)
  local call = read_json(root, path .. "/call.json")
  if not call then miss(dir, ("holds %s/call.json that cannot be read"):format(path)) end
  if call.version ~= nil and call.version ~= 1 then
    miss(dir, ("was made by another version of moonlet: %s/call.json"):format(path))
  end
  for _, name in ipairs { "prompt", "runner", "events", "task", "run" } do
    if call[name] == core.json.null then call[name] = nil end
    local is_needed = name == "prompt" or name == "runner"
    if type(call[name]) ~= "string" and (is_needed or call[name] ~= nil) then
      miss(dir, ("holds %s/call.json without its %s"):format(path, name))
    end
  end
  if call.runner == "cassette" then
    miss(dir, ("holds %s/call.json of the runner cassette, which has nothing to record"):format(
      path))
  end
  return call
end

local function read_exit(root, dir, path)
  local exit = read_json(root, path .. "/exit.json")
  if not exit then miss(dir, ("has no %s/exit.json that can be read"):format(path)) end
  for _, name in ipairs { "code", "signal" } do
    if exit[name] == core.json.null then exit[name] = nil end
    if exit[name] ~= nil and math.type(exit[name]) ~= "integer" then
      miss(dir, ("holds %s/exit.json whose %s is not a whole number"):format(path, name))
    end
  end
  if not whys[exit.why] or exit.why == "exited" and not exit.code
    or exit.why == "signalled" and not (exit.signal and exit.signal > 0) then
    miss(dir, ("holds %s/exit.json that does not say how the process ended"):format(path))
  end
  local err = type(exit.error) == "table" and exit.error ~= core.json.null and exit.error
  local function text(key) return type(err[key]) == "string" and err[key] or nil end
  exit.error = err and { kind = text "kind" or "failed", message = text "message" or "",
    hint = text "hint" } or nil
  return exit
end

--- Reads a file of a recording. Raises an error if the file is unreadable, or needed but missing.
local function read_part(root, dir, path, needed)
  if not needed and not core.file.stat(root, path) then return nil end
  local text, err = core.file.read(root, path, file_cap)
  if not text then miss(dir, ("has no %s that can be read: %s"):format(path, err.message)) end
  return text
end

--- Reports whether a line equals a recorded line, in which "[redacted:…]" matches any text.
local function fits(recorded, line)
  if recorded == line then return true end
  local at, pos = 1, 1
  while true do
    local from, to = recorded:find("%[redacted:[%w_.-]+%]", pos)
    local piece = recorded:sub(pos, from and from - 1)
    if not from then
      return pos > 1 and #line - #piece + 1 >= at and line:sub(#line - #piece + 1) == piece
    end
    local found = pos == 1 and (line:sub(1, #piece) == piece and 1)
      or pos > 1 and line:find(piece, at, true)
    if not found then return false end
    -- A secret has at least one character, so `[redacted:…]` matches at least one character.
    at, pos = found + #piece + 1, to + 1
  end
end

local function each_step(root, found)
  for _, entry in ipairs(core.file.list(root, ".") or {}) do
    local first = recorded_numbers(root, entry.name)[1]
    local call = first and read_json(root, ("%s/attempt-%d/call.json"):format(entry.name, first))
    if call and type(call.key) == "string" then found(call, entry.name) end
  end
end

--- Finds the folder of a step whose key differs only by a redacted secret, or nil if several fit.
local function find_renamed(root, key)
  local names = {}
  each_step(root, function(call, name)
    if fits(call.key, key) or core.secret.hide(call.key) == key then names[#names + 1] = name end
  end)
  return #names == 1 and names[1] or nil
end

--- Finds the recording of attempt `number` of a step, or the step's last recording if there are
--- fewer. The third result is true if the found recording is the step's first.
local function find(root, dir, key, number)
  local name = core.run.step_name(key)
  if not core.file.stat(root, name) then name = find_renamed(root, key) or name end
  local numbers = recorded_numbers(root, name)
  if #numbers > 0 then
    local at = math.min(number, #numbers)
    local path = ("%s/attempt-%d"):format(name, numbers[at])
    return path, read_call(root, dir, path), at == 1
  end
  local keys = {}
  each_step(root, function(call)
    if #keys < 20 then keys[#keys + 1] = core.text.printable(context.plain(call.key), 100) end
  end)
  miss(dir, ("has no recording of the step '%s'"):format(context.plain(key)),
    "it has: " .. table.concat(keys, ", "))
end

--- Returns a function that masks the task and run ids of both runs in a text.
---@param call table  the recorded call
---@return fun(text: string): string
local function same_names(call, run)
  local names, seen = {}, {}
  for _, name in ipairs { call.task or "", call.run or "", run.task_id, run.id } do
    if name ~= "" and not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  table.sort(names, function(a, b) return #a > #b end)
  return function(text)
    for _, name in ipairs(names) do text = text:gsub((name:gsub("%p", "%%%0")), "\0") end
    return text
  end
end

--- Returns the number of the first line that differs from the recorded prompt, or nil.
local function different(call, now, run)
  -- The recorded prompt may contain a word that became a secret later, so redact it again.
  local recorded = core.run.redact(call.prompt)
  if recorded == now then return nil end
  local neutral = same_names(call, run)
  local function is_same(old, new)
    if fits(old, new) then return true end
    -- Old recordings contain <task> and <run> in place of ids. Let these two words match any text.
    if not call.task then
      return fits((old:gsub("<task>", "[redacted:t]"):gsub("<run>", "[redacted:r]")), new)
    end
    return fits(neutral(old), neutral(new))
  end
  local old, new = lines.of(recorded), lines.of(now)
  local i = 1
  while i <= #old and i <= #new and is_same(old[i], new[i]) do i = i + 1 end
  if i <= #old or i <= #new then return i, old, new end
end

--- Raises an error that shows the first line in which a prompt differs from the recorded one.
local function check_prompt(dir, key, call, now, run)
  local i, old, new = different(call, now, run)
  if not i then return end
  local function shown(line)
    return line and "'" .. core.text.printable(line, 200) .. "'" or "nothing"
  end
  local lengths = #old ~= #new and (" (%d lines were, %d are)"):format(#old, #new) or ""
  miss(dir, ("was recorded with another prompt for the step '%s': line %d was %s and is %s%s")
    :format(context.plain(key), i, shown(old[i]), shown(new[i]), lengths))
end

--- Finds a clean-up handler's step by its prompt, because the number in its key differs.
local function find_ending(root, key, prompt, run)
  local function neutral_key(text) return (text:gsub("#finally@%d+", "#finally")) end
  if neutral_key(key) == key then return key end
  local found, exact
  each_step(root, function(call)
    if neutral_key(call.key) == neutral_key(key) and type(call.prompt) == "string"
      and not different(call, prompt, run) then
      found, exact = call.key, exact or call.key == key
    end
  end)
  return not exact and found or key
end

local function fault_of(spec, key, number)
  local plain = context.plain(key)
  for _, fault in ipairs(spec.faults) do
    if number <= fault.times and plain:find(fault.step, 1, true) then return fault.kind end
  end
end

--- Reports the injected faults that no step matched.
---@param spec {faults: table[]?}  a runner, in the form of runners.parse()
---@param steps {key: string, kind: string}[]
function M.idle_faults(spec, steps)
  local idle = {}
  for _, fault in ipairs(spec.faults or {}) do
    local befell = false
    for _, step in ipairs(steps) do
      befell = befell or step.kind == "agent"
        and context.plain(step.key):find(fault.step, 1, true) ~= nil
    end
    if not befell then
      idle[#idle + 1] = ("the fault '%s' hit no step%s"):format(
        core.text.printable(fault.text, 100),
        fault.step ~= ""
          and (": none has '%s' in its key"):format(core.text.printable(fault.step, 60)) or "")
    end
  end
  return idle
end

local told = {
  ["429"] = function() return outcome.error("rate", "an injected fault: 429 Too Many Requests",
    { retry_after_ms = 0 }) end,
  quota = function() return outcome.error("quota", "an injected fault: the quota is used up",
    { reset_at = core.clock.wall() + 2000 }) end,
  auth = function() return outcome.error("auth", "an injected fault: 401 Unauthorized") end,
  network = function() return outcome.error("network", "an injected fault: connection refused",
    { retry_after_ms = 0 }) end,
}

local function spoil(kind, tape, run)
  if kind == "cancel" then
    run.end_cancelled()
  elseif kind == "hang" then
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

local function change(job, tape)
  local place, problem = job.lease and job.lease.place, nil
  if not place or job.sandbox ~= "workspace-write" then return end
  if tape.patch and place.apply then
    local ok, err = pcall(place.apply, tape.patch)
    problem = not ok and (type(err) == "table" and err.message or tostring(err)) or nil
  elseif tape.changes and place.recorded then
    problem = cassette_changes.apply(place, tape.changes)
  elseif tape.of_run and not place.apply then
    problem = "a run keeps only what was changed in a worktree"
  end
  if not problem then return end
  job.run.emit("warning",
    { step = job.key, text = "the agent's changes are not played: " .. problem })
end

local function recording_of(spec, job, attempt, prompt)
  local dir, run, key = spec.dir, job.run, job.key
  local root = core.file.root(dir)
  if not root then miss(dir, "is not there") end
  job.recorded_key = job.recorded_key or attempt.repairs and key
    or find_ending(root, key, prompt, run)
  local path, call, first = find(root, dir, job.recorded_key, attempt.number)
  if not (attempt.repairs and first) then check_prompt(dir, key, call, prompt, run) end
  return call, { exit = read_exit(root, dir, path),
    stdout = read_part(root, dir, path .. "/stdout.log", true),
    stderr = read_part(root, dir, path .. "/stderr.log") or "",
    answer = read_part(root, dir, path .. "/output.md"),
    changes = read_part(root, dir, path .. "/" .. cassette_changes.file) }
end

local function recording_of_run(spec, job, prompt)
  local run, key = job.run, job.key
  local found, keys = cassette_run.recording(cassette_run.open(run.home, spec.run), key,
    neutral_prompt)
  if not found then
    miss(spec.run, ("has no recording of the step '%s'"):format(context.plain(key)),
      "it has: " .. keys)
  end
  found.call.events = job.call.events
  check_prompt(spec.run, key, found.call, prompt, run)
  found.tape.patch, found.tape.of_run = found.patch, true
  return found.call, found.tape
end

--- Replays one recorded attempt: writes its output files and returns its exit.
---@param spec {dir: string, faults: table[]}
---@return table exit, table call, table? error  error: set if a provider's error was injected
function M.play(spec, job, attempt)
  local key, run = job.key, job.run
  -- The prompt of a repair round is not compared, because it quotes the first answer.
  local prompt = prompt_of(job, attempt)
  local call, tape
  if spec.run then call, tape = recording_of_run(spec, job, prompt)
  else call, tape = recording_of(spec, job, attempt, prompt)
  end
  local kind = fault_of(spec, key, attempt.number)
  if kind then spoil(kind, tape, run) end
  run.write_artifact(job.dir .. "/stdout.log", tape.stdout)
  run.write_artifact(job.dir .. "/stderr.log", tape.stderr)
  if tape.answer then run.write_artifact(job.dir .. "/out/output.md", tape.answer) end
  if not kind or kind == "slow" or kind == "invalid" then change(job, tape) end
  local printed = #tape.stdout
  local exit = { why = tape.exit.why, code = tape.exit.code or -1, signal = tape.exit.signal or 0,
    duration_ms = 0, cpu_ms = 0, max_rss_kb = 0, drained = true, stragglers = 0,
    stdout_total = printed, stdout_kept = printed, stdout_in_time = printed, late = tape.exit.late,
    stdout_cut = false, stderr_total = #tape.stderr, stderr_kept = #tape.stderr, stderr_cut = false,
    error = tape.exit.error }
  return exit, call, kind and told[kind] and told[kind]() or nil
end

return M
