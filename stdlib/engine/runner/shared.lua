--- Helps runners to build command lines: finds programs, checks prompts, selects environment
--- variables. A prompt reaches the CLI unchanged, or the call is rejected.
local record = require "moonlet.record"
local text_of = require "moonlet.text"

local M = {}

--- Allows a CLI a single retry, for a dropped connection. The host does all other retries.
M.retries = 1

local longest_argument = 128 * 1024 - 1

---@class moonlet.RunnerCall
---@field prompt string
---@field prompt_file string   absolute path of the file with the prompt
---@field out string           absolute path of the directory in which the agent may write
---@field cwd string           absolute path
---@field program string?      path from detect()
---@field model string?
---@field role string?
---@field sandbox "read-only"|"workspace-write"
---@field network boolean?     tools may use the network
---@field web_search boolean?
---@field top string?         top of the repository, which may differ from `cwd`
---@field continues string?   session of an earlier call to continue
---@field turns integer?      maximum number of the model's answers
---@field schema table?        JSON Schema of the answer
---@field schema_file string?  path to which the schema may be written for the CLI
---@field writable string[]?   writable paths beside `out`; nil: the working folder
---@field startup_files boolean?  true if the agent may write startup files
---@field timeout_ms integer?
---@field confine "runner"|"host"|nil  sandbox to use: the runner's own or the host's
---@field private boolean?     use a separate state directory, under `scratch`
---@field scratch string?      absolute path of a temporary directory
---@field attempt integer?
---@field config table?        the runner's entry of the user's config

---@class moonlet.RunnerCommand
---@field argv string[]
---@field env table<string, string>     variables to set for the child
---@field env_names string[]            variables to pass on from the user's environment
---@field stdin "prompt"|"none"         "prompt": write prompt_file to standard input, then close it
---@field files table<string, string>   files to write before the start: absolute path -> text
---@field state_dirs string[]           writable state of the CLI; paths under `scratch` are created
---@field folders string[]?             folders to create that are not writable for the CLI
---@field links table<string, string[]>?  folder to create -> absolute targets of its symbolic links
---@field answer_file string?           file to which the CLI writes the agent's last message
---@field sandbox "runner"|"host"       enforcer of call.sandbox
---@field writable string[]             paths that the host's sandbox makes writable
---@field reads string[]?               instruction files that the CLI reads by itself
---@field warnings string[]

