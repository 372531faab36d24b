--- Loads the user's config, a Lua file of plain data: $XDG_CONFIG_HOME/moonlet/config.lua.
--- A config runs in the sandbox with Lua's basic libraries. A repository cannot provide one.
--- If a config and a preset both set a limit, the smaller one applies.
---
---   return {
---     runner = "codex",                    -- default of --runner; may be "route"
---     runners = {
---       codex = { program = "…", args = { … }, env = { "NAME" }, home = "…", model = "…", private = false,
---                 instructions = true },   -- adds your own ~/.codex/AGENTS.md to prompts
---       mine = { file = "mine.lua" },      -- your own runner, by its path from this folder
---     },
---     routes = { ["test-gaps"] = { runner = "codex", model = "…", high = { escalate = true } } },
---     prices = { ["gpt-5.3-codex-spark"] = { input = 1.25, cached = 0.125, output = 10 } },
---     limits = { tokens = 600000, usd = 4, wall = "20m", agents = 20, processes = 200, parallel = 8,
---                retries = 3,              -- most times that a prompt is sent
---                worktrees = 4 },          -- kept for the next agent that writes; 0: none
---     precommit = { runner = "codex" },    -- for moonlet hook pre-commit; default: no agent
---     prompts = { reviewer = "reviewer.md" },   -- templates, by their paths from this folder
---     mcp = { presets = { "triangulated-review" },   -- main agents may run these (default: none)
---             budget = { tokens = 400000 }, sandbox = "read-only",   -- for each of these runs
---             programs = { "npm" },        -- they may name these as checks
---             sessions = { "builder" },    -- they may read and type into these
---             vanished = "continue" },     -- or "cancel" their runs when they disconnect
---     repositories = { ["/home/me/app"] = { worktree = {       -- by the path of the main work tree
---                  keep = { "node_modules" },     -- stays in worktrees that wait; never merged
---                  setup = { "npm", "ci" },       -- run once in a new worktree, confined
---                  state = { "~/.npm" }, network = true } } },   -- what setup may write, and reach
---     machines = {                         -- where steps may run with on = "ssh:big" or "slurm"
---       big = { ssh = "HOST", dir = "~/moonlet", slots = 8, env = { "NAME" }, patience = "1m" },
---       slurm = { dir = "/shared/moonlet", partitions = { "short" }, account = "…", via = "ssh:login" },
---     },
---     loop = "end",                        -- ends an agent that repeats itself; default: "warn"
---     hooks = { finished = { "notify-send", "moonlet" } },   -- events of runs: started, finished,
---                  parked, review; of sessions: stuck, milestone; of both: done, question, blocked
---   }
local config_check = require "moonlet.engine.load.config_check"
local files = require "moonlet.engine.base.files"
local record = require "moonlet.record"

local M = {}

local source_cap = config_check.source_cap
local deepest, most_values, most_problems = 8, 10000, 20

---@class moonlet.Config
---@field path string?      path of the config file; nil without a file
---@field runner string?
---@field runners table<string, table>
---@field routes table<string, table>
---@field prices table<string, table>
---@field limits table
---@field hooks table<string, string[]>
---@field precommit {runner: string?}
---@field mcp table?
---@field repositories table<string, {worktree: moonlet.WorktreeConfig?}>?
---@field machines table<string, table>?
---@field loop "warn"|"end"|nil
---@field prompts table<string, string>  role -> template text

--- Returns the config's path; that of the embedding program has priority over the user's own.
function M.path()
  local chosen = core.host.config()
  if chosen then return chosen ~= "" and chosen or nil end
  return M.user_path()
end

function M.user_path()
  local base = core.system.env "XDG_CONFIG_HOME"
  if not base or base == "" or base:sub(1, 1) ~= "/" then
    local home = core.system.env "HOME"
    base = home and home ~= "" and home .. "/.config" or nil
  end
  return base and base .. "/moonlet/config.lua"
end

--- Finds the line of a key in a config's text. Searches the text for each key of its path in turn.
local function line_of(text, path)
  local at, found = 1, nil
  for _, key in ipairs(path) do
    local next_at
    if type(key) == "string" then
      local plain = key:gsub("%p", "%%%0")
      local from = at
      while true do
        local s = text:find("%f[%w_]" .. plain .. "%f[^%w_]%s*=", from)
          or text:find("%[%s*[\"']" .. plain
          .. "[\"']%s*%]%s*=", from)
        if not s then break end
        -- Skip a key inside a comment.
        local start = s - #(text:sub(1, s):match("[^\n]*$"))
        if not text:sub(start + 1, s):find("--", 1, true) then
          next_at = s
          break
        end
        from = s + 1
      end
    end
    if not next_at then break end
    at, found = next_at + 1, next_at
  end
  if not found then found = text:find("return", 1, true) or 1 end
  local _, lines = text:sub(1, found):gsub("\n", "")
  return lines + 1
