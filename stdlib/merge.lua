--- Merges the findings of several reviewers into one ranked list.
--- Findings at nearby lines with similar claims are duplicates.
--- A duplicate by another reviewer corroborates the finding.
--- No finding is lost: of several duplicates one is kept, and its `merged_from` lists the others.
--- The result does not depend on the order of the answers.

local findings = require "moonlet.findings"

local find, format, gsub = string.find, string.format, string.gsub
local lower, sub = string.lower, string.sub
local concat, sort = table.concat, table.sort

---@class moonlet.merge
local M = {}

local null = core.json.null

--- Nearby lines may be the same place, because reviewers count lines differently.
local near_lines = 3
local window = near_lines + 1
--- Limits comparisons per claim, so that 10,000 findings on one line stay cheap.
local most_compared = 200
local most_tokens = 120

-- These stop words are ignored when claims are compared.
local STOP = {}
for word in string.gmatch([[a an and any are as at be been but by can could do does for from had has have here if in
  into is it its may might no not of on one only or should so some than that the their them then there these they
  this to use used uses using was were when where which will with without would you your we our also because code
  line lines file files function method value values new add added adds]], "%S+") do
  STOP[word] = true
end

local function stem(word)
  if #word > 5 then
    word = gsub(word, "ies$", "y")
    word = gsub(word, "ing$", "")
    word = gsub(word, "ed$", "")
  end
  if #word > 3 then
    word = gsub(word, "es$", "e")
    word = gsub(word, "([^s])s$", "%1")
    word = gsub(word, "e$", "")
  end
  return word
end

