--- Reads the facts about the target of a review, and the places that its findings may name.
local m = require "moonlet"
local gather = require "gather"

local M = {}

--- Returns the facts about the target.
--- If the target is empty, it is the uncommitted change, or else the last commit.
---@param target string
---@return moonlet.facts.Git
function M.facts(ctx, target)
  if target ~= "" then return gather.facts(ctx, target) end
  local facts = gather.facts(ctx, "worktree")
  if #facts.files > 0 or not facts.head then return facts end
  return gather.facts(ctx, "HEAD")
end

-- Returns the places that a finding may name: every path of the tree, and the removed paths.
local function known_places(facts)
  if not facts.tree then return nil end
  local known = {}
  local function add(path)
    known[path] = true
    -- In findings, a path that is not valid UTF-8 is quoted.
    if not utf8.len(path) then known[m.git.show_path(path)] = true end
    for slash in path:gmatch("()/") do known[path:sub(1, slash - 1)] = true end
  end
  for _, path in ipairs(facts.tree) do add(path) end
  for _, file in ipairs(facts.files) do
    add(file.path)
    if file.old_path then add(file.old_path) end
  end
  return known
end

local most_files = 200

-- Returns the line counts of the reviewed files, and of unchanged files that have findings.
local function line_counts(ctx, facts, reviews, known)
  local texts, wanted, asked = facts.texts or {}, {}, {}
  for _, review in ipairs(reviews) do
    for _, path in ipairs(m.merge.paths(review, { root = ctx.repo, known = known })) do
      if known and known[path] and not texts[path] and not asked[path] and #wanted < most_files then
        asked[path] = true
        wanted[#wanted + 1] = path
      end
    end
  end
  local lengths = {}
  for _, some in ipairs { texts, #wanted > 0 and gather.texts(ctx, facts, wanted) or {} } do
    for path, text in pairs(some) do
      local _, lines = text:gsub("\n", "")
      lengths[path] = lines + ((text == "" or text:sub(-1) == "\n") and 0 or 1)
    end
  end
  return lengths
end

--- Returns the options of m.merge.findings: the known paths, and the line counts of files.
---@param reviews table[]
---@return moonlet.merge.Options
function M.merge_options(ctx, facts, reviews)
  local known = known_places(facts)
  return { root = ctx.repo, known = known, lengths = line_counts(ctx, facts, reviews, known) }
end

return M
