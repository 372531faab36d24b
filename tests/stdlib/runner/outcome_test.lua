local truth = require "moonlet.engine.runner.outcome"
local reset = require "moonlet.engine.runner.quota_reset"
local zone = require "moonlet.engine.runner.timezones"
local stream = require "moonlet.engine.runner.stream"
local codex = require "moonlet.engine.runner.codex"
local claude = require "moonlet.engine.runner.claude"
local gemini = require "moonlet.engine.runner.gemini"
local opencode = require "moonlet.engine.runner.opencode"
local moonlet = require "moonlet.engine.runner.moonlet"

-- Messages of providers and CLIs determine the class of an error.
local classes = {
  { "quota", "You've hit your usage limit. Upgrade to Pro (https://x) or try again in 3 days 4 hours 12 minutes." },
  { "quota", "Claude AI usage limit reached|1795230000" },
  { "quota", "5-hour limit reached \u{2219} resets 3pm" },
  { "quota", "You're out of extra usage \u{b7} resets 5pm (America/Los_Angeles)" },
  { "quota", "Credit balance is too low" },
  { "quota", "Error code: 429 - insufficient_quota: You exceeded your current quota, please check your plan" },
  { "quota", "You have exhausted your capacity on this model. Your quota will reset after 12h34m16s." },
  { "quota", "Quota exceeded for metric 'Gemini 2.5 Pro Requests' and limit 'Requests per day per user'" },
  { "rate", "Quota exceeded for metric 'requests' and limit 'Requests per minute'. Please retry in 34.07s." },
  { "rate", "Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM). Please try again in 1.898s." },
  { "rate", "This request would exceed your account's rate limit. Please try again later.", 429 },
  { "auth", "unexpected status 401 Unauthorized: no" },
  { "auth", "Invalid API key \u{b7} Fix external API key" },
  { "auth", "OAuth token has expired. Please obtain a new token", 401 },
  { "context", "prompt is too long: 250000 tokens > 200000 maximum", 400 },
  { "context", "This model's maximum context length is 8192 tokens", 400 },
  { "refused", "This content was flagged for possibly violating our usage policy", 400 },
  { "refused", "The model `gpt-9` does not exist or you do not have access to it.", 404 },
  { "network", "Overloaded", 529 },
  { "network", "getaddrinfo ENOTFOUND api.example.org" },
  { "network", "fetch failed" },
  { "network", "unexpected status 502 Bad Gateway" },
  { "invalid-output", "Incomplete response returned, reason: max_output_tokens" },
}
for _, case in ipairs(classes) do is(truth.classify(case[2], case[3]), case[1], case[2]) end
is(truth.classify "the moon is blue", nil, "words that say nothing")
-- A reported status determines the class. Without one the message does, but only in the provider's own words.
for _, case in ipairs {
  { "refused", "unexpected status 404 Not Found: No route for /v1/oauth/responses" },
  { "refused", "unexpected status 400 Bad Request: see https://docs.example.com/authentication for the list" },
  { "refused", "unexpected status 400 Bad Request: Unsupported parameter: max_tokens. Use max_output_tokens" },
  { "refused", "unexpected status 400 Bad Request: tool schema for billing_lookup is invalid" },
  { "refused", "unexpected status 400 Bad Request: Your organization must be verified. See billing settings." },
  { "network", "unexpected status 500 Internal Server Error: quota service unavailable" },
  { "network", "our usage limit reached service is down", 503 },
  { "quota", "Your credit balance is too low to access the Anthropic API.", 400 },
  { "quota", "You have reached your specified API usage limits. You will regain access on 2026-12-01.", 400 },
  { "auth", "API key not valid. Please pass a valid API key.", 400 },
  { "quota", "no more of it", 402 },
  { "quota", "You exceeded your current quota, please check your plan and billing details", 429 },
  { "quota", "You've hit your org's monthly usage limit" },
  { nil, "Error writing state: Disk quota exceeded (os error 122)" },
  { nil, "No space left on device (os error 28)" },
  { nil, "EDQUOT: disk quota exceeded, write" },
  { nil, "The author of the oauth network library exhausted quota in billing.js" },
  { nil, "the recursion limit reached its end; see the authentication chapter" },
} do is(truth.classify(case[2], case[3]), case[1], "status or words: " .. case[2]) end
is(truth.classify("slow down", nil, "insufficient_quota"), "quota", "a code")
is(truth.classify("Quota exceeded", 429, nil, 1898), "rate", "a quota for a moment")

