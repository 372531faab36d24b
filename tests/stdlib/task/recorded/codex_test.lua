local codex = require "moonlet.engine.task.recorded.codex"

local rollout = read_case "codex.jsonl"
local turns = {}
for id in rollout:gmatch '"type":"task_started".-"turn_id":"([^"]+)"' do turns[#turns + 1] = id end
local thread = rollout:match '"id":"(%x[%x-]+)"'

local function read(turn, text)
  put_file(scratch .. "/.codex/sessions/2026/11/23", ("rollout-2026-11-23T20-32-42-%s.jsonl"):format(thread),
    text or rollout)
  return codex.read { id = thread, turn = turn, prompts = { "an earlier one", "the last one" }, from = 0 }
end

test("a real rollout gives the model, the usage, the prompt and the times of a turn", function()
  is(#turns, 2, "turns")
  local found = read(turns[1])
  is(found.model, "mock-1", "the model")
  is(found.usage.input_tokens, 3000, "input")
  is(found.usage.cached_input_tokens, 600, "cached")
  is(found.usage.output_tokens, 150, "output")
  is(found.usage.reasoning_output_tokens, 30, "reasoning")
  same(found.prompts, { "make it, hushhush" }, "the prompts")
  is(found.began_ms < found.ended_ms, true, "the times")
  is(#found.commit, 40, "the commit at the start of the thread")
end)

test("a later turn counts without the turns before it", function()
  local first, found = read(turns[1]), read(turns[2])
  is(found.usage.input_tokens, 2000, "input")
  is(found.usage.output_tokens, 100, "output")
  same(found.prompts, { "again please" }, "the prompts")
  is(found.began_ms > first.ended_ms, true, "it begins after the first")
end)

test("without its rollout the usage of a turn is unknown", function()
  local found = codex.read { id = thread, turn = turns[1], prompts = { "an earlier one", "the last one" }, from = 0 }
  is(found.usage, nil, "the usage")
  same(found.prompts, { "the last one" }, "the prompts")
  is(read("another turn").usage, nil, "a turn that the rollout does not have")
  is(read(turns[1], "junk\n{\n[1]\n").usage, nil, "a damaged rollout")
  sh(("cd .codex/sessions/2026/11/23; mv *.jsonl real; ln -s real rollout-%s.jsonl"):format(thread))
  is(codex.read({ id = thread, turn = turns[1], from = 0 }).usage, nil, "a link")
end)

test("only the argument of notify is an event", function()
  local given = { type = "agent-turn-complete", ["thread-id"] = thread, ["turn-id"] = "t", cwd = "/x",
    ["input-messages"] = { "hello" } }
  local event = codex.event(given)
  same({ event.kind, event.turn, event.cwd }, { "end", "t", "/x" }, "the end of a turn")
  given["thread-id"] = "short"
  is(codex.event(given), nil, "no id of a thread")
  is(codex.event {}, nil, "nothing")
end)
