local usage = require "moonlet.engine.runner.usage"
local prices = require "moonlet.engine.budget.prices"
local claude = require "moonlet.engine.runner.claude"
local codex = require "moonlet.engine.runner.codex"

local function counts(u)
  if not u then return "none" end
  local parts = {}
  for _, name in ipairs(usage.counts) do parts[#parts + 1] = tostring(u[name]) end
  return table.concat(parts, " ")
end
local first = { input_tokens = 2468, cached_input_tokens = 400, output_tokens = 112, reasoning_output_tokens = 32 }
local later = { input_tokens = 3702, cached_input_tokens = 600, output_tokens = 168, reasoning_output_tokens = 48 }
is(counts(usage.codex(first)), "2468 400 112 32 2580", "a thread's first turn")
is(counts(usage.codex(later, first)), "1234 200 56 16 1290", "what a thread's next turn adds")
is(counts(usage.codex(first, later)), "2468 400 112 32 2580", "a counter that began anew")
local state = codex.begin()
codex.parse(state, '{"type":"turn.completed","usage":' .. core.json.encode(later) .. "}")
is(counts(state.usage), "3702 600 168 48 3870", "a thread's usage out of a stream")
is(counts(usage.of { input_tokens = -1, output_tokens = 1.5, total_tokens = "7" }), "none", "counts that are none")
is(counts(usage.of { input_tokens = 12.0 }), "12 nil nil nil nil", "a whole float; an unknown output")
is(counts(usage.of { input_tokens = 1e300 }), "none", "a count beyond belief")
is(counts(usage.add(usage.of { input_tokens = 1, output_tokens = 2 }, usage.of { input_tokens = 3 })), "4 nil 2 nil 6",
  "a sum with something unknown")
is(usage.add(usage.of { input_tokens = 1, output_tokens = 2 }, usage.of { input_tokens = 3 }).partial, true, "and that it is one")
is(usage.sum { usage.of { input_tokens = 1, output_tokens = 1 }, false }.partial, true, "an attempt without usage")
is(usage.sum { false }, nil, "nothing known")
is(show(usage.record(nil).input_tokens), show(core.json.null), "null in the record")

-- Claude reports a usage of 0 after it fell back to another model; modelUsage is right.
state = claude.begin()
claude.parse(state, '{"type":"result","subtype":"success","is_error":false,"result":"x","total_cost_usd":0.5,"usage":'
  .. '{"input_tokens":0,"output_tokens":0},"modelUsage":{"a":{"inputTokens":10,"outputTokens":5,"cacheReadInputTokens":100,'
  .. '"cacheCreationInputTokens":20,"costUSD":0.25},"b":{"inputTokens":1,"outputTokens":2,"costUSD":0.25}}}')
is(counts(state.usage), "131 100 7 nil 138", "two models")
is(state.usage.cost_usd .. " " .. state.usage.cost_is, "0.5 reported", "its cost")
-- A cost without token counts is kept. A count that one of two models does not report is unknown for both.
state = claude.begin()
claude.parse(state, '{"type":"result","subtype":"success","is_error":false,"result":"x","total_cost_usd":0.25}')
is(counts(state.usage) .. " " .. state.usage.cost_usd, "nil nil nil nil nil 0.25", "a cost alone")
state = claude.begin()
claude.parse(state, '{"type":"result","subtype":"success","is_error":false,"result":"x","total_cost_usd":0.5,"modelUsage":'
  .. '{"a":{"inputTokens":10,"outputTokens":5},"b":{"inputTokens":"x","outputTokens":7}}}')
is(counts(state.usage) .. " " .. state.usage.cost_usd, "nil nil 12 nil nil 0.5", "a model that tells no input")
is(usage.record(usage.sum { usage.of { input_tokens = 1, output_tokens = 1 }, false }).partial, true, "the record says so")
is(usage.record(usage.of { input_tokens = 1, output_tokens = 1 }).partial, nil, "and only then")

-- A price list turns usage into an estimated cost.
local table_of = { ["gpt-5"] = { input = 1, output = 10 }, ["gpt-5.3-codex"] = { input = 2, cached = 0.5, output = 20 } }
local known = usage.of { input_tokens = 1000000, cached_input_tokens = 400000, output_tokens = 100000 }
is(usage.priced(known, "gpt-5.3-codex", table_of).cost_usd, 0.6 * 2 + 0.4 * 0.5 + 0.1 * 20, "a name")
is(usage.priced(known, "gpt-5.3-codex", table_of).cost_is, "estimate", "is an estimate")
is(usage.priced(known, "gpt-5", table_of).cost_usd, 1 + 1, "without a price for the cache")
-- A model has the price of its own entry, or an unknown cost.
local by_name = {}
for i, key in ipairs { "gpt-5", "gpt-5-pro", "gpt-5.3-*", "gpt-5.3-codex-*", "claude-opus-4", "claude-opus-4-", "claude-", "m*",
  "m-20250101" } do
  by_name[key] = { input = i, output = 0 }
end
local function priced_as(model, list)
  local price = prices.of(model, list or by_name)
  for key, known_price in pairs(list or by_name) do
    if known_price == price then return key end
  end
end
for _, case in ipairs {
  { "gpt-5", "gpt-5" }, { "gpt-5-2025-08-07", "gpt-5" }, { "gpt-5-20250807", "gpt-5" }, { "gpt-5@20250807", "gpt-5" },
  { "gpt-5-pro", "gpt-5-pro" }, { "gpt-5-pro-2025-10-06", "gpt-5-pro" }, { "gpt-5.3-spark", "gpt-5.3-*" },
  { "gpt-5.3-codex-spark", "gpt-5.3-codex-*" }, { "gpt-5.3-codex", "gpt-5.3-*" }, { "claude-opus-4-20250514", "claude-opus-4-" },
  { "claude-opus-4-1", "claude-opus-4-" }, { "claude-opus-4", "claude-opus-4" }, { "claude-haiku-4", "claude-" }, { "m", "m*" },
  { "m-20250101", "m-20250101" }, { "m-20250102", "m*" },
} do is(priced_as(case[1]), case[2], "the price of " .. case[1]) end
is(priced_as("claude-opus-4-20250514", { ["claude-opus-4"] = {} }), "claude-opus-4", "an edition of a day")
for _, model in ipairs { "gpt-50", "gpt-5-mini", "gpt-5-pro-max", "gpt-5-2025-08-07-preview", "gpt-5-2025-13-07", "gpt-5-20251332",
  "gpt-5-1234", "gpt-4", "gpt", "-2025-08-07", "claude" } do
  is(priced_as(model), nil, "nobody knows the price of " .. model)
end
is(priced_as("x", { ["*"] = {} }), "*", "a price for all")
raises(function() prices.check_name("gpt-*-mini", "p") end, "only end a name", "a star amid a name")
is(usage.priced(known, "claude", table_of).cost_usd, nil, "a model without a price")
is(usage.priced(usage.of { input_tokens = 5 }, "gpt-5", table_of).cost_usd, nil, "a count that is not known")
is(usage.priced(state.usage, "gpt-5", table_of).cost_is, "reported", "what is reported stays")
is(known.cost_usd, nil, "the usage itself is left alone")
raises(function() prices.check({ input = 1 }, "p") end, "p needs 'output'", "half a price")
raises(function() prices.check({ input = -1, output = 1 }, "p") end, "p.input", "a price below nothing")

-- Usage can be read while an attempt still runs.
local gemini = require "moonlet.engine.runner.gemini"
local opencode = require "moonlet.engine.runner.opencode"
local moonlet = require "moonlet.engine.runner.moonlet"
local stream = require "moonlet.engine.runner.stream"

local function fed(runner, lines)
  local given = runner.begin()
  for _, line in ipairs(lines) do runner.parse(given, line) end
  return given
end
local function tool_of_codex(i)
  return ('{"type":"item.started","item":{"id":"%d","type":"command_execution","command":"ls"}}'):format(i),
    ('{"type":"item.completed","item":{"id":"%d","type":"command_execution","command":"ls","exit_code":0,'
      .. '"status":"completed"}}'):format(i)
end
local began, ended = tool_of_codex(1)

-- Codex's log has the tokens of each answer.
local opening = '2026-11-23T16:15:53.369416Z  INFO codex_otel.trace_safe: event.name="codex.conversation_starts" mcp_server_count=0'
local answered = '2026-11-23T16:15:53.560543Z  INFO codex_otel.trace_safe: event.name="codex.sse_event" '
  .. 'event.kind=response.completed input_token_count=1000 output_token_count=50 cached_token_count=200 '
  .. 'cache_write_token_count=0 reasoning_token_count=10 tool_token_count=1050 ttft_ms=0'
state = fed(codex, { '{"type":"turn.started"}', began })
codex.log(state, opening)
is(usage.so_far(state, 40), nil, "an answer whose line in the log has not come yet")
codex.log(state, answered)
is(counts(usage.so_far(state, 40)), "1000 200 50 10 1050", "an answer in the log")
is(usage.so_far(state, 40).estimated, nil, "is no estimate")
is(counts(usage.so_far(state, 40, true)), "1000 200 50 10 1050", "ended in its tool")
codex.parse(state, ended)
is(usage.so_far(state, 40, true).input_tokens > 2000, true, "ended while another request is under way")
is(usage.so_far(state, 40, true).estimated, true, "which is an estimate")
codex.log(state, answered)
is(stream.answers(state), 2, "answers, by the log")
is(stream.is_beyond(state, 1), true, "more than one turn")
is(stream.is_beyond(state, 2), false, "two turns")
-- Without a log, usage is estimated from the text.
state = fed(codex, { '{"type":"turn.started"}', began, ended })
is(usage.so_far(state, 40).estimated, true, "without a log")
is(usage.so_far(state, 40).input_tokens > 9000, true, "the program's own text counts")
is(usage.so_far(fed(codex, {}), 40, true), nil, "an agent that has not begun")
is(usage.so_far(fed(codex, { '{"type":"turn.started"}' }), 4000, true).input_tokens > 1000, true,
  "an agent that was ended before its first answer has sent its prompt")
state = fed(codex, { began, ended })
is(stream.asks_beyond(state, 1), true, "a second turn is asked for")
is(stream.asks_beyond(state, 2), false, "a second turn of two")

-- Claude reports an answer's output tokens as they were at its start, so the text gives a better estimate.
state = fed(claude, { core.json.encode { type = "assistant", message = { id = "m1", usage = { input_tokens = 100,
  cache_read_input_tokens = 20, output_tokens = 1 }, content = core.json.array {
    { type = "text", text = ("x"):rep(400) } } } } })
is(counts(usage.so_far(state, 4)), "120 20 100 nil 220", "Claude's answer so far")
is(usage.so_far(state, 4).estimated, true, "its output is an estimate")

-- Before its end, Gemini reports usage only in its transcript.
local function answer_of(id, tokens)
  return core.json.encode { id = id, type = "gemini", content = "", tokens = tokens or core.json.null }
end
local paid = { input = 1000, output = 40, cached = 200, thoughts = 10, tool = 0, total = 1050 }
state = gemini.begin()
state.reports = true
gemini.transcript(state, '{"sessionId":"x","kind":"main"}')
gemini.transcript(state, answer_of("a", paid))
gemini.transcript(state, answer_of("a", paid))
gemini.transcript(state, '{"$set":{"lastUpdated":"x"}}')
gemini.transcript(state, answer_of("b", paid))
is(counts(usage.so_far(state, 4)), "2000 400 100 20 2100", "two answers, one of them written twice")
is(stream.answers(state), 2, "are two answers")

-- opencode reports usage at the end of each step. Its log has the time of each request.
local function of_opencode(level, message)
  return ('timestamp=2026-11-22T10:03:03.241Z level=%s run=d0 message=%s session.id=s small=false'):format(level, message)
end
local step = { '{"type":"step_start","timestamp":5,"part":{}}',
  '{"type":"tool_use","part":{"tool":"bash","state":{"status":"completed"}}}',
  '{"type":"tool_use","part":{"tool":"bash","state":{"status":"completed"}}}' }
state = opencode.begin()
is(usage.so_far(state, 400, true), nil, "opencode before its first request")
opencode.log(state, of_opencode("INFO", "stream"))
is(usage.so_far(state, 400), nil, "its first request")
is(usage.so_far(state, 400, true).total_tokens >= 100, true, "ended there, it has sent its prompt")
for _, line in ipairs(step) do opencode.parse(state, line) end
is(state.turns, 1, "two tools of one answer are one turn")
is(state.at_work_since, 5, "a process that began since may be a tool")
opencode.parse(state, '{"type":"step_finish","part":{"reason":"tool-calls","tokens":{"input":800,"output":40,'
  .. '"reasoning":10,"cache":{"read":200,"write":0}}}}')
is(state.at_work_since, nil, "after the step no tool is at work")
is(counts(usage.so_far(state, 400, true)), "1000 200 50 10 1050", "ended between two requests")
opencode.log(state, of_opencode("INFO", "stream"))
is(usage.so_far(state, 400, true).input_tokens, 2000, "ended in the second request")
opencode.log(state, of_opencode("ERROR", '"stream error"'))
is(usage.so_far(state, 400, true).input_tokens, 1000, "a request that was refused is not charged")

-- moonlet's own events: usage is that of the whole attempt, and a running tool stays open until its end.
state = fed(moonlet, { '{"type":"usage","input_tokens":1000,"output_tokens":50}',
  '{"type":"tool","name":"Bash","detail":"make","status":"running"}' })
is(counts(usage.so_far(state, 4, true)), "1000 nil 50 nil 1050", "ended in a tool of a reported answer")
is(state.open_count, 1, "a running tool")
moonlet.parse(state, '{"type":"tool","name":"Bash","detail":"make","status":"ok"}')
is(state.open_count, 0, "its end")
is(usage.so_far(state, 4, true).input_tokens > 2000, true, "ended while it asks for the next answer")