-- Messages say when a limit resets. In these tests it is Saturday, 2026-11-21T02:00:00Z.
local now = 1795226400000
local hour, day = 3600000, 86400000
local function at(iso) return reset.moment(iso, now).reset_at end
is(core.clock.iso(now), "2026-11-21T02:00:00.000Z", "the moment")
local times = {
  { "or try again in 3h 12m", now + 3 * hour + 12 * 60000 },
  { "try again in 5 days 22 hours 11 minutes.", now + 5 * day + 22 * hour + 11 * 60000 },
  { "Please try again in 1.898s. Visit", now + 1898 },
  { "Please try again in 20ms.", now + 20 },
  { "Your quota will reset after 12h34m16s.", now + 12 * hour + 34 * 60000 + 16000 },
  { "Please retry in 34.074824224s.", now + 34075 },
  { '"retryDelay": "34s"', now + 34000 },
  { "Retry-After: 7", now + 7000 },
  { '{"retry-after":"120","x":1}', now + 120000 },
  { "retry-after-ms: 1500", now + 1500 },
  { '"resets_in_seconds": 3600', now + hour },
  { "Claude AI usage limit reached|1795230000", 1795230000000 },
  { '"resets_at":1795230000', 1795230000000 },
  { "resets at 3pm", at "2026-11-21T15:00:00Z" },
  { "You've hit your limit \u{b7} resets 1:30am (UTC)", at "2026-11-22T01:30:00Z" },
  { "limit reached \u{2219} resets 3am", at "2026-11-21T03:00:00Z" },
  { "Access resets at 11:57 PM GMT-3.", at "2026-11-21T02:57:00Z" },
  { "Your limit will reset at 1pm (Etc/GMT+5)", at "2026-11-21T18:00:00Z" },
  { "resets 5pm (America/Los_Angeles)", at "2026-11-22T01:00:00Z" },
  { "resets Dec 9, 5pm (UTC)", at "2026-12-09T17:00:00Z" },
  { "resets Jan 3 at 9am", at "2027-01-03T09:00:00Z" },
  { "try again at Dec 9th, 2026 3:05 PM.", at "2026-12-09T15:05:00Z" },
  { "try again at 15:04", at "2026-11-21T15:04:00Z" },
  { "try again at 10 de jul. de 2027, 11:52.", at "2027-07-10T11:52:00Z" },
  { "resets at 2026-11-21T09:30:00Z", at "2026-11-21T09:30:00Z" },
  { "resets at 2026-11-21T09:30:00+02:00", at "2026-11-21T07:30:00Z" },
  { "resets on Monday at 9am", at "2026-11-23T09:00:00Z" },
  { "available again at tomorrow 8am", at "2026-11-22T08:00:00Z" },
  { "Try again at 2026-11-22 03:00 PM UTC", at "2026-11-22T15:00:00Z" },
  { "Try again at 2026-11-22 15:00 (Europe/Berlin)", at "2026-11-22T14:00:00Z" },
  { "Try again at 2026-11-22 03:00:30.25 pm EST.", at "2026-11-22T20:00:30Z" },
  { "You will regain access on 2026-12-01 at 00:00 UTC.", at "2026-12-01T00:00:00Z" },
  { "You will regain access on 2026-12-01.", at "2026-12-01T00:00:00Z" },
  { "resets 3pm PST", at "2026-11-21T23:00:00Z" },
  { "resets 3pm PT", at "2026-11-21T23:00:00Z" },
  { "resets 3 p.m. (EST)", at "2026-11-21T20:00:00Z" },
  { "resets at 3:00:10 PM", at "2026-11-21T15:00:10Z" },
  { "resets 11/23/2026 3:00 PM", at "2026-11-23T15:00:00Z" },
  { "resets 23/11/2026, 15:00", at "2026-11-23T15:00:00Z" },
  { "resets 12/01/2026 9 AM", at "2026-12-01T09:00:00Z" },
  { "try again in about 2 hours", now + 2 * hour },
  { "try again in an hour", now + hour },
  { "resets at midnight", at "2026-11-22T00:00:00Z" },
  { "try again on Monday", at "2026-11-23T00:00:00Z" },
  { "try again on Mon, Nov 23 at 9am", at "2026-11-23T09:00:00Z" },
  { "resets tomorrow", at "2026-11-22T00:00:00Z" },
}
for _, case in ipairs(times) do
  local found = reset.parse(case[1], now, 0, zone.named)
  is(found and core.clock.iso(found.reset_at), core.clock.iso(case[2]), case[1])
end
for _, text in ipairs { "", "try again later", "resets 99pm", "try again in a while", "resets at the beach", "retry-after: soon",
  "limit reached|99999999999999999999", "try again in 99999999999999999999 days", "resets Feb 99", "wait for it",
  "resets 3pm XYZ", "resets 3pm (Nowhere/Land)", "resets 13/13/2026 3 PM", "resets 13 PM" } do
  is(reset.parse(text, now, 0, zone.named), nil, "no time: " .. text)
