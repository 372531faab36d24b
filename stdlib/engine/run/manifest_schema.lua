--- Checks the parts of run.json that readers rely on. A file that fails counts as damaged.
local M = {}

local null = core.json.null

local function kind_of(value)
  if value == null then return "null" end
  return math.type(value) or type(value)
end

local function one_of(...)
  local kinds = {}
  for _, kind in ipairs { ... } do kinds[kind] = true end
  return function(value) return kinds[kind_of(value)] == true end
end

local function is_absent(value) return value == nil or value == null end

local function maybe(check)
  return function(value) return is_absent(value) or check(value) end
end

local is_object = one_of "table"

local function fields(shape)
  return function(value)
    if not is_object(value) then return false end
    for name, check in pairs(shape) do
      if not check(value[name]) then return false end
    end
    return true
  end
end

local function all_of(kind, check)
  return function(value)
    if not is_object(value) then return false end
    for key, item in pairs(value) do
      if kind_of(key) ~= kind or not check(item) then return false end
    end
    return true
  end
end

local function list_of(check) return all_of("integer", check) end
local function map_of(check) return all_of("string", check) end

local text, flag, count = one_of "string", one_of("boolean", "nil"), one_of "integer"
local maybe_text, maybe_flag, maybe_count = maybe(text), maybe(flag), maybe(count)
local text_or_none, count_or_null = one_of("string", "nil"), one_of("integer", "null")
local maybe_object = maybe(is_object)
local texts = list_of(text)
local function date(value) return text(value) and core.clock.parse(value) ~= nil end
local told_error = maybe(fields { kind = text, message = text, hint = maybe_text, at = maybe_text })

local file = fields { bytes = maybe_count, sha256 = maybe_text, error = maybe_text,
  named = maybe_text, files = maybe_count, link = flag, special = flag, unhashed = flag,
  grows = flag }
local step = fields { key = text, kind = text, status = text, runner = maybe_text, on = maybe_text,
  cached = maybe_flag, duration_ms = count_or_null, usage = maybe_object, error = told_error }
local function is_options(value) return value == nil or texts(value) end
local point = fields { key = text, kind = text, text = text, why = text_or_none,
  show = text_or_none, shown = text, options = is_options, until_ms = maybe_count }
local answer = fields { key = text, kind = text, text = text, why = text_or_none,
  show = text_or_none, value = text_or_none, by = text, note = text_or_none, at = text }
local amount = one_of("integer", "float", "string", "null")
local runner = fields { args = maybe(list_of(text)), env = maybe(list_of(text)),
  model = maybe_text }

local imported = maybe(fields { run = text, dir = text, at = text, archive_sha256 = text,
  left = map_of(text) })
local review = maybe(fields { state = text, reviewed_by = maybe_text, note = maybe_text,
  at = maybe_text, sha256 = maybe_text })

local shape = fields {
  id = text, sidecar = text, task_id = text, preset = text, target = text, runner = maybe_text,
  started_at = date, script = flag, ended = flag, prepared = flag, cleanup = flag, linked = flag,
  limit = count, args = is_object, path = maybe_text, top = maybe_text, origin = maybe_text,
  model = maybe_text, verdict = maybe_text, runner_name = maybe_text, route = maybe_object,
  duration_ms = maybe_count, until_ms = maybe_count, exit_code = maybe_count,
  files_fold = maybe_count, usage = maybe_object, spent = maybe_object,
  packet = maybe(fields { id = text, title = text, sha256 = text,
    validation = list_of(is_object), auto_approve = flag, prompt_tokens = maybe_count }),
  review = review, reviewing = review, imported = imported, parent_run_id = maybe_text,
  traceparent = maybe_text, places = maybe_object, bytes = maybe_object, error = told_error,
  options = fields { title = maybe_text, reason = maybe_text, phase = maybe_text,
    agent_role = maybe_text, model = maybe_text, on = maybe_text, gates = maybe_text,
    dry_run = maybe_flag, offline = maybe_flag, prompt_tokens = maybe_count, pipeline = maybe_flag,
    inputs = maybe(list_of(text)) },
  grants = fields { all = flag, agents = flag, run = map_of(flag), env = map_of(flag),
    host = maybe(map_of(flag)), read = texts, write = texts },
  budget = map_of(amount), altered = maybe(texts), files_changed = maybe(texts),
  held_back = maybe(texts), files = maybe(map_of(file)),
  keeper_log = maybe(fields { bytes = count, sha256 = text }), parked = list_of(point),
  answers = maybe(list_of(answer)), steps = maybe(list_of(step)),
  attempts = maybe(list_of(is_object)), degraded = maybe(list_of(is_object)),
  validation = maybe(list_of(is_object)),
  config = maybe(fields { runners = maybe(map_of(runner)), prices = maybe_object,
    limits = maybe_object }),
}

local function has_verdict(record) return not record.ended or type(record.verdict) == "string" end

function M.is_record(value) return shape(value) and has_verdict(value) end

return M
