--- `moonlet skill list|install|remove` manages pages that teach a main agent to use moonlet.
--- Skills are written into `.agents/skills`, which most agents read. Other agents get symbolic links.
local counted = require "moonlet.engine.base.counted"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local repository = require "moonlet.engine.run.repository"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

local names = { "sidecar", "orchestrate", "implement-plan", "supervise-session" }
local home_folder, file, marker = ".agents/skills", "SKILL.md", ".moonlet.json"
local read_cap = 1 << 20

--- Maps an agent that does not read .agents/skills to the folders in which it needs links.
local links = { codex = {}, opencode = {}, claude = { ".claude/skills" },
  gemini = { ".gemini/skills" } }
local default_links = { ".claude/skills" }

local known = {
  user = { help = "for all your repositories: in your home folder" },
  repo = { help = "only for this repository (default)" },
  json = { help = "print one JSON envelope and nothing else" },
  help = { help = "this text" },
}
local agent = { value = "AGENT", choices = { "claude", "codex", "gemini", "opencode" },
  help = "link them only for this agent: codex, claude, gemini or opencode (default: claude; "
    .. "codex and opencode need "
    .. "no link)" }

M.verbs = { list = { known = known }, remove = { known = known },
  install = { known = { agent = agent, user = known.user, repo = known.repo, json = known.json,
    help = known.help } } }

local function text_of(name) return require("moonlet.plugin.skills." .. name .. ".SKILL") end

local function place_of(found)
  if found.user and found.repo then options.refuse("--user and --repo exclude each other") end
  local path
  if found.user then
    path = core.system.env "HOME"
    if not path or path:sub(1, 1) ~= "/" then record.refuse("HOME names no folder", "set HOME") end
  else
    path = repository.open().top
  end
  local root, err = core.file.root(path)
  if not root then error(err, 0) end
  return { path = path, root = root }
end

local function read(place, path) return (core.file.read(place.root, path, read_cap)) end

local function check(done, err)
  if not done then error(err, 0) end
end

--- Returns the state and the version of an installed skill.
--- States: missing, current, outdated (another version), edited, foreign (not written by moonlet).
local function look(place, name)
  local folder = home_folder .. "/" .. name
  local text = read(place, folder .. "/" .. file)
  if not text then return { name = name, state = "missing", path = place.path .. "/" .. folder } end
  local ok, given = pcall(core.json.decode, read(place, folder .. "/" .. marker) or "")
  given = ok and type(given) == "table" and given or {}
  local hash, state = core.text.sha256(text), "current"
  if given.sha256 == nil and text ~= text_of(name) then
    state = "foreign"
  elseif given.sha256 ~= nil and given.sha256 ~= hash then
    state = "edited"
  elseif text ~= text_of(name) then
    state = "outdated"
  end
  return { name = name, state = state, version = given.version, path = place.path .. "/" .. folder }
end

local function chosen(rest)
  local list = {}
  local is_known = {}
  for _, name in ipairs(names) do is_known[name] = true end
  for i, word in ipairs(rest) do
    if not is_known[word] then
      options.refuse(("there is no skill '%s'"):format(core.text.printable(word, 60)),
        record.suggest(word, names))
    end
    list[i] = word
  end
  return #list > 0 and list or names
end

local function write(place, name)
  local folder = home_folder .. "/" .. name
  check(core.file.make_dirs(place.root, folder))
  check(core.file.write(place.root, folder .. "/" .. file, text_of(name)))
  check(core.file.write(place.root, folder .. "/" .. marker,
    core.json.encode({ version = core.system.version, sha256 = core.text.sha256(text_of(name)) },
      2) .. "\n"))
end

--- Links a skill for other agents. Returns the path that is in the way, if any.
local function link(place, name, where)
  local folder = place.path .. "/" .. where
  if core.system.real_path(folder .. "/" .. name) == core.system.real_path(place.path .. "/"
      .. home_folder .. "/"
    .. name) then return nil end
  if core.file.stat(place.root, where .. "/" .. name) then
    return ("%s/%s is in the way of a link"):format(folder, name)
  end
  check(core.file.make_dirs(place.root, where))
  local dir, err = core.file.root(folder)
  check(dir, err)
  check(core.file.link(dir, name, ("../../%s/%s"):format(home_folder, name)))