end
-- The local time zone is two hours east of Greenwich.
is(reset.parse("resets 3am", now, 120).reset_at, at "2026-11-22T01:00:00Z", "a local clock")
is(reset.header("120", now).retry_after_ms, 120000, "Retry-After in seconds")
is(reset.header(2, now).retry_after_ms, 2000, "Retry-After as a number")
is(reset.header("Sat, 21 Nov 2026 02:01:41 GMT", now).retry_after_ms, 101000, "Retry-After as a date")
is(reset.header("Saturday, 21-Nov-26 02:01:41 GMT", now).retry_after_ms, 101000, "Retry-After as RFC 850 has dates")
is(reset.header("Sat Nov 21 02:01:41 2026", now).retry_after_ms, 101000, "Retry-After as asctime has them")
is(reset.header("Sun Nov  6 08:49:37 2026", now).reset_at, at "2026-11-06T08:49:37Z", "a day of one digit")
is(reset.header({}, now), nil, "Retry-After as something else")
is(reset.parse("resets 12am", now, 0).reset_at, at "2026-11-22T00:00:00Z", "midnight")
is(zone.named "../../etc/passwd", nil, "a zone that is none")
is(zone.read "TZif", nil, "half a zone file") -- raises nothing

-- The fields that come with each class of error.
local function finish(runner, lines, exit, answers)
  local state = runner.begin()
  for _, line in ipairs(lines) do runner.parse(state, line) end
  answers = answers or {}
  answers.now = now
  return runner.finish(state, exit, answers)
end
local failed = { why = "exited", code = 1 }
local result = finish(codex, { '{"type":"turn.failed","error":{"message":"You\'ve hit your usage limit. Try again in 2h."}}' },
  failed)
is(result.class, "quota", "codex's limit")
is(result.error.kind, "quota", "its kind")
is(result.error.reset_at, now + 2 * hour, "its end")
is(result.error.stops_others, true, "quota stops others")
is(finish(codex, { '{"type":"turn.failed","error":{"message":"You\'ve hit your usage limit, try again at 3:05 PM."}}' },
  failed).error.reset_at - at "2026-11-21T15:05:00Z", 60000 - zone.here()(now) * 60000, "the end of a minute that was told")
is(result.error.retryable, false, "quota is not tried again")
result = finish(claude, { '{"type":"result","subtype":"success","is_error":true,"api_error_status":429,'
  .. '"result":"Claude AI usage limit reached|1795230000"}' }, failed)
is(result.class, "quota", "claude's limit under success")
is(result.error.reset_at, 1795230000000, "until when")
result = finish(claude, { '{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795233600,'
  .. '"rateLimitType":"five_hour"}}', '{"type":"result","subtype":"success","is_error":true,"api_error_status":429,'
  .. '"result":"You\'ve hit your limit"}' }, failed)
is(result.class, "quota", "claude's limit event")
result = finish(claude, { '{"type":"result","subtype":"success","is_error":true,"api_error_status":429,'
  .. '"result":"API Error: Request rejected (429)"}' }, failed)
is(result.class, "rate", "claude's 429")
is(finish(claude, { '{"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"x"}]},"error":"rate_limit"}',
  '{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"API Error: Request rejected (429) '
  .. '\u{b7} You exceeded your current quota, please check your plan."}' }, failed).class, "quota", "claude's 429 about a quota")
is(result.error.retryable, true, "rate is tried again")
is(finish(claude, { '{"type":"result","subtype":"success","is_error":false,"result":"no","stop_reason":"refusal"}' },
  { why = "exited", code = 0 }).class, "refused", "a model that refuses")

is(finish(codex, { '{"type":"turn.failed","error":{"message":"{\\"error\\":{\\"message\\":\\"mock\\"}}"}}' }, failed).error.message
  .. " " .. finish(codex, { '{"type":"turn.failed","error":{"message":"{\\"error\\":1}"}}' }, failed).class, "Codex failed: mock refused",
  "the body of an answer")
local ok_lines = { '{"type":"item.completed","item":{"type":"agent_message","text":"yes"}}', '{"type":"turn.completed"}' }
local done = { why = "exited", code = 0 }
is(finish(codex, ok_lines, done).status, "ok", "exit 0 and the event")
is(finish(codex, ok_lines, done).usage, nil, "no usage was told")
is(finish(codex, ok_lines, failed).status, "failed", "exit 1 after the event")
holds(finish(codex, ok_lines, failed).error.message, "it had said that it was done", "and what it says")
is(finish(codex, ok_lines, { why = "signalled", code = -1, signal = 9 }).class, "killed", "killed after the event")
is(finish(codex, ok_lines, { why = "signalled", code = -1, signal = 11 }).class, "crashed", "SIGSEGV")
is(finish(codex, { ok_lines[1] }, { why = "wall", code = -1, signal = 9 }, { limits = { wall = 60000 } }).error.message,
  "Codex did not finish within 1m 00s and was ended", "the wall")
