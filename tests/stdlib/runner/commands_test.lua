-- Compares the command line of each runner, for each sandbox and option, word by word with commands.txt.
local names = { "codex", "claude", "gemini", "opencode" }
local variants = {
  { "read-only", {} },
  { "workspace-write", { sandbox = "workspace-write" } },
  { "workspace-write, network, web, a folder", { sandbox = "workspace-write", network = true, web_search = true,
    writable = { "/w/build" } } },
  { "read-only, network", { network = true } },
  { "held by the host, writing", { sandbox = "workspace-write", confine = "host" } },
  { "model and role", { model = "m-1", role = 'build "it"\n' } },
  { "the config's model and arguments", { config = { model = "m-2", env = { "ACME_TOKEN", "LANG2" },
    args = { "-c", "model_provider=acme" } } } },
  { "a schema", { schema = { type = "object", properties = { a = { type = "string" }, b = { type = "integer" } },
    required = core.json.array { "a" } }, schema_file = "/run/out/schema.json" } },
  { "a schema that is no object", { schema = { type = "array", items = { type = "string" } },
    schema_file = "/run/out/schema.json" } },
  { "a schema with free-form parts", { schema = { type = "object" }, schema_file = "/run/out/schema.json" } },
  { "private", { private = true } },
  { "a home of the config", { config = { home = "~/other" } } },
}

local lines = {}
local function add(text) lines[#lines + 1] = text end
local function word(text)
  text = text:gsub(scratch:gsub("%p", "%%%0"), "$HOME")
  if text:find("^[%w_@%%+=:,./$-]+$") then return text end
  return core.json.encode(text)
end
local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

for _, name in ipairs(names) do
  local runner = require("moonlet.engine.runner." .. name)
  for _, variant in ipairs(variants) do
    local call = { prompt = "do it", prompt_file = "/run/prompt.md", out = "/run/out", cwd = "/w", program = "/opt/" .. name,
      sandbox = "read-only", scratch = "/run/scratch", attempt = 1 }
    for key, value in pairs(variant[2]) do call[key] = value end
    local made = runner.command(call)
    add(("## %s: %s"):format(name, variant[1]))
    local words = {}
    for i, item in ipairs(made.argv) do words[i] = word(item) end
    add(table.concat(words, " "))
    for _, key in ipairs(sorted(made.env)) do add(("env %s=%s"):format(key, word(made.env[key]))) end
    for _, path in ipairs(sorted(made.files)) do add(("file %s %s"):format(path, (made.files[path]:gsub("%s+", " ")))) end
    for i, path in ipairs(made.state_dirs) do words[i] = word(path) end
    add("state " .. table.concat(words, " ", 1, #made.state_dirs))
    add(("sandbox %s, stdin %s, answer %s, writable %s"):format(made.sandbox, made.stdin, made.answer_file or "-",
      table.concat(made.writable, " ")))
    for i, path in ipairs(made.reads or {}) do words[i] = word(path) end
    if made.reads and #made.reads > 0 then add("reads " .. table.concat(words, " ", 1, #made.reads)) end
    for _, warning in ipairs(made.warnings) do add("warning " .. warning) end
    is(made.argv[1], "/opt/" .. name, "the program of " .. name)
    if variant[1] == "read-only" or call.config then add("passed " .. table.concat(made.env_names, " ")) end
  end
end
-- MOONLET_KEEP=FOLDER in the environment of the test writes the generated command lines to that folder.
local keep = core.system.env "MOONLET_KEEP"
if keep then put_file(keep, "commands.txt", table.concat(lines, "\n") .. "\n") end
local at = 0
for wanted in (read_case "commands.txt" or ""):gmatch("[^\n]+") do
  at = at + 1
  is(lines[at], wanted, "line " .. at .. " of commands.txt")
end
is(at, #lines, "lines of commands.txt")
