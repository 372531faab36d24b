--- The options of `moonlet run`, and its help.
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local reference = require "moonlet.engine.cli.doc.reference"
local runner_names = require "moonlet.engine.runner.names"
local findings = require "moonlet.findings"
local page = require "moonlet.engine.base.page"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.all = { -- the common ones stand in the short help
  ["repo"] = { value = "DIR", help = "the repository or folder to work in (default: here)" },
  ["title"] = { value = "TEXT", help = "a title for the record" },
  ["phase"] = { value = "NAME", help = "the phase of the work, for the record" },
  ["task-type"] = { value = "NAME",
    help = "the kind of work, as in test-gaps: what --runner route goes by; what no sidecar should do is refused" },
  ["risk"] = { value = "low|medium|high", help = "what is at stake (default low); high is refused as such work is" },
  ["task-id"] = { common = true, value = "ID", help = "the name of the artifact directory" },
  ["runner"] = { common = true, value = "R[,R…]", many = true,
    help = "mock (answers are made up), " .. table.concat(runner_names.programs, ", ") .. ", "
      .. "one of your config, 'command:PROGRAM ARG…', or route: chosen by task type and risk" },
  ["offline"] = { common = true, help = "the preset's answer without an agent" },
  ["model"] = { common = true, value = "NAME", help = "the model that the runner is asked for" },
  ["sandbox"] = { common = true, value = "read-only|workspace-write",
    help = "what agents may write (default read-only)" },
  ["unconfined"] = { help = "start agents without the host's sandbox, with your own rights" },
  ["agent-role"] = { value = "ROLE", help = "the role that the agent is given" },
  ["input"] = { common = true, value = "SPEC", many = true,
    help = "what may be inspected: file:, glob:, cmd:, diff:, or the obvious one" },
  ["budget"] = { common = true, value = "KIND=N,…", many = true,
    help = "wall=20m, agents=10, processes=100, tokens=200000, usd=4, or none" },
  ["prompt-tokens"] = { value = "N",
    help = "the most tokens of each agent's prompt, an estimate: material that does not fit is left out, and named" },
  ["limit"] = { value = "N", help = "how many agents or commands at once (default 8)" },
  ["allow"] = { common = true, value = "GRANT", many = true,
    help = "needs, agents, all, run=PROGRAM,…, read=DIR, write=DIR, env=NAME" },
  ["compare"] = { help = "several runners: side by side on the same prompt, not in turn" },
  ["edit-prompt"] = { help = "open the prompt in $VISUAL or $EDITOR before anything is started" },
  ["parent"] = { value = "RUN", help = "the first run of the comparison", hidden = true },
  ["if-ready"] = { help = "only as long as the packet is ready, and has no run", hidden = true },
  ["dry-run"] = { common = true, help = "make the prompts and the record; start no agent" },
  ["prepared"] = { value = "ID", help = "run what --dry-run prepared" },
  ["gates"] = { value = "park|deny", help = "what a gate does without a person (default park)" },
  ["fail-on"] = { value = "SEVERITY", choices = findings.severities,
    help = "end with exit code 7 if a finding is critical, high, medium, low or info, or graver than that" },
  ["format"] = { value = "lines|github|sarif",
    help = "print the findings in this form in place of the report" },
  ["background"] = { common = true, help = "print the id of the run and leave it to a process of its own" },
  ["asked-by"] = { value = "JSON", help = "the MCP client that asks, for the record; its rights hold", hidden = true },
  ["detached"] = { help = "this process is the one that --background left", hidden = true },
  ["record"] = { value = "DIR", help = "keep what agents are given and give, for --runner cassette:DIR" },
  ["reason"] = { value = "TEXT", help = "why this run is made, for the record; forces work that is refused" },
  ["plain"] = { help = "as --verbose", hidden = true },
  ["verbose"] = { letter = "v", help = "a line for each event on stderr, in place of the live view" },
  ["json"] = { common = true, help = "print one JSON envelope and nothing else" },
  ["events"] = { help = "print events as JSON lines while they happen" },
  ["help"] = { common = true, help = "this text; with a preset also its arguments" },
}

--- The options of `moonlet run` and the arguments of a preset, which have the field `arg`.
---@param preset table
---@return table<string, moonlet.Option>
function M.of_preset(preset)
  local all = {}
  for name, option in pairs(M.all) do all[name] = option end
  for name, declared in pairs(preset.args) do
    local option_name = name:gsub("_", "-")
    if M.all[option_name] then
      error(record.invalid(("preset %s: the argument '%s' is an option of moonlet run already"):format(
        preset.name, name), "give it another name"), 0)
    end
    local parts = { declared.help or "" }
    if declared.choices then parts[#parts + 1] = "one of " .. table.concat(declared.choices, ", ") end
    if declared.required then parts[#parts + 1] = "required" end
    if declared.positional then parts[#parts + 1] = ("the word --%s may be left out"):format(option_name) end
    local default = declared.default
    if type(default) == "table" then default = table.concat(default, ",") end
    if default ~= nil and default ~= "" then parts[#parts + 1] = "default " .. tostring(default) end
    all[option_name] = {
      value = declared.type ~= "boolean" and declared.type:upper() or nil,
      many = declared.many,
      help = table.concat(parts, "; "):gsub("^; ", ""), arg = name,
      choices = declared.choices, positional = declared.positional,
    }
  end
  return all
end

--- The option that takes the words without a name; nil if the preset has none.
---@param all table<string, moonlet.Option>
---@return string? name, moonlet.Option? option
function M.positional(all)
  for name, option in pairs(all) do
    if option.positional then return name, option end
  end
end

--- A line for each kind of argument of a preset, from the annotation of m.arg.KIND.
local function kinds_text(preset)
  local kinds, names, lines = {}, {}, {}
  for _, declared in pairs(preset.args) do kinds[declared.type] = true end
  for kind in pairs(kinds) do
    if kind ~= "boolean" and reference.kind_of_argument(kind) then names[#names + 1] = kind end
  end
  table.sort(names)
  for _, kind in ipairs(names) do
    page.row(lines, page.out(), 2, kind:upper(), 12, reference.kind_of_argument(kind))
  end
  return table.concat(lines, "\n")
end

--- The help of `moonlet run`, or of a preset.
---@param preset table?
---@param all table<string, moonlet.Option>?  of_preset(preset)
---@param is_whole boolean  with the options that are rare
---@return string
function M.help(preset, all, is_whole)
  if not preset then return verbs.help(verbs.find { "run" }, M.all, is_whole) end
  local own, common = {}, {}
  for name, option in pairs(all) do
    if option.arg then own[name] = option else common[name] = option end
  end
  local lines = page.wrap(preset.summary, page.out().columns)
  local positional = M.positional(all)
  lines[#lines + 1] = ("\nusage: moonlet run %s%s [arguments] [options]\n"):format(preset.name,
    positional and (" [%s]"):format(positional:upper()) or "")
  if next(own) then
    lines[#lines + 1] = "arguments:\n" .. options.help(own) .. "\n\n" .. kinds_text(preset) .. "\n"
  end
  lines[#lines + 1] = verbs.options_text("run " .. preset.name, common, is_whole) .. "\n"
  return table.concat(lines, "\n")
end

return M
