local budget = require "moonlet.engine.budget.budget"

--- Returns the budgets of a run and of a scope in it. Their warnings are appended to `lines`.
local function nested(outer, inner)
  local lines = {}
  local root = budget.open(nil, outer, { what = "the run", path = "", tell = function(text) lines[#lines + 1] = text end })
  return root, budget.open(root, inner, { what = "the scope", path = "s" }), lines
end

test("a start that an outer budget refuses reserves nothing in any budget", function()
  local root, own = nested({ agents = 2 }, { agents = 5, tokens = 100 })
  local err = raises(function() budget.reserve(own, { agents = 3, tokens = 10 }) end, "the run allows 2 agent starts", "three")
  is(err.kind, "budget", "its kind")
  holds(err.hint, "--budget agents=", "its hint")
  is(root.refused, err, "it is on record")
  for _, each in ipairs { root, own } do
    is(each.reserved.agents, 0, "agents reserved in " .. each.what)
    is(each.reserved.tokens, 0, "tokens reserved in " .. each.what)
  end
  budget.reserve(own, { agents = 2 })
  is(budget.left(own, "agents"), 0, "left once two are reserved")
end)

test("running work is reserved even if it exceeds the budget", function()
  local root, own = nested({ agents = 0 }, {})
  budget.reserve(own, { agents = 1 }, true)
  is(root.reserved.agents, 1, "reserved")
end)

test("real usage replaces a reservation", function()
  local root, own = nested({ tokens = 100 }, { tokens = 50 })
  local seen
  local result = budget.with(own, { tokens = 40 }, function()
    seen = root.reserved.tokens .. " " .. own.reserved.tokens
    return "answer", { tokens = 7 }
  end)
  is(result, "answer", "the result")
  is(seen, "40 40", "reserved meanwhile")
  is(root.spent.tokens, 7, "spent of the run")
  is(own.spent.tokens, 7, "spent of the scope")
  is(own.reserved.tokens, 0, "still reserved")
  is(budget.left(own, "tokens"), 43, "left")
end)

test("failed work counts with its noted usage, or else with its reservation", function()
  local root, own = nested({ tokens = 100 }, {})
  local function fails(note) if note then note { tokens = 3 } end error({ kind = "failed", message = "boom" }, 0) end
  raises(function() budget.with(own, { tokens = 40 }, fails) end, "boom", "with a note")
  is(root.spent.tokens, 3, "noted")
  raises(function() budget.with(own, { tokens = 40 }, function() fails() end) end, "boom", "without one")
  is(root.spent.tokens, 43, "reserved")
end)

test("overspending is reported at its start, and later only if it has grown", function()
  local root, own, lines = nested({}, { tokens = 10 })
  local function use(count) budget.with(own, { tokens = 5 }, function() return true, { tokens = count } end) end
  use(25)
  is(#lines, 1, "reports")
  holds(lines[1], "the scope: 25 tokens were used, 15 more than allowed", "the report")
  same(budget.overshoot(root, true), {}, "nothing grew")
  raises(function() use(1) end, "the scope allows 10 tokens", "another start")
  own.spent.tokens = 30
  is(#lines, 1, "no second report")
  same(budget.overshoot(root, true), { "the scope: in the end 30 tokens were used, 20 more than allowed" }, "it grew")
end)

test("sums of prices have no rounding errors", function()
  local root = nested({ usd = 0.3 }, {})
  for _ = 1, 3 do budget.with(root, { usd = 0.1 }, function() return true end) end
  is(root.spent.usd, 0.3, "three times 0.1")
  is(budget.left(root, "usd"), 0, "left")
  raises(function() budget.reserve(root, { usd = 0.0001 }) end, "the run allows 0.3 USD, and 0.3 are used", "a little more")
  is(budget.shown("usd", 0.00001234), "0.0000123", "a small price")
  is(budget.shown("usd", 1.5), "1.5", "a plain one")
  is(budget.exceeds(0.1 + 0.2, 0.3), false, "the error of a float")
  is(budget.times(3, 0.1), 0.3, "three times at once")
  is(budget.times(1 << 40, 1e30), budget.most, "more than is counted")
end)

test("usage under an earlier host counts, and a script sees it during the replay", function()
  local ahead = 5
  local history = { spent = function(_, path) return path == "s" and { agents = 5 } or { agents = 6 } end,
    ahead = function() return ahead end }
  local root = budget.open(nil, { agents = 8 }, { what = "the run", path = "", history = history })
  local own = budget.open(root, { agents = 6 }, { what = "the scope", path = "s" })
  is(own.spent.agents, 5, "spent in the scope before")
  is(budget.used(own, "agents"), 0, "used, as the script sees it at its start")
  is(budget.left(own, "agents"), 6, "left, as the script sees it")
  ahead = 0
  is(budget.left(own, "agents"), 1, "left once all is replayed")
  budget.reserve(own, { agents = 1 })
  is(history.over, true, "a start ends the replay")
  raises(function() budget.reserve(own, { agents = 1 }) end, "the scope allows 6 agent starts", "another one")
end)

test("an attempt that is reserved again does not count twice", function()
  local root, own = nested({ agents = 2 }, {})
  budget.with(own, { agents = 1 }, function() return true end)
  budget.forget(own, { agents = 1 })
  is(root.spent.agents, 0, "spent")
end)

test("without a limit the rest is infinite, and time is in seconds", function()
  local root, own = nested({ agents = 3 }, {})
  is(budget.left(own, "tokens"), math.huge, "tokens left")
  is(budget.limit(own, "agents"), 3, "the limit around")
  is(budget.is_limited(own, "agents"), true, "a limit around")
  is(budget.is_limited(own, "usd"), false, "no limit")
  budget.start_wall(root, 60000, function() return 15500 end)
  is(budget.left(own, "wall"), 44.5, "seconds left")
  is(budget.used(own, "wall"), 15.5, "seconds used")
end)

test("invalid limits are refused", function()
  raises(function() budget.open(nil, { tokens = -1 }, { what = "x", path = "" }) end, "cannot be -1", "tokens = -1")
  raises(function() budget.open(nil, { usd = math.huge }, { what = "x", path = "" }) end, "cannot be inf", "usd = inf")
  raises(function() budget.open(nil, { usd = 0 / 0 }, { what = "x", path = "" }) end, "cannot be nan", "usd = nan")
  raises(function() budget.open(nil, { tokns = 1 }, { what = "x", path = "" }) end, "tokns", "a misspelt kind")
end)

test("usage of a running attempt counts against the enclosing limits", function()
  local root, own = nested({ tokens = 100 }, { tokens = 60 })
  local seen = {}
  budget.with(own, { tokens = 10 }, function(_, grow)
    seen[1] = grow { tokens = 5 }
    is(budget.left(own, "tokens"), 50, "left: what was reserved stays reserved")
    seen[2] = grow { tokens = 40 }
    is(budget.left(root, "tokens"), 60, "left of the run")
    raises(function() budget.reserve(own, { tokens = 30 }) end, "the scope allows 60 tokens", "a start beside it")
    root.refused = nil
    seen[3] = grow { tokens = 61 }
    return true, { tokens = 61 }
  end)
  is(seen[1], nil, "less than was reserved")
  is(seen[2], nil, "more than was reserved")
  is(seen[3] and seen[3].kind, "budget", "more than the scope allows")
  holds(seen[3].message, "the scope allows 60 tokens: about 61 are used", "whose limit it is")
  is(root.refused, seen[3], "the run's record")
  is(own.running.tokens .. " " .. own.reserved.tokens .. " " .. own.spent.tokens, "0 0 61", "at its end")
end)

test("parallel attempts share what is left", function()
  local root = nested({ tokens = 100 }, {})
  local other
  budget.with(root, { tokens = 10 }, function(_, grow)
    is(grow { tokens = 60 }, nil, "the first alone")
    budget.with(root, { tokens = 10 }, function(_, grow_other)
      other = grow_other { tokens = 50 }
      return true, { tokens = 50 }
    end)
    is((grow { tokens = 60 } or {}).kind, "budget", "the first, once both have used too much")
    return true, { tokens = 60 }
  end)
  is(other and other.kind, "budget", "the second")
  is(root.running.tokens, 0, "running in the end")
end)

test("a lower report does not reduce earlier usage", function()
  local root = nested({ tokens = 100 }, {})
  budget.with(root, { tokens = 10 }, function(_, grow)
    grow { tokens = 80 }
    grow { tokens = 30 }
    is(root.running.tokens, 80, "running")
    return true, { tokens = 80 }
  end)
end)

test("nothing starts in an overspent budget", function()
  local root, own = nested({ tokens = 100 }, {})
  budget.check_spent(own)
  is(budget.exceeded(root), nil, "not yet")
  budget.with(own, { tokens = 90 }, function() return true, { tokens = 101 } end)
  raises(function() budget.check_spent(own) end, "the run allows 100 tokens", "a command")
  holds(budget.exceeded(root).message, "the run allows 100 tokens", "the error of the run")
  holds(budget.exceeded(root).hint, "--budget tokens=200", "what to do")
end)

test("a limit that was exceeded under an earlier host stays exceeded", function()
  local history = { spent = function() return { tokens = 120 } end, ahead = function() return 0 end }
  local function opened(limit)
    return budget.open(nil, { tokens = limit }, { what = "the run", path = "", history = history })
  end
  is((budget.exceeded(opened(100)) or {}).kind, "budget", "with the same limit")
  is(budget.exceeded(opened(200)), nil, "with a larger one")
end)
