-- Tests the rules for a stuck agent: the action for each verdict, and that nothing is approved
-- without a rule.
local stuck = require "moonlet.engine.session.stuck"

local minute = 60000

local function policy(more)
  local answers = setmetatable(more and more.answers or {}, { __index = stuck.defaults.answers })
  return setmetatable({ answers = answers, then_do = more and more.then_do }, { __index = stuck.defaults })
end

local approval = { state = "waiting-for-input", waits = "approval", evidence = { "the screen shows 'Run it?'" },
  prompt = { kind = "approval", approve = { text = "y" }, deny = { keys = { "escape" } } } }

local function decide(found, rules, memory, now)
  local act = stuck.decide(found, memory or stuck.memory(), policy(rules), now or 0)
  return act.act .. (act.keys and " " .. table.concat(act.keys, ",") or "") .. (act.text and " '" .. act.text .. "'" or "")
end

test("a prompt is denied unless a rule says otherwise, and never approved by itself", function()
  is(decide(approval), "answer escape", "by default")
  is(decide(approval, { answers = { approval = "approve" } }), "answer 'y'", "by a rule")
  is(decide(approval, { answers = { approval = "ask" } }), "ask", "a person")
  local trust = { state = "waiting-for-input", waits = "trust", evidence = { "x" }, prompt = { kind = "trust" } }
  is(decide(trust), "ask", "trust is for a person")
  is(decide(trust, { answers = { trust = "approve" } }), "ask", "how to approve is not known")
  is(decide(trust, { answers = { trust = "1" } }), "answer '1'", "a text")
  local yn = { state = "waiting-for-input", waits = "y/n", evidence = { "x" },
    prompt = { kind = "y/n", deny = { text = "n", enter = true } } }
  is(decide(yn), "answer 'n'", "y/n")
  local memory = stuck.memory()
  for _ = 1, 3 do decide(approval, nil, memory) end
  is(decide(approval, nil, memory), "ask", "a prompt that comes again and again")
end)

test("a silent agent gets Enter after ten minutes, and is ended or resumed only later", function()
  local function silent(ms, state) return { state = state or "hung", since_ms = ms, evidence = { "silence" } } end
  local memory = stuck.memory()
  is(decide(silent(9 * minute), nil, memory, 0), "wait", "nine minutes")
  is(decide(silent(10 * minute), nil, memory, 0), "poke ''", "ten minutes")
  is(decide(silent(15 * minute), nil, memory, 5 * minute), "wait", "five minutes later")
  is(decide(silent(20 * minute), { then_do = "resume" }, memory, 11 * minute), "resume", "eleven minutes later")
  is(decide(silent(20 * minute), { then_do = "kill" }, memory, 11 * minute), "kill", "or killed")
  is(decide(silent(20 * minute), nil, memory, 11 * minute), "ask", "without a rule a person decides")
  is(decide(silent(60 * minute, "slow")), "wait", "a download")
  is(decide(silent(60 * minute, "waiting-for-quota")), "wait", "a quota")
  is(decide(silent(0, "working")), "none", "work")
  is(decide(silent(11 * minute, "looping"), { then_do = "kill" }), "kill", "a loop")
  is(decide(silent(0, "ended")), "none", "the end")
end)