-- Texts in scripts without spaces between words are split into pairs of characters.
local function pairs_of(run, add)
  local codes = {}
  if not utf8.len(run) then
    add(run)
    return
  end
  for _, code in utf8.codes(run) do codes[#codes + 1] = code end
  if #codes == 1 then add(run) end
  for i = 1, #codes - 1 do add(utf8.char(codes[i], codes[i + 1])) end
end

--- Returns the words of a claim as a set. Identifiers are split at capital letters and underscores.
--- ```lua
--- m.merge.tokens("readFile leaks")[1] --> "leak"
--- ```
---@param text string
---@return string[] tokens sorted
---@return table<string, boolean> set
function M.tokens(text)
  local list, set = {}, {}
  local function add(word)
    if not set[word] and #list < most_tokens then
      set[word] = true
      list[#list + 1] = word
    end
  end
  local spaced = gsub(sub(text, 1, 2000), "(%l)(%u)", "%1 %2")
  for run, other in string.gmatch(lower(spaced), "(%w*)([\x80-\xff]*)") do
    if run ~= "" and not STOP[run] and (#run > 1 or find(run, "%d")) then add(stem(run)) end
    if other ~= "" then pairs_of(other, add) end
  end
  sort(list)
  return list, set
end

-- Returns Jaccard index, overlap coefficient and number of common words of two sets of words.
local function likeness(a, b)
  local small, big = a, b
  if #small.tokens > #big.tokens then small, big = big, small end
  if #small.tokens == 0 then return #big.tokens == 0 and 1 or 0, 0 end
  local common = 0
  for i = 1, #small.tokens do
    if big.set[small.tokens[i]] then common = common + 1 end
  end
  return common / (#a.tokens + #b.tokens - common), common / #small.tokens, common
end

local function alike(a, b)
  local same_line = a.line == b.line
  local same_review = a.review == b.review
  -- If one reviewer makes the same claim about two lines, these are two problems.
  if same_review and not same_line then return false end
  if a.rule and b.rule then
    if a.rule ~= b.rule then return false end
    return same_line and a.text == b.text
  end
  if a.text == b.text then return true end
  local jaccard, overlap, common = likeness(a, b)
  if same_review then return jaccard >= 0.8 end
  common = common or 0
  if a.line and b.line and same_line then
    return jaccard >= 0.3 or (overlap >= 0.6 and common >= 2)
  end
  if a.line and b.line then return jaccard >= 0.4 or (overlap >= 0.7 and common >= 3) end
  -- Without a file, two findings are compared by their words only.
  if not a.file then return jaccard >= 0.6 end
  return jaccard >= 0.5 or (overlap >= 0.8 and common >= 4)
end

-- Makes a sort order from functions of a finding and its item, the most important one first.
local function order_by(...)
  local keys = { ... }
  return function(a, b)
    for i = 1, #keys do
      local x, y = keys[i](a.finding or a, a), keys[i](b.finding or b, b)
      if x ~= y then return x < y end
    end
    return false
  end
end

local function severity(finding) return -findings.rank(finding.severity) end
local function confidence(finding) return -finding.confidence end
local function field(name)
  return function(finding) return finding[name] ~= null and finding[name] or "" end
end

-- Chooses the finding that represents a cluster: by severity, then confidence, then length.
local better = order_by(severity, confidence,
  function(finding) return finding.evidence == "" and 1 or 0 end,
  function(finding) return -#finding.claim end, function(_, item) return item.order end)

-- Sorts by content only, so that the order of the input does not matter.
local content_order = order_by(field "file", function(_, item) return item.line or 0 end, severity,
  confidence, field "claim", field "evidence", field "fix", field "lens", field "status",
  field "runner", field "id")

local ranked = order_by(severity, function(finding) return finding.disputed_by and 1 or 0 end,
  function(finding) return -#finding.corroborated_by end, confidence, field "file",
  function(finding)
    return finding.line ~= null and finding.line or 0
  end, field "claim", field "id")

local function list_of(review)
  if type(review) ~= "table" then return {} end
  local inner = rawget(review, "findings")
  if type(inner) == "table" then return inner end
  if inner == nil and (rawget(review, "claim") ~= nil or rawget(review, "severity") ~= nil) then
    return { review }
  end
  return review
end

local function shown(value, cap, otherwise)
  if type(value) ~= "string" or value == "" then return otherwise end
  return findings.visible(findings.clip(value, cap))
end

local function name_of(review, key)
  return shown(type(review) == "table" and rawget(review, key), 80)
end

local function unique_name(taken, name)
  local count = (taken[name] or 0) + 1
  taken[name] = count
  return count == 1 and name or format("%s-%d", name, count)
end

local function read(reviews, opts)
  local items, taken = {}, {}
  for number = 1, #reviews do
    local review = reviews[number]
    core.lost.refuse(review)
    local lens, runner = name_of(review, "lens"), name_of(review, "runner")
    local label = unique_name(taken, name_of(review, "name") or lens or format("review-%d", number))
    local list = list_of(review)
    for i = 1, #list do
      if list[i] ~= null then
        local finding = findings.normalise(list[i], {
          id = format("%s#%d", label, i), lens = lens, label = label, runner = runner,
          root = opts.root, known = opts.known,
        })
        items[#items + 1] = { finding = finding, review = number, order = 0 }
      end
    end
  end
  return items
end

-- Marks a finding unverified if its file was not reviewed, or has fewer lines than the finding cites.
local function check_place(item, known, lengths)
  local finding = item.finding
  if finding.status ~= "open" or not finding.file or not known then return end
  if not known[finding.file] then
    finding.status, finding.reason = "unverified", "there is no such file in what was reviewed"
  elseif lengths and finding.line and lengths[finding.file]
      and finding.line > lengths[finding.file] then
    finding.status = "unverified"
    finding.reason = format("the file has only %d lines", lengths[finding.file])
  end
end

local function prepare(items, opts)
  for _, item in ipairs(items) do
    local finding = item.finding
    check_place(item, opts.known, opts.lengths)
    item.file, item.line, item.rule = finding.file, finding.file and finding.line or nil,
      finding.rule
    item.tokens, item.set = M.tokens(finding.claim)
    item.text = concat(item.tokens, " ")
    if item.text == "" then item.text = lower(finding.claim) end
    item.exact_key = format("%s\0%s\0%s", item.file or "", item.line or "", item.text)
  end
  sort(items, content_order)
  for i, item in ipairs(items) do item.order = i end
end

-- Returns the keys under which `index.places` lists the items near an item. A key stands for a few
-- lines of a file, so includes the keys of the lines before and after.
local function places_of(item)
  local file = item.file or ""
  if not item.line then return { file .. "\0" } end
  local slot = item.line // window
  return { file .. "\0" .. slot, file .. "\0" .. (slot - 1), file .. "\0" .. (slot + 1) }
end

local function near(a, b)
  return a.file == b.file and (a.line == b.line
    or a.line and b.line and math.abs(a.line - b.line) <= near_lines)
end

-- Returns the cluster whose first finding is most similar to an item, or nil if none is similar.
local function home_of(item, index)
  local exact = index.exact[item.exact_key]
  if exact and alike(item, exact.leader) then return exact end
  local candidates, best, best_score = {}, nil, -1
  for _, place in ipairs(places_of(item)) do
    local list = index.places[place] or {}
    for i = #list, 1, -1 do
      if #candidates < most_compared then candidates[#candidates + 1] = list[i] end
    end
  end
  for _, cluster in ipairs(candidates) do
    local score = near(item, cluster.leader) and alike(item, cluster.leader)
      and likeness(item, cluster.leader) or -1
    if score > best_score then best, best_score = cluster, score end
  end
  return best
end

local function push(map, key, value)
  map[key] = map[key] or {}
  table.insert(map[key], value)
end

local function clusters_of(items)
  local index, clusters = { exact = {}, places = {} }, {}
  for _, item in ipairs(items) do
    local cluster = home_of(item, index)
    if not cluster then
      cluster = { leader = item, members = {} }
      clusters[#clusters + 1] = cluster
      index.exact[item.exact_key] = index.exact[item.exact_key] or cluster
      push(index.places, places_of(item)[1], cluster)
    end
    cluster.members[#cluster.members + 1] = item
  end
  return clusters, index
end

local function label_of(item)
  local finding = item.finding
  return finding.runner and format("%s (%s)", finding.lens, finding.runner) or finding.lens
end

-- Returns the other reviewers who reported the finding, except those of the same rule.
local function witnesses(speaker, members)
  local names, seen = {}, {}
  for _, item in ipairs(members) do
    local independent = item.review ~= speaker.review
      and not (item.rule and item.rule == speaker.rule)
    local label = label_of(item)
    if independent and not seen[label .. "\0" .. item.review] then
      seen[label .. "\0" .. item.review] = true
      names[#names + 1] = label
    end
  end
  sort(names)
  return names
end

-- Returns the probability that at least one of the independent reviewers is right.
local function joint_confidence(speaker, members)
  local best, seen = {}, { }
  for _, item in ipairs(members) do
    local source = item.rule and "rule " .. item.rule or item.review
    if not best[source] then seen[#seen + 1] = source end
    best[source] = math.max(best[source] or 0, item.finding.confidence)
  end
  if #seen == 1 then return math.max(speaker.finding.confidence, best[seen[1]]) end
  local doubts = {}
  for i, source in ipairs(seen) do doubts[i] = 1 - best[source] end
  sort(doubts)
  local doubt = 1
  for _, value in ipairs(doubts) do doubt = doubt * value end
  return math.min(0.99, math.floor((1 - doubt) * 10000 + 0.5) / 10000)
end

local function record_of(item)
  local finding = item.finding
  return {
    id = finding.id, file = finding.file or null, line = finding.line or null,
    severity = finding.severity, lens = finding.lens, runner = finding.runner or null,
    rule = finding.rule, claim = finding.claim, evidence = finding.evidence, fix = finding.fix,
    confidence = finding.confidence, status = finding.status, reason = finding.reason,
  }
end

local function why_same(item, speaker)
  local apart = item.line and speaker.line and math.abs(item.line - speaker.line)
  local place = apart == 0 and "the same line" or apart and format("%d lines apart", apart)
    or "the same place"
  return format("the same as %s: %s, %s", speaker.finding.id, place,
    item.text == speaker.text and "the same claim" or "in like words")
end

local function speak(cluster)
  local members = cluster.members
  sort(members, better)
  local speaker = members[1]
  local result = record_of(speaker)
  local others = {}
  for i = 2, #members do
    others[i - 1] = record_of(members[i])
    others[i - 1].reason = others[i - 1].reason or why_same(members[i], speaker)
  end
  local names = witnesses(speaker, members)
  result.corroborated_by, result.merged_from = core.json.array(names), core.json.array(others)
  result.confidence = joint_confidence(speaker, members)
  -- Use the longest fix of the cluster if the finding that is kept has none.
  if result.fix == "" then
    for _, item in ipairs(members) do
      if #item.finding.fix > #result.fix then result.fix = item.finding.fix end
    end
  end
  return result
end

local function merge_status(items)
  local clusters, index = clusters_of(items)
  local list = {}
  for i, cluster in ipairs(clusters) do
    list[i] = speak(cluster)
    cluster.result = list[i]
  end
  return list, index
end

-- Adds each reviewer who refuted a finding to `disputed_by` of the open finding that it matches.
local function dispute(open_index, refuted_items)
  for _, item in ipairs(refuted_items) do
    local cluster = home_of(item, open_index)
    if cluster then
      cluster.result.disputed_by = cluster.result.disputed_by or core.json.array {}
      table.insert(cluster.result.disputed_by, label_of(item))
    end
  end
end

---@class moonlet.merge.Lost
---@field review string
---@field kind string
---@field message string

---@class moonlet.merge.Options
---@field lost moonlet.LostBranch[]?   second result of ctx:parallel
---@field root string?                 absolute path of the work tree
---@field known table<string, boolean>?  reviewed paths
---@field lengths table<string, integer>?  number of lines of each path

---@class moonlet.merge.Result
---@field findings moonlet.Finding[]    ranked
---@field unverified moonlet.Finding[]
---@field refuted moonlet.Finding[]
---@field unsupported moonlet.Finding[]  findings on lines that their reviewers never read
---@field unjudged string[]      reviews whose output does not show which lines they read
---@field lost moonlet.merge.Lost[]
---@field next_action string

--- Returns the name and the reason of a review that failed.
--- ```lua
--- m.merge.lost({ branch = "tests", kind = "timeout", message = "too slow" }).review --> "tests"
--- ```
---@param item any  entry of the second result of ctx:parallel, or any error
---@return moonlet.merge.Lost
function M.lost(item)
  if type(item) ~= "table" then
    return { review = "a review", kind = "failed", message = shown(tostring(item), 400) }
  end
  return {
    review = shown(rawget(item, "branch") or rawget(item, "review"), 80, "a review"),
    kind = shown(rawget(item, "kind"), 40, "failed"),
    message = shown(rawget(item, "message"), 1000, "it ended without saying why"),
  }
end

local function count_text(number, one, many)
  return format("%d %s", number, number == 1 and one or many)
end

local ENOUGH = { critical = true, high = true, medium = true }

-- Returns a phrase such as ", then 2 other high findings" if there are any, else "".
local function others_as_grave(list)
  local count = 0
  for _, finding in ipairs(list) do
    if finding.severity == list[1].severity then count = count + 1 end
  end
  if count < 2 then return "" end
  local one = list[1].severity .. " finding"
  return format(", then %s", count_text(count - 1, "other " .. one, "other " .. one .. "s"))
end

local function fix_first(list)
  local first = list[1]
  return format("Fix the %s finding at %s first (%s)%s.", first.severity, findings.place(first),
    (gsub(findings.clip(first.claim, 200), "%.$", "")), others_as_grave(list))
end

local function run_again(lost, found)
  local why = format("%s: %s", lost.review, (gsub(findings.clip(lost.message, 200), "%.$", "")))
  if found == nil then return format("Run the review again: all of it was lost (%s).", why) end
  return format("Run the lost review again (%s): the rest found %s.", why, found)
end

--- Returns the one next action after a review, with its reason.
--- ```lua
--- m.merge.next_action(m.merge.findings {}, 2) --> "Go on: 2 reviews found nothing."
--- ```
---@param result moonlet.merge.Result
---@param succeeded integer  number of successful reviews
---@return string
function M.next_action(result, succeeded)
  local first, lost = result.findings[1], result.lost[1]
  if succeeded == 0 then
    return lost and run_again(lost) or "Run the review again: nobody reviewed anything."
  elseif first and ENOUGH[first.severity] then
    return fix_first(result.findings)
  elseif lost then
    return run_again(lost, first and "only small things" or "nothing")
  elseif first then
    return format("Nothing here has to stop the change; look through %s, from %s.",
      count_text(#result.findings, "small finding", "small findings"), findings.place(first))
  elseif #result.unverified > 0 then
    return format("Check %s by hand.",
      count_text(#result.unverified, "unverified finding", "unverified findings"))
  end
  return format("Go on: %s found nothing.", count_text(succeeded, "review", "reviews"))
end

--- Returns the paths that the findings of a review name. Unreadable paths are skipped.
--- ```lua
--- m.merge.paths({ findings = { { file = "src/a.lua", claim = "x" } } }, {})[1] --> "src/a.lua"
--- ```
---@param review any  see m.merge.findings
---@param opts {root: string?, known: table<string, boolean>?}
---@return string[]
function M.paths(review, opts)
  local list, seen = {}, {}
  for _, raw in ipairs(list_of(review)) do
    local path = type(raw) == "table" and findings.path(rawget(raw, "file"), opts.root, opts.known)
    if path and not seen[path] then
      seen[path] = true
      list[#list + 1] = path
    end
  end
  return list
end

local function unjudged(items)
  local names, seen = core.json.array {}, {}
  for _, item in ipairs(items) do
    local label = label_of(item)
    if item.finding.unjudged and not seen[label] then
      seen[label] = true
      names[#names + 1] = label
    end
  end
  sort(names)
  return names
end

--- Merges reviews into one ranked list.
--- Errors: `invalid` an argument that is not a list, or an unknown option.
--- ```lua
--- local ranked = m.merge.findings({
---   { lens = "errors", findings = { { file = "a.lua", line = 3, claim = "the file is never closed" } } },
---   { lens = "risks", findings = { { file = "a.lua", line = 3, claim = "the file is never closed" } } },
--- }, { root = ctx.repo })
--- #ranked.findings --> 1
--- #ranked.findings[1].corroborated_by --> 1
--- ```
---@param reviews table[]  reviews: { findings = …, lens = …, runner = … }, or bare lists
---@param opts moonlet.merge.Options?
---@return moonlet.merge.Result
function M.findings(reviews, opts)
  opts = require("moonlet.record").check(opts or {},
    { lost = "list", root = "string", known = "table", lengths = "table" }, "merge.findings")
  if type(reviews) ~= "table" then
    error({ kind = "invalid", message = "merge.findings needs a list of reviews" }, 0)
  end
  local items = read(reviews, opts)
  prepare(items, opts)
  local by_status = { open = {}, unverified = {}, refuted = {}, unsupported = {} }
  for _, item in ipairs(items) do push(by_status, item.finding.status, item) end
  local open, index = merge_status(by_status.open)
  dispute(index, by_status.refuted)
  local result = {
    findings = open, unverified = merge_status(by_status.unverified),
    refuted = merge_status(by_status.refuted), unsupported = merge_status(by_status.unsupported),
    unjudged = unjudged(items), lost = {},
  }
  for i, item in ipairs(opts.lost or {}) do result.lost[i] = M.lost(item) end
  for _, name in ipairs { "findings", "unverified", "refuted", "unsupported" } do
    sort(result[name], ranked)
    core.json.array(result[name])
  end
  core.json.array(result.lost)
  local succeeded = 0
  for number = 1, #reviews do
    if reviews[number] ~= null then succeeded = succeeded + 1 end
  end
  result.next_action = M.next_action(result, succeeded)
  return result
end

return M
