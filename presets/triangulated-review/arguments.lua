--- Declares and checks the arguments of a review before the run starts.
local checks = require "checks"
local lenses = require "moonlet.lenses"
local linters = require "linters.run"
local m = require "moonlet"

local M = {}

local function invalid(message, hint) error({ kind = "invalid", message = message, hint = hint },
  0) end

local lens_names = { table.unpack(lenses.names) }
table.move(lenses.long_names, 1, #lenses.long_names, #lens_names + 1, lens_names)

--- Lists the words that --linters accepts.
M.linter_words = { "default", "all", "none", table.unpack(linters.names) }

M.declared = {
  target = m.arg.target {
    positional = true, default = "",
    help = "what to review: a commit, A..B, staged, worktree, or a path or glob (documents too); "
      .. "without it what is not committed yet, or else the last commit",
  },
  lenses = m.arg.list {
    default = { "correctness", "risks", "tests" }, min = 2, max = 4, choices = lens_names,
    help = "two to four lenses",
  },
  need = m.arg.integer { default = 2, min = 1, max = 4, help = "how many reviews must succeed" },
  context = m.arg.string {
    default = "", help = "what reviewers cannot infer: constraints, decisions, whom it is for",
  },
  linters = m.arg.list {
    default = { "default" }, choices = M.linter_words,
    help = "linters to start, where they are installed: default (those that run no code of the "
      .. "repository), all, none or names",
  },
  linter_timeout = m.arg.duration { default = "2m", help = "how long one linter may run" },
  findings = m.arg.paths { default = {}, exists = true,
    help = "SARIF files that other programs wrote" },
  diff_checks = m.arg.list {
    default = { "all" },
    help = "checks of the change: list prints them, -NAME switches one off, NAME selects only it",
  },
  whole = m.arg.boolean {
    default = false, help = "findings of linters count on lines too that the change did not touch",
  },
  baseline = m.arg.path { default = "", exists = true,
    help = "a file of earlier findings, which are hidden" },
  write_baseline = m.arg.path { default = "",
    help = "write what linters and checks find to this file" },
}

-- Returns the lenses by their short names. Raises an error if a lens occurs twice.
local function read_lenses(names)
  local list, seen = {}, {}
  for i, name in ipairs(names) do
    local lens = lenses.short(name)
    if seen[lens] then
      invalid(("--lenses: '%s' occurs twice"):format(lens), "name two to four different ones")
    end
    seen[lens] = true
    list[i] = lens
  end
  return list
end

-- These targets need a git repository. Other targets may be paths or globs, which need none.
local needs_git = { [""] = true, HEAD = true, staged = true, worktree = true }

--- Checks the arguments without the repository, and returns the lenses by their short names.
function M.lenses(args)
  local list = read_lenses(args.lenses)
  if args.need > #list then
    invalid(("--need is %d, but --lenses has %d"):format(args.need, #list),
      "write at most as many as there are lenses")
  end
  local problem = m.git.target_problem(args.target)
  if problem then invalid("--target: " .. problem,
    "name a commit, A..B, staged, worktree, or a path or glob") end
  return list
end

--- Raises an error if the arguments make a review impossible.
function M.check(look, args)
  M.lenses(args)
  local _, wrong = checks.chosen(args.diff_checks)
  if wrong then
    invalid(("--diff-checks: there is no check '%s'"):format(wrong),
      m.record.suggest(wrong:gsub("^%-", ""), select(2, checks.all()))
      or "--diff-checks list prints them")
  end
  if #args.linters == 0 then invalid("--linters names none", "--linters none starts none") end
  if M.lists_checks(args) then return end
  if not look.git and needs_git[args.target] then
    invalid(("%s is not a git repository, and holds no change"):format(look.repo),
      "run it inside one, name one with --repo DIR, make one with: git init, or name files with "
        .. "--target")
  end
end

--- Reports whether the user asks for the list of checks instead of a review.
function M.lists_checks(args)
  for _, word in ipairs(args.diff_checks) do
    if word == "list" then return true end
  end
  return false
end

return M
