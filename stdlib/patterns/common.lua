--- The shared parts of the patterns: checks of options, calls of workers, and refusals of misuse.
local record = require "moonlet.record"

local concat, format = table.concat, string.format

local C = {}

local common = { agent = "table", pack = "table", data = "list" }
local own_fields = { name = true, prompt = true, schema = true, sandbox = true, writes = true,
  edits = true, continues = true }

--- Raises with the place of the author's call.
function C.refuse(message, hint)
  error(record.invalid(message, hint, core.text.place()), 0)
end

--- Checks the options of a pattern; those that all have are known.
---@param opts table
---@param fields table<string, string>
---@param verb string
function C.check(opts, fields, verb)
  local known = {}
  for _, list in ipairs { common, fields } do
    for name, kind in pairs(list) do known[name] = kind end
  end
  record.check(opts, known, verb)
  for name in pairs(opts.agent or {}) do
    if own_fields[name] then
      C.refuse(format("%s: agent.%s is the pattern's own", verb, core.text.printable(tostring(name), 40)),
        "agent takes runner, model, timeout, idle, turns, retry, budget, env, inputs, web_search and the like")
    end
  end
end

--- A list of different texts, within bounds.
function C.texts(list, verb, name, least, most)
  local seen = {}
  for i, text in ipairs(list) do
    if type(text) ~= "string" or not text:find "%S" then
      C.refuse(format("%s: %s[%d] is no text", verb, name, i), "give each a name")
    end
    if seen[text] then
      C.refuse(format("%s: %s has '%s' twice", verb, name, core.text.printable(text, 60)), "name each once")
    end
    seen[text] = true
  end
  C.bounds(#list, verb, name, least, most)
  return list
end

--- Raises for a number outside of the pattern's bounds.
function C.bounds(number, verb, name, least, most)
  if number >= least and number <= most then return number end
  C.refuse(format("%s: %s is %d, and must be from %d to %d", verb, name, number, least, most),
    number > most and "more of them cost more than they find; run the pattern on a part, or twice" or nil)
end

--- A text that must say something.
function C.text(value, verb, name)
  if type(value) == "string" and value:find "%S" then return value end
  C.refuse(format("%s needs '%s'", verb, name), "say it in a sentence")
end

--- The call of a worker: the fields of the pattern, over those of all workers and of this one. It is given the
--- instruction files of the base of the change that it is about.
---@param opts table
---@param worker table?  of opts.implementer and the like
---@param call table
function C.call(opts, worker, call)
  local whole = {}
  for _, fields in ipairs { opts.agent or {}, worker or {}, call } do
    for name, value in pairs(fields) do whole[name] = value end
  end
  whole.name = call.name
  local target = type(opts.facts) == "table" and opts.facts.target
  whole.base = whole.base or target and target.base or nil
  return whole
end

--- The fields of a prompt that all workers of a pattern get.
function C.prompt(opts, fields)
  fields.pack = fields.pack or opts.pack
  fields.data = fields.data or opts.data
  return fields
end

local function worker_name(opts, role)
  local worker = opts[role]
  return worker and worker.name or role
end

--- Refuses a verifier that is its own implementer. Both are workers: { name, runner, model, … }.
function C.check_verifier(opts, verb)
  for _, role in ipairs { "implementer", "verifier" } do
    local worker = opts[role] or {}
    for name in pairs(worker) do
      if own_fields[name] and name ~= "name" and name ~= "continues" then
        C.refuse(format("%s: %s.%s is the pattern's own", verb, role, name), "a worker takes name, runner, model, …")
      end
    end
  end
  local doer, judge = opts.implementer or {}, opts.verifier or {}
  local same = rawequal(opts.implementer, opts.verifier) and opts.verifier ~= nil
    or worker_name(opts, "implementer") == worker_name(opts, "verifier")
  if same or judge.continues or doer.continues then
    C.refuse(format("%s: the verifier is its own implementer", verb),
      "a verifier is another worker, with a name and a fresh session of its own")
  end
end

--- The name and the fields of a worker.
function C.worker(opts, role)
  local fields = {}
  for name, value in pairs(opts[role] or {}) do fields[name] = value end
  fields.name = nil
  return worker_name(opts, role), fields
end

-- The part of a path that stands still, without a slash at its end; "" is everything.
local function root_of(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part:find "[*?%[]" then break end
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return concat(parts, "/")
end

local function within(inner, outer)
  return outer == "" or inner == outer or inner:sub(1, #outer + 1) == outer .. "/"
end

--- Refuses two writers of one artifact. `slices` are { name, paths }.
function C.check_disjoint(slices, verb)
  for i, slice in ipairs(slices) do
    for j = 1, i - 1 do
      for _, path in ipairs(slice.paths) do
        for _, other in ipairs(slices[j].paths) do
          local a, b = root_of(path), root_of(other)
          if within(a, b) or within(b, a) then
            C.refuse(format("%s: '%s' and '%s' would both write %s", verb, core.text.printable(slices[j].name, 60),
              core.text.printable(slice.name, 60), core.text.printable(#a > #b and path or other, 100)),
              "many readers, one writer: give each its own paths, or write = false")
          end
        end
      end
    end
  end
end

--- Paths that a worker may write; raises without any.
function C.scope(scope, verb)
  local paths = type(scope) == "string" and { scope } or scope
  if type(paths) ~= "table" or #paths == 0 then
    C.refuse(format("%s needs 'scope'", verb), 'the files or folders that may change, such as { "src" }')
  end
  return C.texts(paths, verb, "scope", 1, 50)
end

--- A call whose loss the pattern survives: the answer, or nil and what was lost.
function C.try(name, fn)
  local ok, value = pcall(fn)
  if ok then return value end
  local kind = type(value) == "table" and rawget(value, "kind")
  -- A run that parks, stops or was written wrong does so.
  if kind ~= "failed" and kind ~= "timeout" and kind ~= "lost" and kind ~= "budget" then error(value, 0) end
  return nil, { branch = name, kind = kind, message = tostring(value.message) }
end

--- "3 findings"
function C.count(number, one, many)
  return format("%d %s", number, number == 1 and one or many or one .. "s")
end

--- The results of a fan-out that were found, and their items.
C.found = require("moonlet").found

--- A list of lost branches, for a result.
function C.lost(...)
  local all = core.json.array {}
  for _, list in ipairs { ... } do
    for _, item in ipairs(list) do
      all[#all + 1] = { branch = item.branch, kind = item.kind, message = item.message }
    end
  end
  return all
end

--- The checks of a pattern as calls of ctx:validate.
---@param checks (string|table)[]?
---@return table[]
function C.checks(checks)
  local calls = {}
  for i, check in ipairs(checks or {}) do
    calls[i] = type(check) == "table" and #check == 0 and check or { command = check }
  end
  return calls
end

--- Runs the checks of the host, in order, each of them once; the failed ones.
---@param ctx moonlet.Ctx
---@param checks table[]  calls of ctx:validate
function C.evidence(ctx, checks)
  local failed = {}
  for _, check in ipairs(checks) do
    local result = ctx:validate(check)
    if result.status ~= "passed" then failed[#failed + 1] = result end
  end
  return failed
end

--- The end of what failed checks printed, as material for a prompt.
function C.outputs(failed)
  local data = {}
  for i, result in ipairs(failed) do
    data[i] = { label = "what '" .. result.command .. "' printed (" .. tostring(result.why or result.status) .. ")",
      text = (result.stdout or "") .. (result.stderr or ""), limit = 8000, priority = 2 }
  end
  return data
end

--- Findings as a numbered list for a prompt.
function C.numbered(findings)
  local lines = {}
  for i, finding in ipairs(findings) do
    lines[i] = format("%d. [%s] %s: %s\n   evidence: %s\n   fix: %s", i, finding.severity,
      require("moonlet.findings").place(finding), finding.claim, finding.evidence, finding.fix)
  end
  return concat(lines, "\n")
end

return C