end

local function data(value, path, budget, fail)
  budget.count = budget.count + 1
  if budget.count > most_values then
    fail(path, ("it holds more than %d values"):format(most_values))
  end
  local kind = type(value)
  if kind == "string" or kind == "boolean" then return value end
  if kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      fail(path, "it is not a finite number")
    end
    return value
  end
  if kind ~= "table" then fail(path, ("a config holds only data, not a %s"):format(kind)) end
  if #path > deepest then fail(path, "it nests too deep") end
  local copy = {}
  for key, item in next, value do
    if type(key) ~= "string" and math.type(key) ~= "integer" then
      fail(path, "its keys must be names")
    end
    local below = { table.unpack(path) }
    below[#below + 1] = key
    copy[key] = data(item, below, budget, fail)
  end
  return copy
end

local function empty()
  return { runners = {}, routes = {}, prices = {}, limits = {}, hooks = {}, prompts = {},
    precommit = {} }
end

--- The config that is being evaluated, for the error if this never ends.
---@type string?
M.reading = nil

--- Evaluates a config's text. Raises one `invalid` error that lists every problem with its line.
---@return moonlet.Config
function M.read(text, path)
  local folder = path:match("^(.*)/[^/]+$") or "."
  local presets = require "moonlet.engine.load.loader"
  local loaded, chunk = pcall(presets.load, path, text, {})
  if not loaded then
    chunk.hint = "nothing was started"
    error(chunk, 0)
  end
  M.reading = path
  local at
  local ran, value = xpcall(chunk, function(err)
    at = core.text.place()
    return err
  end)
  M.reading = nil
  if not ran then
    local message = type(value) == "string" and value
      or (type(value) == "table" and rawget(value, "message"))
    message = type(message) == "string" and message or "it raised an error"
    record.refuse("the config failed: " .. message:gsub("^.-:%d+:%s*", ""),
      "a config is data: return { … }", at or path)
  end
  local problems = {}
  local function report(where, message, hint)
    problems[#problems + 1] = { at = path .. ":" .. line_of(text, where), message = message,
      hint = hint }
  end
  local stop = {}
  local ok, config = pcall(data, value, {}, { count = 0 }, function(where, message)
    report(where, config_check.shown(where) .. ": " .. message)
    error(stop, 0)
  end)
  if not ok and config ~= stop then error(config, 0) end
  if ok and type(config) ~= "table" then
    report({}, "the config returns no table")
    problems[#problems].hint = "end it with: return { … }"
  elseif ok then
    config_check.check(config, report, folder)
  end
  if #problems > 0 then
    table.sort(problems, function(a, b)
      local x, y = tonumber(a.at:match(":(%d+)$")), tonumber(b.at:match(":(%d+)$"))
      if x ~= y then return x < y end
      return a.message < b.message
    end)
    problems = table.move(problems, 1, most_problems, 1, {})
    local lines = { problems[1].message }
    for i = 2, #problems do
      local problem = problems[i]
      lines[i] = ("%s: %s%s"):format(problem.at, problem.message,
        problem.hint and " (" .. problem.hint .. ")" or "")
    end
    local err = record.invalid(table.concat(lines, "\n"), problems[1].hint, problems[1].at)
    err.problems = problems
    error(err, 0)
  end
  for name, default in pairs(empty()) do
    if config[name] == nil then config[name] = default end
  end
  config.path = path
  return config
end

---@param path string?  default: the user's own config
---@return moonlet.Config
function M.load(path)
  path = path or M.path()
  local folder, name = (path or ""):match("^(.*)/([^/]+)$")
  local root = folder and core.file.root(folder == "" and "/" or folder)
  if not root or not core.file.stat(root, name) then
    -- Without this error, a misspelt path would silently drop the limits that the config sets.
    if path and path == core.host.config() then
      record.refuse(("there is no config %s"):format(core.text.printable(path, 400)),
        "the program that starts moonlet names it; it must be an absolute path", path)
    end
    return empty()
  end
  -- Follow a link, because many users keep their config in a folder of dotfiles.
  local text, err, cut = files.read_path(core.system.real_path(path) or path, source_cap)
  if not text then
    record.refuse(("cannot read the config %s: %s"):format(path, err.message), err.hint, path)
  end
  if cut then record.refuse(("the config %s is larger than 1 MB"):format(path), nil, path) end
  return M.read(text, path)
end

local current

---@return moonlet.Config
function M.current()
  current = current or M.load()
  return current
end

--- Replaces the current config, because a resumed run keeps the config that it started with.
function M.use(config) current = config end

function M.with_runners_alone(fn)
  local own, bare = M.current(), empty()
  bare.runners = own.runners
  M.use(bare)
  local ok, err = pcall(fn)
  M.use(own)
  if not ok then error(err, 0) end
end

return M