is(finish(codex, { ok_lines[1] }, { why = "idle", code = -1, signal = 9 }).error.kind, "timeout", "idle")
-- An agent that was silent after a provider's notice failed for the reason in the notice. Without a notice it
-- timed out.
local waits = '{"type":"error","message":"Reconnecting... 1/1 (exceeded retry limit, last status: 429 Too Many Requests)"}'
result = finish(codex, { '{"type":"thread.started","thread_id":"t"}', waits }, { why = "idle", code = -1 })
is(result.class .. " " .. tostring(result.error.retryable), "rate true", "silent after a 429")
holds(result.error.message, "429", "which it names")
is(finish(codex, { '{"type":"error","message":"Reconnecting... 1/1 (You\'ve hit your usage limit. Try again in 2h.)"}' },
  { why = "idle", code = -1 }).error.reset_at, now + 2 * hour, "silent after a limit")
result = finish(codex, { waits }, { why = "wall", code = -1 })
is(result.class .. " " .. result.error.cause, "timeout rate", "out of time after a 429")
is(result.error.hint:find("by itself", 1, true), nil, "nothing tries that again by itself")
is(finish(codex, { waits, ok_lines[1] }, { why = "idle", code = -1 }).class, "timeout", "a notice that passed")
holds(finish(codex, { '{"type":"turn.started"}' }, { why = "idle", code = -1 }).error.hint, "in silence", "no event")
result = finish(codex, { '{"type":"turn.failed","error":{"message":"Disk quota exceeded (os error 122)"}}' }, failed)
is(result.class .. " " .. tostring(result.error.stops_others), "failed false", "the disk's quota is nobody else's")
holds(result.error.hint, "this machine", "and whose it is")
is(finish(codex, {}, { why = "lost", code = -1 }).error.kind, "lost", "lost")
is(finish(codex, {}, { why = "not_started", code = -1, error = { kind = "denied", message = "no" } }).error.kind, "denied",
  "not started")
is(finish(codex, { ok_lines[1] }, done).class, "interrupted", "exit 0 without the event")
is(finish(codex, { "hello" }, done).class, "invalid-output", "text alone")
is(finish(codex, {}, done).class, "interrupted", "nothing")
is(finish(codex, { ok_lines[1], ok_lines[2]:sub(1, -3) }, done).status, "failed", "a cut event")
is(finish(codex, { ok_lines[1], ok_lines[2], '{"type":"turn.failed","error":{"message":"503"}}' }, done).status, "failed",
  "a failure after the end")
is(finish(codex, { ok_lines[1], ok_lines[2], '{"type":"error","message":"stream disconnected before completion"}' }, done).class,
  "network", "an error after the end")
is(finish(codex, { ok_lines[1], ok_lines[2], '{"type":"error","message":"oh"}', ok_lines[2] }, done).status, "ok", "and ended again")
is(finish(gemini, { '{"type":"message","role":"assistant","content":"yes"}', '{"type":"result","status":"success"}',
  '{"type":"error","severity":"error","message":"oh"}' }, done).status, "failed", "gemini's error after the end")
is(finish(gemini, { '{"type":"message","role":"assistant","content":"yes"}', '{"type":"result","status":"success"}',
  '{"type":"error","severity":"warning","message":"oh"}' }, done).status, "ok", "gemini's warning after the end")
-- Gemini gives up with a warning or an error, and a result that gives no reason.
local function gave_up(severity, message, status)
  return finish(gemini, { '{"type":"tool_use","tool_name":"read_file","tool_id":"1","parameters":{}}',
    core.json.encode { type = "error", severity = severity, message = message },
    core.json.encode { type = "result", status = status, stats = { total_tokens = 5, input_tokens = 4, output_tokens = 1 } } },
    done)
end
for _, case in ipairs {
  { "warning", "Loop detected, stopping execution", "success", "failed" },
  { "warning", "Agent execution blocked: by a hook", "success", "refused" },
  { "error", "Maximum session turns exceeded", "success", "limit" },
  { "error", "The model response was blocked due to safety settings.", "error", "refused" },
  { "error", "The model response was blocked due to recitation/copyright filters.", "error", "refused" },
  { "error", "Model response was truncated because it exceeded the token limit. Try using /compress to free up "
    .. "context space.", "error", "invalid-output" },
  { "error", "The model returned reasoning thoughts but no final response text. If your context window is near "
    .. "capacity, try using /compress.", "error", "invalid-output" },
  { "error", "Model stream ended without a finish reason.", "error", "network" },
  { "error", "The model returned an empty response with no text or thoughts. This may be a transient API issue; "
    .. "please try again.", "error", "network" },
} do
  local told = gave_up(case[1], case[2], case[3])
  is(told.class, case[4], "gemini: " .. case[2])
  holds(told.error.message, case[2]:sub(1, 60), "and why")
  is(told.error.retryable, case[4] == "network", "and whether it is tried again")
  is(told.usage.input_tokens, 4, "and what it used")
