local breaker = require "moonlet.engine.agent.circuit_breaker"

-- core.run.redact needs a running run, so this replaces it.
core.run.redact = function(text) return text end
local minute = 60 * 1000
local function left(until_ms) return until_ms - core.clock.wall() end
local function between(value, least, most, what)
  is(value >= least and value <= most, true, ("%s: %d"):format(what, value))
end
local place = core.file.make_root(scratch .. "/.local/state/moonlet/breakers")
local function file_of(name) return core.file.read(place, name .. ".json", 65536) end
--- Ends a refusal by moving its end into the past.
local function pass(name)
  local kept = core.json.decode(file_of(name))
  kept["until"] = core.clock.wall() - 1
  core.file.write(place, name .. ".json", core.json.encode(kept))
end
local function trip(name, reset_in)
  return left(breaker.trip(name, { class = "quota", runner = "codex", message = "no more",
    reset_at = reset_in and core.clock.wall() + reset_in }))
end

-- A reset time in the past or present is ignored.
between(trip("past", -20 * 24 * 60 * minute), 14 * minute, 16 * minute, "long over")
between(trip("skew", -minute), 14 * minute, 16 * minute, "just over")
between(trip("now", 0), 14 * minute, 16 * minute, "now")
between(trip("soon", 30 * 1000), 29 * 1000, 32 * 1000, "what is told is believed")
between(trip("month", 31 * 24 * 60 * minute), 31 * 24 * 60 * minute - minute, 31 * 24 * 60 * minute + minute, "for a month")
between(trip("far", 400 * 24 * 60 * minute), 31 * 24 * 60 * minute, 33 * 24 * 60 * minute, "to a point")

-- Repeated refusals back off, even if the provider reports an early reset time.
local last = 0
for round = 1, 6 do
  local patience = trip("again", 10)
  is(patience > last, true, "more patience in round " .. round)
  last = patience
  if round < 6 then pass "again" end
end
between(last, 15 * minute - 1000, 20 * minute, "but not without end")
-- Calls that are refused at the same time count as one refusal.
trip("together", 10)
for _ = 1, 8 do trip("together", 10) end
is(core.json.decode(file_of "together").times, 1, "refused together")
-- A successful call resets the backoff, unless it started before the refusal.
pass "again"
breaker.succeeded "again"
is(file_of "again", nil, "forgotten")
between(trip("again", 10), 0, 2000, "as the first time")
breaker.succeeded "again"
is(breaker.refusal "again" ~= nil, true, "still closed")

-- A call that was made in spite of a refusal replaces that refusal, or removes it if it succeeds.
trip("bought", 5 * 24 * 60 * minute)
between(left(breaker.trip("bought", { class = "quota", runner = "codex", message = "no more", anew = true,
  reset_at = core.clock.wall() + 60 * minute })), 59 * minute, 61 * minute, "told anew")
breaker.succeeded("bought", core.clock.wall() - 1000)
is(breaker.refusal "bought" ~= nil, true, "refused again since")
breaker.succeeded("bought", core.clock.wall())
is(breaker.refusal "bought", nil, "lifted")
-- A refused login does not stop a different login.
breaker.trip("login", { class = "auth", runner = "codex", message = "no", login = "one" })
is(breaker.refusal("login", "one") ~= nil, true, "the login that was refused")
is(breaker.refusal("login", "two"), nil, "another login")
is(breaker.refusal("login", nil), nil, "one that nobody knows")

-- After a rate limit all callers wait, with a backoff that stays below about a minute.
local function rate(name, asked) return left(breaker.trip(name, { class = "rate", runner = "codex", message = "slow down",
  reset_at = asked and core.clock.wall() + asked })) end
last = 0
for round = 1, 7 do
  local patience = rate "rate"
  is(patience > last or patience > 60 * 1000 - 100, true, "more patience in round " .. round)
  is(rate "rate" <= patience, true, "who asked together waits together")
  last = patience
  is(breaker.refusal("rate", "any login").class, "rate", "for every login")
  if round < 7 then pass "rate" end
end
between(last, minute - 100, minute * 5 // 4, "but a minute or so")
between(rate("asked", 20 * 1000), 20 * 1000, 22 * 1000, "what is told is believed")
pass "rate"
breaker.succeeded "rate"
between(rate "rate", 1900, 2600, "as the first time")
-- A rate limit does not shorten a quota refusal.
trip("both", 60 * minute)
between(rate "both", -10, 10, "the graver refusal is heard instead")
is(breaker.refusal("both").class, "quota", "it stays")

-- A malformed breaker file stops no call.
for _, text in ipairs { "", "{", "[]", '{"until":9999999999999999,"class":"quota"}', '{"until":9999999999999,"class":"quota"}',
  '{"until":1.5,"class":"quota"}', '{"until":"x"}' } do
  core.file.write(place, "odd.json", text)
  is(breaker.refusal "odd", nil, "an odd file: " .. text)
end
core.file.write(place, "odd.json", core.json.encode { class = 5, ["until"] = core.clock.wall() + minute })
is(breaker.refusal "odd", nil, "an odd class")
core.file.write(place, "odd.json", core.json.encode { class = "quota", ["until"] = core.clock.wall() + minute, times = "x" })
is(type(breaker.refusal("odd").message), "string", "without its message")

-- The list contains only files with hexadecimal names.
is(#breaker.closed(), 0, "no account of that kind")
breaker.trip("0a1b", { class = "quota", runner = "codex", message = "no more", reset_at = core.clock.wall() + 60 * minute })
breaker.trip("ffff", { class = "auth", runner = "gemini", message = "no", login = "one" })
is(breaker.closed()[1].runner .. " " .. breaker.closed()[2].runner, "gemini codex", "the one that opens first")
pass "ffff"
is(#breaker.closed(), 1, "one is open again")

-- A refusal that cannot be written to disk stays in memory.
core.file.remove(place, ".")
core.file.remove(core.file.root(scratch .. "/.local/state/moonlet"), "breakers")
core.file.write(core.file.root(scratch .. "/.local/state/moonlet"), "breakers", "no folder")
between(trip("nowhere"), 14 * minute, 16 * minute, "without a folder")
is(breaker.refusal "nowhere" ~= nil, true, "it is remembered")
breaker.succeeded("nowhere", core.clock.wall() - 1000)
is(breaker.refusal "nowhere" ~= nil, true, "a call that began before the refusal does not end it")
breaker.succeeded("nowhere", core.clock.wall())
is(breaker.refusal "nowhere", nil, "a later call ends it")