end

local words_of = { current = "is up to date", outdated = "is of version %s",
  edited = "was edited", missing =
  "is not installed", foreign = "is not moonlet's" }

local function state_text(row)
  return ("%-18s %s"):format(row.name, words_of[row.state]:format(row.version or "?"))
end

local function envelope(rows, text)
  return options.envelope { skills = core.json.array(rows), version = core.system.version }, 0, text
end

local function list(found, rest)
  local place, rows, lines = place_of(found), {}, {}
  for i, name in ipairs(chosen(rest)) do
    rows[i] = look(place, name)
    lines[i] = state_text(rows[i])
  end
  lines[#lines + 1] = ("in %s/%s; this moonlet is %s"):format(place.path, home_folder,
    core.system.version)
  return envelope(rows, table.concat(lines, "\n") .. "\n")
end

local function further_steps()
  local ok, config = pcall(function() return require("moonlet.engine.load.config").current() end)
  local lines = { "Register the tools with your agent, once:",
    "  codex mcp add moonlet -- moonlet mcp", "  claude mcp add moonlet -- moonlet mcp" }
  if ok and not (config.mcp and config.mcp.presets) then
    lines[#lines + 1] = ("Allow what it may run, in %s:"):format(
      require("moonlet.engine.load.config").user_path()
      or "config.lua")
    lines[#lines + 1] =
      '  return { runner = "codex", mcp = { presets = { "triangulated-review", "sidecar" } } }'
  end
  return table.concat(lines, "\n") .. "\n"
end

local function install(found, rest)
  local place, rows, lines = place_of(found), {}, {}
  if found.agent and not links[found.agent] then
    options.refuse(("--agent '%s' is not known"):format(core.text.printable(found.agent, 40)),
      record.suggest(found.agent, agent.choices))
  end
  for i, name in ipairs(chosen(rest)) do
    local row = look(place, name)
    if row.state == "edited" or row.state == "foreign" then
      check(core.file.write(place.root, ("%s/%s/%s.new"):format(home_folder, name, file),
        text_of(name)))
      lines[#lines + 1] =
        ("%-18s %s and stays; the text of %s is beside it: %s/%s.new"):format(name,
        words_of[row.state], core.system.version, row.path, file)
      row.kept = true
    else
      write(place, name)
      lines[#lines + 1] = ("%-18s %s/%s"):format(name, row.path, file)
      row.state, row.version = "current", core.system.version
    end
    for _, where in ipairs(found.agent and links[found.agent] or default_links) do
      local problem = link(place, name, where)
      if problem then lines[#lines + 1] = ("%-18s %s"):format("", problem) end
    end
    rows[i] = row
  end
  lines[#lines + 1] = further_steps()
  return envelope(rows, table.concat(lines, "\n"))
end

local function unlink(place, name)
  for _, where in ipairs { ".claude/skills", ".gemini/skills" } do
    local path = where .. "/" .. name
    local stat = core.file.stat(place.root, path)
    if stat and stat.type == "link" then check(core.file.remove(place.root, path)) end
  end
end

local function remove(found, rest)
  local place, rows, lines, count = place_of(found), {}, {}, 0
  for i, name in ipairs(chosen(rest)) do
    local row = look(place, name)
    if row.state == "edited" or row.state == "foreign" then
      lines[#lines + 1] = ("%-18s %s and stays: %s"):format(name, words_of[row.state], row.path)
    elseif row.state ~= "missing" then
      unlink(place, name)
      check(core.file.remove(place.root, home_folder .. "/" .. name))
      row.state, count = "missing", count + 1
    end
    rows[i] = row
  end
  lines[#lines + 1] = counted(count, "skill") .. " removed"
  return envelope(rows, table.concat(lines, "\n") .. "\n")
end

local actions = { list = list, install = install, remove = remove }

function M.main(words)
  local name = words[2]
  return actions[name](verbs.read("skill " .. name, words, M.verbs[name].known))
end

return M