function M.home_path(path)
  local home = core.system.env "HOME"
  if path:sub(1, 1) == "~" and (#path == 1 or path:sub(2, 2) == "/") and home and home ~= "" then
    return home .. path:sub(2)
  end
  return path
end

function M.parent(path) return path and path:match("^(.+)/[^/]+$") end

function M.find(program)
  local path = core.system.find_program(M.home_path(program))
  if path then return path end
  if program:find("/", 1, true) then return nil, program .. " is not an executable program" end
  return nil, ("'%s' is not in PATH"):format(program)
end

function M.is_script(path)
  local root = core.file.root(M.parent(path) or "/")
  local head = root and core.file.read(root, path:match("[^/]+$"), 64)
  return head ~= nil and head:sub(1, 2) == "#!"
end

function M.is_native(path)
  return core.system.find_program(path) ~= nil and not M.is_script(path)
end

--- Finds a runner's program. If it is npm's wrapper script, finds the native program, which is in one
--- of the paths that `places(wrapper)` returns.
function M.detect(runner, config, places)
  local found, why = M.find(config and config.program or runner.program)
  if not found then return nil, why end
  local real = core.system.real_path(found) or found
  for _, path in ipairs(places and M.is_script(real) and places(real) or {}) do
    if M.is_native(path) then return { path = path, wrapper_of = found } end
  end
  return { path = found }
end

--- Appends the model and the user's own arguments to a command line.
---@param option string  the CLI's option for the model, "-m" or "--model="
function M.add_words(argv, call, option)
  local config = call.config or {}
  local model = call.model or config.model
  if model and option:find("=$") then
    argv[#argv + 1] = option .. model
  elseif model then
    table.move({ option, model }, 1, 2, #argv + 1, argv)
  end
  table.move(config.args or {}, 1, #(config.args or {}), #argv + 1, argv)
end

--- Removes the lines of the program's own log from its standard error.
function M.without_log(runner, state, text)
  local lines = {}
  for line in (text or ""):gmatch("[^\r\n]+") do
    if not state.log_was_read then runner.log(state, line) end
    if not line:find(runner.log_line) then lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n")
end

--- Plans symbolic links to all entries of `folder` except those in `names`. Returns nil if the
--- folder has none of these names.
---@param folder string   absolute
---@param place string?   where the folder of links will be created
---@return string? place, table<string, string[]>? links  the field `links` of moonlet.RunnerCommand
function M.without(folder, names, place)
  local root = core.file.root(folder)
  local targets, hidden, is_hidden = {}, {}, false
  for _, name in ipairs(names) do hidden[name] = true end
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    if hidden[entry.name] then
      is_hidden = true
    else
      targets[#targets + 1] = folder .. "/" .. entry.name
    end
  end
  if not (is_hidden and place) then return nil end
  return place, { [place] = targets }
end

--- Returns the first `cap` bytes of a file, or nil if the file cannot be read.
---@param path string  absolute
function M.read_file(path, cap)
  local folder, name = (core.system.real_path(path) or path):match "^(/.*)/([^/]+)$"
  local root = folder and core.file.root(folder)
  local text, cut
  local _
  if root then text, _, cut = core.file.read(root, name, cap) end
  return text, cut
end

--- Rejects a prompt that the CLI would not receive unchanged.
---@param limits {bytes: integer?, characters: integer?, slash: boolean?}
function M.check_prompt(title, prompt, limits)
  if not prompt:find("%S") then record.refuse("the prompt is empty") end
  if not core.text.is_utf8(prompt) then
    record.refuse(("%s accepts only UTF-8, and the prompt has other bytes"):format(title),
      "pass such text through core tools first, or name the file for the agent to read")
  end
  if limits.bytes and #prompt > limits.bytes then
    record.refuse(("the prompt is %d bytes long, and %s takes at most %d"):format(#prompt, title,
      limits.bytes), "let the agent read large inputs from files")
  end
  local length = limits.characters and (utf8.len(prompt) or #prompt)
  if length and length > limits.characters then
    record.refuse(("the prompt is %d characters long, and %s takes at most %d"):format(length,
      title, limits.characters), "let the agent read large inputs from files")
  end
  if limits.slash and prompt:sub(1, 1) == "/" then
    record.refuse(("%s takes a prompt that begins with '/' for a command of its own"):format(title),
      "begin it with a word")
  end
end

function M.check_argv(title, argv)
  for i, word in ipairs(argv) do
    if type(word) ~= "string" or word:find("\0", 1, true) then
      record.refuse(("argument %d for %s must be text without NUL bytes"):format(i, title))
    end
    if #word > longest_argument then
      record.refuse(("argument %d for %s is %d bytes long; the system allows %d"):format(i,
        title, #word, longest_argument))
    end
  end
end

function M.fits(text) return #text <= longest_argument and not text:find("\0", 1, true) end

local proxies = { "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy",
  "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR" }

--- Returns the names of the variables that an agent gets from the user's environment: proxy settings,
--- those of its runner (`own`), and those that the config grants.
function M.env_names(own, granted)
  local list, seen = {}, {}
  for _, names in ipairs { proxies, own, granted or {} } do
    for _, name in ipairs(names) do
      if not seen[name] then list[#list + 1] = name end
      seen[name] = true
    end
  end
  return list
end

--- Returns the variables that tools must not see: the runner's keys, and granted secrets.
function M.secret_names(own, granted)
  local list = { table.unpack(own) }
  for _, name in ipairs(granted or {}) do
    if text_of.word(name, { "key", "token", "secret", "password", "credential" }) then
      list[#list + 1] = name
    end
  end
  return list
end

--- Reports whether a variable is set and visible to the runner.
function M.has(config, name)
  local value = core.system.env(name)
  if value and value ~= "" then return true end
  for _, granted in ipairs(config and config.env or {}) do
    if granted == name then return core.system.env(name) ~= nil end
  end
  return false
end

--- Returns the paths that the tools of an agent may write.
function M.writable(call)
  local list = { call.out }
  if call.sandbox == "workspace-write" then
    for _, path in ipairs(call.writable or { call.cwd }) do list[#list + 1] = path end
  end
  return list
end

function M.role_line(role) return "Your role in this task: " .. role .. "." end

return M