end
is(gave_up("warning", "Invalid hook output", "success").status, "ok", "gemini's warning before the end")
is(finish(gemini, { '{"type":"error","severity":"error","message":"oh"}',
  '{"type":"message","role":"assistant","content":"yes"}', '{"type":"result","status":"success"}' }, done).status, "ok",
  "gemini went on after an error")
for _, message in ipairs { "[API Error: Unexpected end of JSON input]",
  "[API Error: Unexpected token 'o', \"nonsense\" is not valid JSON]" } do
  is(finish(gemini, { core.json.encode { type = "result", status = "error", error = { type = "unknown", message = message } } },
    failed).class, "network", "gemini: a broken stream")
end
-- The agent answered, but skipped the settings that moonlet wrote for it.
local left_out = "Security Warning: Skipping system settings file '%s': Parent directory '/tmp' is insecure: x"
local answered = { '{"type":"message","role":"assistant","content":"yes"}', '{"type":"result","status":"success"}' }
local function with_stderr(text) return finish(gemini, answered, { why = "exited", code = 0, stderr_tail = text }) end
result = with_stderr(left_out:format "/tmp/moonlet-1/state/gemini/.gemini/settings.json")
is(result.class, "refused", "moonlet's settings were skipped")
holds(result.error.message, "/tmp' is insecure", "and why they were")
is(with_stderr(left_out:format "/etc/gemini-cli/settings.json").status, "ok", "the machine's were skipped")
-- Only a provider's refusal stops other agents; a wrong configuration of this machine does not.
for _, case in ipairs { { "Invalid auth method selected.", false },
  { "Missing environment variable: `OPENAI_API_KEY`.", false }, { "unexpected status 401 Unauthorized: no api key", true },
  { "API key not valid. Please pass a valid API key.", true } } do
  result = finish(codex, { core.json.encode { type = "turn.failed", error = { message = case[1] } } }, failed)
  is(result.class .. " " .. tostring(result.error.stops_others), "auth " .. tostring(case[2]), case[1])
end
-- A success of Claude may be truncated, and its structured output is the answer.
local function claimed(fields)
  return finish(claude, { '{"type":"result","subtype":"success","is_error":false,' .. fields .. "}" }, done)
end
is(claimed('"result":"half an ans","stop_reason":"max_tokens"').class, "invalid-output", "cut short")
is(claimed('"result":"half an ans","stop_reason":"max_tokens"').text, "half an ans", "what there is of it")
is(claimed('"result":"half","terminal_reason":"max_turns"').class, "limit", "too many turns")
is(claimed('"result":"half","stop_reason":"end_turn","terminal_reason":"completed"').status, "ok", "no cut")
is(claimed('"result":"{\\"note\\":1}","structured_output":{"score":7}').text, '{"score":7}', "closing words of another form")
is(claimed('"result":"{ \\"score\\": 7 }","structured_output":{"score":7}').text, '{ "score": 7 }', "the same in its own form")
is(claimed('"result":"Done.","structured_output":{"score":7},"stop_reason":"max_tokens"').text, '{"score":7}', "words cut short")
is(claimed('"result":"Done.","structured_output":{"score":7}').status, "ok", "and the words do not matter")

