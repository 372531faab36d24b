--- Declares the options of `moonlet run`, and formats its help.
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local reference = require "moonlet.engine.cli.doc.reference"
local runner_names = require "moonlet.engine.runner.names"
local sorted_keys = require "moonlet.engine.base.sorted_keys"
local findings = require "moonlet.findings"
local page = require "moonlet.engine.base.page"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

-- Build the help of --runner only when it is printed, because it needs the user's config.
local runner_help = { __index = function(_, key)
  if key ~= "help" then return nil end
  local names = require("moonlet.engine.load.runners").own_names()
  local others = { "command:PROGRAM", "mock", table.unpack(runner_names.programs) }
  table.move(others, 1, #others, #names + 1, names)
  return table.concat(names, ", ")
    .. ", one of your config, or route (by task type and risk). mock makes "
    .. "answers up; 'command:PROGRAM ARG…' is any program; several runners take turns"
end }

M.all = {
  ["repo"] = { value = "DIR", help = "the repository or folder to work in (default: here)" },
  ["help"] = { help = "this text; with a preset also its arguments" },
  ["parent"] = { value = "RUN", help = "the first run of the comparison", hidden = true },
  ["if-ready"] = { help = "only as long as the packet is ready, and has no run", hidden = true },
  ["detached"] = { help = "this process is the one that --background left", hidden = true },
  ["plain"] = { help = "as --verbose", hidden = true },
}

--- Adds the options of a group. The short help has only common options.
local function add(group, list)
  for name, option in pairs(list) do
    option.group, M.all[name] = group, option
  end
end

add("agents", {
  ["runner"] = setmetatable({ common = true, value = "R[,R…]", many = true }, runner_help),
  ["offline"] = { common = true, help = "the preset's answer without an agent" },
  ["model"] = { common = true, value = "NAME", help = "the model that the runner is asked for" },
  ["input"] = { common = true, value = "SPEC", many = true,
    help = "a path, a glob, file:, glob:, cmd:, diff:, or - for stdin" },
  ["compare"] = { common = true, help = "run several runners side by side; print a table of them" },
  ["edit-prompt"] = { help = "open the prompt in $VISUAL or $EDITOR before anything is started" },
  ["limit"] = { value = "N", help = "how many agents or commands at once (default 8)" },
  ["prompt-tokens"] = { value = "N",
    help = "the most tokens of each agent's prompt, an estimate: material that does not fit is "
      .. "left out, and named" },
})
add("rights and limits", {
  ["allow"] = { common = true, value = "GRANT", many = true,
    help = "needs, all, agents, run=NAME, read=DIR, write=DIR, env=NAME, host=NAME" },
  ["budget"] = { common = true, value = "KIND=N,…", many = true,
    help = "wall=20m, agents=9, processes=9, tokens=90000, usd=4, none" },
  ["sandbox"] = { common = true, value = "read-only|workspace-write",
    help = "what agents may write (default read-only)" },
  ["on"] = { value = "MACHINE",
    help = "run the steps on a machine of the config: ssh:NAME or slurm[:PARTITION]" },
  ["unconfined"] = { help = "start agents without the host's sandbox, with your own rights" },
  ["gates"] = { value = "park|deny", help = "what a gate does without a person (default park)" },
})
add("output", {
  ["dry-run"] = { common = true, help = "make the prompts, print the worst cost; start no agent" },
  ["prepared"] = { value = "ID", help = "run what --dry-run prepared" },
  ["fail-on"] = { value = "SEVERITY", choices = findings.severities,
    help = "end with exit code 7 if a finding is critical, high, medium, low or info, or graver "
      .. "than that" },
  ["format"] = { value = "lines|github|sarif",
    help = "print the findings in this form in place of the report" },
  ["background"] = { common = true,
    help = "print the id of the run, and leave it to another process" },
  ["asked-by"] = { value = "JSON",
    help = "the MCP client that asks, for the record; its rights hold", hidden = true },
  ["verbose"] = { letter = "v",
    help = "a line for each event on stderr, in place of the live view" },
  ["json"] = { common = true, help = "print one JSON envelope and nothing else" },
  ["events"] = { help = "print events as JSON lines while they happen" },
})
add("record", {
  ["title"] = { value = "TEXT", help = "a title" },
  ["phase"] = { value = "NAME", help = "the phase of the work" },
  ["task-type"] = { value = "NAME",
    help = "the kind of work, as in test-gaps: --runner route chooses by it, and work that is "
      .. "unfit for a sidecar "
      .. "is refused unless --reason is given" },
  ["risk"] = { value = "low|medium|high",
    help = "the risk of the work (default low); high risk is refused "
    .. "unless --reason is given" },
  ["task-id"] = { value = "ID", help = "the name of the folder with its artifacts" },
  ["agent-role"] = { value = "ROLE", help = "the role that the agent is given" },
  ["reason"] = { value = "TEXT", help = "why this run is made; forces work that is refused" },
  ["record"] = { value = "DIR",
    help = "record the agents' prompts and answers, for --runner cassette:DIR" },
})

--- Returns the options of `moonlet run`, and an option for each argument of a preset.
--- The field `arg` of such an option is the argument's name.
function M.of_preset(preset)
  local all = {}
  for name, option in pairs(M.all) do all[name] = option end
  for name, declared in pairs(preset.args) do
    local option_name = name:gsub("_", "-")
    if M.all[option_name] then
      record.refuse(("preset %s: the argument '%s' is an option of moonlet run already"):format(
        preset.name, name), "give it another name")
    end
    local parts = { declared.help }
    if declared.choices then
      parts[#parts + 1] = "one of " .. table.concat(declared.choices, ", ")
    end
    if declared.required then table.insert(parts, 1, "required") end
    local default = declared.default
    if type(default) == "table" then default = table.concat(default, ",") end
    if default and default ~= "" then parts[#parts + 1] = "default " .. tostring(default) end
    all[option_name] = {
      value = declared.type ~= "boolean" and declared.type:upper() or nil,
      many = declared.many,
      help = table.concat(parts, "; "), arg = name, group = "arguments",
      choices = declared.choices, positional = declared.positional,
    }
  end
  return all
end

--- Finds the option that takes the positional arguments of a command line; nil if there is none.
function M.positional(all)
  for name, option in pairs(all) do
    if option.positional then return name, option end
  end
end

--- Lists the kinds of arguments that a preset uses, each with its description (m.arg.KIND).
local function kinds_text(preset)
  local kinds, lines = {}, {}
  for _, declared in pairs(preset.args) do
    kinds[declared.type] = declared.type ~= "boolean"
      and reference.kind_of_argument(declared.type) or nil
  end
  for _, kind in ipairs(sorted_keys(kinds)) do
    page.row(lines, page.out(), 2, kind:upper(), 12, kinds[kind])
  end
  return table.concat(lines, "\n")
end

--- Formats the help of `moonlet run`, or of a preset.
---@param all table<string, moonlet.Option>?  result of of_preset()
---@param is_whole boolean  include rare options
function M.help(preset, all, is_whole)
  if not preset then return verbs.help(verbs.find { "run" }, M.all, is_whole) end
  local own = {}
  for name, option in pairs(all) do own[name] = option.arg and option or nil end
  local lines, positional = page.wrap(preset.summary, page.out().columns), M.positional(all)
  lines[#lines + 1] = ("\nusage: moonlet run %s%s%s [options]\n"):format(preset.name,
    positional and (" [%s]"):format(positional:upper()) or "", next(own) and " [arguments]" or "")
  if is_whole then
    lines[#lines + 1] = options.help(all) .. (next(own) and "\n\n" .. kinds_text(preset)
      or "") .. "\n"
    return table.concat(lines, "\n")
  end
  if next(own) then lines[#lines + 1] = options.help(own, true) .. "\n" end
  lines[#lines + 1] = ("more: moonlet run --help; moonlet run %s --help all\n"):format(preset.name)
  return table.concat(lines, "\n")
end

return M
