local m = require "moonlet"

-- Generates findings. Each problem has words of its own, so that the expected merge is known.
local state
local function random(n)
  state = (state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff
  return (state >> 33) % n + 1
end
local heads = { "parser", "cache", "socket", "retry", "index", "token", "buffer", "queue", "lease", "mirror" }
local acts = { "leaks", "overflows", "deadlocks", "truncates", "duplicates", "ignores", "corrupts", "races" }
local tails = { "unicode", "timeouts", "negative", "descriptors", "backslashes", "midnight", "symlinks", "zeroes" }

local function problem(number)
  return { file = ("src/f%d.lua"):format(number % 5), line = number * 20, claim = ("the %s%d %s %s%d on the %s path"):format(
    heads[number % #heads + 1], number, acts[number // 3 % #acts + 1], tails[number // 7 % #tails + 1], number,
    heads[(number + 3) % #heads + 1]) }
end

-- Rewrites a finding as another reviewer would: a few lines away, with similar or equal words.
local function retold(finding)
  local how = random(3)
  local claim = how == 1 and finding.claim or how == 2 and finding.claim:gsub("^the ", "It seems the ")
    or finding.claim:gsub(" on the ", " there, on the ")
  return { file = finding.file, line = finding.line + random(3) - 2, claim = claim }
end

local function finished(finding)
  finding.severity = m.findings.severities[random(5)]
  finding.confidence = random(9) / 10
  finding.evidence = random(2) == 1 and "seen" or ""
  local status = random(12)
  finding.status = status == 1 and "unverified" or status == 2 and "refuted" or "open"
  return finding
end

local function shuffled(list)
  local copy = { table.unpack(list) }
  for i = #copy, 2, -1 do
    local j = random(i)
    copy[i], copy[j] = copy[j], copy[i]
  end
  return copy
end

local function reviews_of(number)
  local reviews = {}
  for r = 1, 2 + random(3) do reviews[r] = { lens = "lens" .. r, name = "reviewer" .. r, findings = {} } end
  for i = 1, number do
    local made, first = problem(i * 3 + random(2)), random(#reviews)
    made.line = i * 20
    table.insert(reviews[first].findings, finished(made))
    for r in ipairs(reviews) do
      if r ~= first and random(3) == 1 then table.insert(reviews[r].findings, finished(retold(made))) end
    end
  end
  return reviews
end

-- Formats the ranking as text, without the ids, which depend on the order of the input.
local function ranking(result)
  local lines = {}
  for _, name in ipairs { "findings", "unverified", "refuted" } do
    for _, finding in ipairs(result[name]) do
      lines[#lines + 1] = ("%s %s:%s %s %s %.4f %s %s"):format(name, finding.file, finding.line, finding.severity,
        finding.claim, finding.confidence, table.concat(finding.corroborated_by, "+"),
        table.concat(finding.disputed_by or {}, "+"))
    end
  end
  return table.concat(lines, "\n")
end

test("500 shuffled sets of findings keep their ranking, and no finding is lost or doubled", function()
  state = seed
  for round = 1, 500 do
    local number = random(14)
    local reviews = reviews_of(number)
    local result = m.merge.findings(reviews)
    local other = {}
    for i, review in ipairs(shuffled(reviews)) do
      other[i] = { lens = review.lens, name = review.name, findings = shuffled(review.findings) }
    end
    if ranking(m.merge.findings(other)) ~= ranking(result) then
      note(("round %d: another order gives another ranking"):format(round))
      return
    end
    -- Each problem occurs at most once in each list, and in at least one list.
    local seen, given = {}, 0
    for _, review in ipairs(reviews) do given = given + #review.findings end
    local kept = 0
    for _, name in ipairs { "findings", "unverified", "refuted" } do
      local once = {}
      for _, finding in ipairs(result[name]) do
        local of = (finding.line + 10) // 20
        if once[of] then note(("round %d: the problem %d stands twice in %s"):format(round, of, name)) end
        once[of], seen[of], kept = true, true, kept + 1 + #finding.merged_from
      end
    end
    for i = 1, number do
      if not seen[i] then note(("round %d: the problem %d is lost"):format(round, i)) end
    end
    if kept ~= given then note(("round %d: %d of %d findings are accounted for"):format(round, kept, given)) end
  end
  is(true, true, "all rounds")
end)

test("a planted duplicate is merged with its reason, and a distinct finding stays", function()
  local function review(lens, ...) return { lens = lens, findings = { ... } } end
  local leak = { file = "a.lua", line = 10, severity = "high", claim = "the file handle is never closed after the loop" }
  local again = { file = "a.lua", line = 12, severity = "low", claim = "file handle never gets closed after the loop" }
  local other = { file = "a.lua", line = 11, severity = "low", claim = "the counter overflows for long input" }
  local result = m.merge.findings { review("one", leak), review("two", again, other) }
  is(#result.findings, 2, "findings")
  same(result.findings[1].corroborated_by, { "two" }, "the duplicate corroborates")
  is(result.findings[1].merged_from[1].reason, "the same as one#1: 2 lines apart, in like words", "its reason")
end)
