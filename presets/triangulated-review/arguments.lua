--- The arguments of a review, checked before there is a run.
local m = require "moonlet"
local rules = require "rules"

local M = {}

local function invalid(message, hint) error({ kind = "invalid", message = message, hint = hint }, 0) end

-- The lenses by their short names, each once.
local function read_lenses(names)
  local lenses, seen = {}, {}
  for i, name in ipairs(names) do
    local lens = rules.lens(name)
    if seen[lens] then
      invalid(("--lenses: '%s' stands there twice"):format(lens), "name two to four different ones")
    end
    seen[lens] = true
    lenses[i] = lens
  end
  return lenses
end

-- Targets that need git; a path or a glob is read as files.
local needs_git = { [""] = true, HEAD = true, staged = true, worktree = true }

--- Checks the arguments by themselves, and gives the lenses by their short names.
---@param args table
---@return string[]
function M.lenses(args)
  local lenses = read_lenses(args.lenses)
  if args.need > #lenses then
    invalid(("--need is %d, but --lenses has %d"):format(args.need, #lenses), "need at most as many as there are")
  end
  local problem = m.git.target_problem(args.target)
  if problem then invalid("--target: " .. problem, "name a commit, A..B, staged, worktree, or a path or glob") end
  return lenses
end

--- Raises what makes a review pointless.
---@param look moonlet.Look
---@param args table
function M.check(look, args)
  M.lenses(args)
  if not look.git and needs_git[args.target] then
    invalid(("%s is not a git repository, and holds no change"):format(look.repo),
      "run it inside one, name one with --repo DIR, make one with: git init, or name files with --target")
  end
end

return M
