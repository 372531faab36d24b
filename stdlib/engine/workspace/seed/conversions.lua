--- Reports whether git may convert files, so that git's objects differ from the work tree's files.
--- Git converts files only by its attributes and settings, so these are checked, not each file.
--- Attributes are set in the work tree's folders, and in files of the repository, user and system.
local files = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"

local M = {}

local name = ".gitattributes"
local cap = 1 << 20

--- Returns the attribute files outside of the work tree.
local function outer_files(common, user_file)
  local home, config = core.system.env "HOME", core.system.env "XDG_CONFIG_HOME"
  if not config or config == "" then config = home and home .. "/.config" end
  local git = core.system.find_program "git"
  local prefix = git and (core.system.real_path(git) or git):match "^(.*)/[^/]+/[^/]+$"
  return { common .. "/info/attributes", user_file or config and config .. "/git/attributes",
    "/etc/gitattributes", prefix and prefix .. "/etc/gitattributes" }
end

--- Returns the text of all attribute files, or nil if one of them cannot be read.
local function attributes_of(run, facts, user_file)
  local root, common = files.must(core.file.root(run.top)), select(3, host_git.dirs(run.top))
  local paths, texts, tracked = {}, {}, {}
  for i, folder in ipairs(facts.folders) do
    paths[i] = folder == "" and name or folder .. "/" .. name
  end
  for _, path in ipairs(facts.attributes) do tracked[path] = true end
  local sizes = files.must(core.tree.sizes(root, paths))
  for i, path in ipairs(paths) do
    if sizes[i] >= 0 then
      local text, _, cut = core.file.read(root, path, cap)
      if not text or cut then return nil end
      texts[#texts + 1] = text
    elseif tracked[path] then
      -- If the file is missing in the work tree, git reads its version in the index instead.
      return nil
    end
  end
  if not common then return nil end
  for _, path in pairs(outer_files(common, user_file)) do
    if path:sub(1, 1) ~= "/" then return nil end
    local text, err, cut = files.read_path(path, cap)
    if cut or not text and err.kind ~= "invalid" then return nil end
    texts[#texts + 1] = text
  end
  return table.concat(texts, "\n")
end

---@class moonlet.ConversionSettings
---@field line_ends boolean   git's config may convert line ends
---@field user_file string?   attribute file that the config names

--- Returns git's settings that may convert files.
---@param run table
---@return moonlet.ConversionSettings
function M.settings(run)
  local set, home = host_git.settings(run), core.system.env "HOME"
  local file = set["core.attributesfile"]
  local below_home = file and file:match "^~(/.*)$"
  local function is_on(setting) return set[setting] ~= nil and set[setting] ~= "false" end
  return { line_ends = is_on "core.autocrlf" or is_on "core.eol",
    user_file = below_home and (home or "~") .. below_home or file }
end

---@param run table
---@param set moonlet.ConversionSettings
---@param facts moonlet.IndexFacts
---@return boolean filters   a program or an encoding may convert files
---@return boolean line_ends  line ends may be converted
function M.possible(run, set, facts)
  local text = attributes_of(run, facts, set.user_file)
  if not text then return true, true end
  local filters = text:find "filter" or text:find "ident" or text:find "working%-tree%-encoding"
  return filters ~= nil,
    set.line_ends or text:find "text" ~= nil or text:find "eol" ~= nil or text:find "crlf" ~= nil
end

return M