-- A turn that begins after the end of a turn needs an end of its own.
local function joined(...)
  local list = {}
  for _, lines in ipairs { ... } do table.move(lines, 1, #lines, #list + 1, list) end
  return list
end
local turns = {
  { "codex", codex, ok_lines, { '{"type":"turn.started"}' },
    { '{"type":"item.completed","item":{"type":"agent_message","text":"half"}}' },
    { '{"type":"item.started","item":{"id":"1","type":"command_execution","command":"make"}}' } },
  { "claude", claude, { '{"type":"result","subtype":"success","is_error":false,"result":"yes"}' },
    { '{"type":"system","subtype":"init","session_id":"x","model":"m"}' },
    { '{"type":"assistant","message":{"model":"m","content":[{"type":"text","text":"half"}]}}' },
    { '{"type":"assistant","message":{"model":"m","content":[{"type":"tool_use","id":"1","name":"Bash"}]}}' } },
  { "gemini", gemini, { '{"type":"message","role":"assistant","content":"yes","delta":true}',
      '{"type":"result","status":"success"}' },
    { '{"type":"init","session_id":"x","model":"m"}' },
    { '{"type":"message","role":"assistant","content":"half","delta":true}' }, { '{"type":"tool_use","tool_name":"x"}' } },
  { "opencode", opencode, { '{"type":"step_start","part":{}}', '{"type":"text","part":{"text":"yes"}}',
      '{"type":"step_finish","part":{"reason":"stop"}}' },
    { '{"type":"step_start","part":{}}' }, { '{"type":"text","part":{"text":"half"}}' },
    { '{"type":"tool_use","part":{"tool":"bash","state":{"status":"running"}}}' } },
  { "moonlet", moonlet, { '{"type":"text","text":"yes"}', '{"type":"done","status":"ok"}' },
    { '{"type":"session","id":"x"}' }, { '{"type":"text","text":"half"}' },
    { '{"type":"tool","name":"x","status":"running"}' } },
}
for _, turn in ipairs(turns) do
  local name, runner, whole = turn[1], turn[2], turn[3]
  for i = 4, #turn do
    local cut_off = finish(runner, joined(whole, turn[i]), done)
    is(cut_off.status .. " " .. tostring(cut_off.class), "failed interrupted", name .. ": begun after the end: " .. turn[i][1])
    holds(cut_off.error and cut_off.error.message or "", "began something else", name .. ": what it says")
    local again = finish(runner, joined(whole, turn[i], whole), done)
    is(again.status .. " " .. again.text:sub(-3), "ok yes", name .. ": and ended too: " .. turn[i][1])
  end
end
is(finish(claude, { turns[2][3][1], '{"type":"assistant","parent_tool_use_id":"t","message":{"model":"m","content":'
  .. '[{"type":"text","text":"half"}]}}' }, done).text, "yes", "what a subagent says late")
is(finish(codex, { '{"type":"error","message":"Reconnecting... 1/5 (x)"}', table.unpack(ok_lines) }, done).status, "ok",
  "a notice of retry is no failure")
is(finish(codex, { '{"type":"error","message":"oh"}', table.unpack(ok_lines) }, done).status, "ok", "an error that passed")
is(finish(codex, { '{"type":"item.completed","item":{"type":"error","message":"beware"}}', table.unpack(ok_lines) },
  done).warnings[1], "beware", "an item of error is a warning")
is(finish(codex, ok_lines, done, { file = "from the file" }).text, "from the file", "the last message's file")
is(finish(codex, ok_lines, done, { file = "" }).text, "yes", "an empty file of a success")
local empty = finish(codex, { ok_lines[1], '{"type":"turn.failed","error":{"message":"oh"}}' }, failed, { file = "" })
is(empty.status .. " " .. empty.class .. " " .. empty.text, "failed failed yes", "an empty file of a failure")
is(finish(codex, ok_lines, { why = "exited", code = 143 }).class, "killed", "143")
is(finish(codex, {}, { why = "exited", code = 101, stderr_tail = "thread 'main' panicked at src/x.rs" }).class, "crashed",
  "a panic")
local open = finish(codex, { '{"type":"item.started","item":{"id":"1","type":"command_execution","command":"ls"}}',
  table.unpack(ok_lines) }, done)
holds(open.warnings[1], "1 of its tool calls reported no end", "a tool without an end")
local denied = finish(codex, ok_lines, { why = "exited", code = 0,
  stderr_tail = "2026 ERROR codex_core::tools::router: error=approval policy is Never; reject command\n" })
is(denied.denied[1].detail, "approval policy is Never; reject command", "a tool call without an event")

-- A long line before the reason, as Node prints of its bundle, does not hide the reason.
for _, piece in ipairs { "f", " ", "{", "1", "a ", "\n", "{\n", "error:", "hit your ", "-" } do
  local before = piece:rep(60000 // #piece) .. "\n"
  for _, runner in ipairs { codex, claude, gemini, opencode, moonlet } do
    local told = finish(runner, {}, { why = "exited", code = 1,
      stderr_tail = before .. "Error: 429 Too Many Requests, retry in 1s\n" })
    is(told.class, "rate", runner.name .. ": a long line of " .. piece)
  end
  holds(require("moonlet.engine.runner.command").finish({ why = "exited", code = 7, stderr_tail = before .. "disk is full\n" },
    { text = "" }, { wall = 1, idle = 1 }).error.message, "exit code 7: disk is full", "any program: a long line of " .. piece)
end

-- opencode reports a provider's refusal only in its log. An attempt that ends while it waits fails for the
-- logged reason.
local function logged(level, rest)
  return ("timestamp=2026-11-22T10:03:03.241Z level=%s run=d0d0945c message=%s session.id=ses_1 small=false agent=build"):format(
    level, rest)
end
local asks = logged("INFO", "stream providerID=local modelID=mock-1")
local function refused(text)
  return logged("ERROR", '"stream error" providerID=local modelID=mock-1') .. (" error.error=%s"):format(text)
end
local function waited(...)
  return finish(opencode, {}, { why = "finished", stderr_tail = table.concat({ ... }, "\n") .. "\n" })
end
result = waited(asks, refused '"AI_APICallError: Rate limit reached for requests"')
is(result.class .. " " .. tostring(result.error.retryable), "rate true", "it waits for its provider")
is(result.error.message, "opencode failed: Rate limit reached for requests", "what its provider said")
is(waited(asks, refused '"AI_APICallError: It broke"').class, "network", "what it asks again after and nobody can place")
is(waited(asks, refused '"AI_APICallError: Cannot connect to API: say \\"x\\" = y"').error.message,
  'opencode failed: Cannot connect to API: say "x" = y', "a text with quotes")
result = waited(asks, refused '"AI_APICallError: The usage limit has been reached. Try again in 90 seconds."')
is(result.class .. " " .. tostring(result.error.retry_after_ms), "quota 90000", "an account that is used up")
is(finish(opencode, {}, { why = "idle", stderr_tail = refused '"AI_APICallError: It broke"' .. "\n" .. asks .. "\n" }).class,
  "timeout", "it asks again")
is(finish(opencode, {}, { why = "idle", stderr_tail = refused "AI_APICallError:x" .. "\n" }).class, "network",
  "silent for as long as it may")
local spoken = { '{"type":"step_start","part":{}}', '{"type":"text","part":{"text":"yes"}}',
  '{"type":"step_finish","part":{"reason":"stop"}}' }
is(finish(opencode, spoken, { why = "exited", code = 0, stderr_tail = refused "AI_APICallError:x" .. "\n" }).status, "ok",
  "an error that passed, of opencode's provider")
is(finish(opencode, { spoken[1], '{"type":"error","error":{"name":"UnknownError","data":{"message":"JSON parsing failed: Text: '
  .. 'nonsense.\\nError message: JSON Parse error: Unexpected identifier"}}}' }, failed).class, "network", "a broken stream")
-- opencode shortens a conversation that is too long and answers, but reports a failure.
local overflow = '{"type":"error","error":{"name":"ContextOverflowError","data":{"message":"prompt is too long"}}}'
is(finish(opencode, { overflow, table.unpack(spoken) }, failed).class, "context", "too much for the model")
-- The last line is Bun's version. The reason is above it.
holds(finish(opencode, {}, { why = "exited", code = 1, stderr_tail = "EACCES: permission denied, mkdir '/h/.config/opencode'\n"
  .. "    at x (y:1:2)\n\nBun v1.3.14 (Linux x64 baseline)\n" }).error.message, "mkdir '/h/.config/opencode'", "Bun's last line")
for _, text in ipairs { "Error: Unexpected error\n\nFailed query: \n        CREATE TABLE `workspace` (\n", "Error: database is locked" } do
  result = finish(opencode, {}, { why = "exited", code = 1, stderr_tail = asks .. "\n" .. text .. "\nUnexpected error\n" })
  is(result.class .. " " .. tostring(result.error.retryable), "crashed true", "the database of a first start: " .. text)
end

-- Events in moonlet's own format.
result = finish(moonlet, { '{"type":"text","text":"a"}', '{"type":"file","path":"x.c"}', '{"type":"error","message":"busy",'
  .. '"class":"rate","retry_after_ms":2000}' }, failed)
is(result.class .. " " .. result.error.retry_after_ms .. " " .. result.files_changed[1], "rate 2000 x.c", "a failure told")
is(finish(moonlet, { '{"type":"text","text":"a"}', '{"type":"done"}' }, done).text, "a", "done")
is(finish(moonlet, { '{"type":"done","status":"failed","message":"no","class":"auth"}' }, done).class, "auth", "exit 0 and a failure")
is(finish(moonlet, { '{"type":"error","message":"x"}', '{"type":"done","status":"ok","text":"b"}' }, done).text, "b",
  "an error that passed")

-- Some messages contain the body of an HTTP answer.
is(stream.message '{"error": {"message": "inner", "type": "x"}}', "inner", "a body")
is(stream.message '[API Error: {"error":{"message":"{\\"error\\":{\\"message\\":\\"deep\\"}}"}}]', "deep", "a body in a body")
is(stream.message "plain { text }", "plain { text }", "no body")

-- Codex hides a refusal: its log only says that it could not parse the last item of the answer.
local codex_log = "2026-11-23T16:15:54.27Z DEBUG codex_api::sse::responses: failed to parse ResponseItem from output_item.%s\n"
local codex_answered = '2026-11-23T16:15:54.27Z  INFO codex_otel.trace_safe: event.name="codex.sse_event" '
  .. 'event.kind=response.completed input_token_count=1 output_token_count=1\n'
local function of_codex(lines, log, answer)
  local state = codex.begin()
  for _, line in ipairs(lines) do codex.parse(state, line) end
  return codex.finish(state, { why = "exited", code = 0, signal = 0, stderr_tail = log }, { now = 0, file = answer })
end
local said = { '{"type":"item.completed","item":{"type":"agent_message","text":"I will see."}}',
  '{"type":"turn.completed","usage":{"input_tokens":2,"output_tokens":2}}' }
local lost_item = codex_log:format "added" .. codex_log:format "done" .. codex_answered
local hidden = of_codex(said, codex_answered .. lost_item, "")
is(hidden.status .. " " .. tostring(hidden.class), "failed refused", "an empty last answer that held an item")
is(of_codex(said, lost_item .. codex_answered, "").status, "ok", "an item of an earlier answer")
is(of_codex(said, codex_answered .. lost_item, "Done.").status, "ok", "an item beside a text")
is(of_codex({ said[2] }, codex_answered, "").status, "ok", "an empty answer without such an item")
is(of_codex({ '{"type":"turn.started"}' }, codex_answered .. "ERROR: it broke\n").error.message:find("token_count", 1, true),
  nil, "lines of the log are no error")

local executor = require "moonlet.engine.runner.executor"
local took_all = finish(executor, { '{"type":"done","status":"failed","message":"MAX_ITERS reached: the model has answered 3 times"}' },
  { why = "exited", code = 5, signal = 0 })
is(took_all.class .. " " .. took_all.error.kind, "limit budget", "the executor took all of its turns")

-- If a stream breaks off after a tool call, Gemini reports success. Its transcript then has no tokens for the
-- answer.
local function of_gemini(answers, lines, stderr)
  local state = gemini.begin()
  for i, tokens in ipairs(answers) do
    gemini.transcript(state, core.json.encode { id = "m" .. i, type = "gemini", content = "",
      tokens = tokens and { input = 10, output = 5, thoughts = 0 } or core.json.null })
  end
  for _, line in ipairs(lines) do gemini.parse(state, line) end
  return gemini.finish(state, { why = "exited", code = 0, signal = 0, stderr_tail = stderr or "" }, { now = 0 })
end
local used_tool = { '{"type":"tool_use","tool_name":"x","tool_id":"1","parameters":{}}',
  '{"type":"tool_result","tool_id":"1","status":"success"}' }
local half = { used_tool[1], used_tool[2], '{"type":"message","role":"assistant","content":"half a ","delta":true}',
  '{"type":"result","status":"success","stats":{"total_tokens":15,"input_tokens":10,"output_tokens":5}}' }
local broken = of_gemini({ true, false }, half)
is(broken.status .. " " .. tostring(broken.class), "failed network", "half an answer after a tool")
is(broken.error.retryable, true, "is tried again")
is(broken.usage.partial, true, "its usage is partial")
is(of_gemini({ true, true }, half).status, "ok", "a whole answer after a tool")
is(of_gemini({ false, false }, half).status, "ok", "a provider that counts no tokens at all")
is(of_gemini({}, half).status, "ok", "no transcript")
is(of_gemini({ true }, { half[1], half[2], half[4] }).class, "network", "not a word after a tool, and no tokens for it")
is(of_gemini({ true }, { half[1], half[2], (half[4]:gsub('"total_tokens":15', '"total_tokens":25')
  :gsub('"input_tokens":10', '"input_tokens":20')) }).status, "ok", "an empty answer that was counted")
-- Gemini's own class of a provider's refusal counts, whatever the message says.
local function limited(name, more)
  return of_gemini({}, { '{"type":"result","status":"error","error":{"type":"unknown","message":"[API Error: slow down please]"}}' },
    ("Error when talking to Gemini API Full report available at: /x.json %s: slow down please\n    at f (x.js:1:2) {\n"
      .. "  cause: { code: 429 },\n%s  status: 429\n}\n"):format(name, more or ""))
end
is(limited("RetryableQuotaError").class, "rate", "a quota error that passes")
is(limited("RetryableQuotaError", "  retryDelayMs: 2500,\n").error.retry_after_ms, 2500, "and when it has passed")
is(limited("TerminalQuotaError").class, "quota", "a quota error that does not")
is(limited("Error").class, "failed", "an error of another name")
