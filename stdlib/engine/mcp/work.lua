--- Defines the MCP tools for packets and reviews. The tools create drafts, but cannot approve or merge.
local answers = require "moonlet.engine.mcp.answers"
local client_rights = require "moonlet.engine.load.client_rights"
local command = require "moonlet.engine.mcp.command"
local config = require "moonlet.engine.load.config"
local packets = require "moonlet.engine.task.packets"
local runs = require "moonlet.engine.mcp.runs"
local validation = require "moonlet.engine.effects.validation"

local M = {}

local patch_cap = 6000

--- Returns the option --validate-cmds for a check that a client requests. Raises an error unless
--- the config allows the check's program.
local function check_word(rights, text)
  if text:find "[,\n]" then
    error({ kind = "invalid", message = "a check cannot contain a comma or a newline",
      hint = "give a check for each" }, 0)
  end
  local _, command_text = validation.split_kind(text, "checks")
  client_rights.check_program(rights, validation.words_of(command_text, "checks")[1])
  return "--validate-cmds=" .. text
end

local function task_create(call)
  local given, words = call.arguments,
    { "task", "create", "--repo", call.home.top, "--status", "draft" }
  for _, name in ipairs { "title", "summary", "goal", "preset" } do
    if given[name] then words[#words + 1] = ("--%s=%s"):format(name, given[name]) end
  end
  if given.preset then client_rights.check_preset(call.server.rights, given.preset) end
  for _, spec in ipairs(given.inputs or {}) do
    words[#words + 1] = "--input=" .. runs.input_word(spec)
  end
  for _, id in ipairs(given.depends_on or {}) do words[#words + 1] = "--depends-on=" .. id end
  for _, text in ipairs(given.checks or {}) do
    words[#words + 1] = check_word(call.server.rights, text)
  end
  local packet = command.run(words).result
  return answers.result(("%s is a draft: %s\nThe user may edit it; task_start runs it."):format(
    packet.id, packet.file),
    { task = { id = packet.id, title = packet.title, status = packet.status, file = packet.file } })
end

local function task_start(call)
  local packet, rights = packets.get(call.home, call.arguments.task), call.server.rights
  client_rights.check_preset(rights, packet.preset or "task")
  client_rights.check_packet(rights, packet, validation.words_of, config.current().runner)
  local words = { packet.id }
  if #packet.validation > 0 then
    words[#words + 1], words[#words + 2] = "--allow", "run=" .. table.concat(rights.programs, ",")
  end
  return runs.drive(call, words)
end

local function review_list(call)
  local reviews, lines = command.run({ "review", "list", "--repo", call.home.top }).result.reviews,
    {}
  for i, row in ipairs(reviews) do
    lines[i] = ("%s  %s  %s"):format(row.run, tostring(row.task),
      core.text.printable(tostring(row.title), 80))
  end
  return answers.result(#lines > 0 and table.concat(lines, "\n") or "nothing waits for a review",
    { reviews = reviews })
end

local function review(call)
  if not call.arguments.run then return review_list(call) end
  local id = runs.find(call)
  local envelope = command.run { "review", "show", id, "--repo", call.home.top }
  local found, run = envelope.result, envelope.run
  local patch = type(found.patch) == "string" and found.patch or nil
  local is_long = patch and #patch > patch_cap
  local file = run.dir .. "/changes.patch"
  local lines = { ("%s review %s"):format(id, found.state) }
  for _, item in ipairs(run.validation) do
    lines[#lines + 1] = ("%s %s: %s"):format(item.status, item.kind,
      core.text.printable(item.command, 200))
  end
  for _, path in ipairs(run.files_changed) do
    lines[#lines + 1] = "changed " .. core.text.printable(path, 400)
  end
  if type(found.sha256) == "string" then lines[#lines + 1] = "hash: " .. found.sha256 end
  if patch then lines[#lines + 1] = "\n" .. core.text.cut(patch, patch_cap) end
  if is_long then lines[#lines + 1] = "all of it: " .. file end
  local next_step = found.state == "pending"
    and ("a person decides; ask the user to run in %s: moonlet review show %s"):format(
      call.home.top, id) or nil
  if next_step then lines[#lines + 1] = "next: " .. next_step end
  return answers.result(table.concat(lines, "\n"),
    { run = id, state = found.state, sha256 = found.sha256, validation = run.validation,
      files_changed = run.files_changed,
    patch_file = patch and file or nil, patch = patch and core.text.cut(patch, patch_cap) or nil,
    next = next_step })
end

local text = { type = "string", minLength = 1, maxLength = 20000 }
local texts = { type = "array", items = { type = "string", minLength = 1 }, maxItems = 100 }

local function about(schema, description)
  local copy = { description = description }
  for key, value in pairs(schema) do copy[key] = value end
  return copy
end

---@type moonlet.McpTool[]
M.tools = {
  { name = "task_create", title = "Make a task packet", run = task_create, required = { "title" },
    description = "Makes a packet of work as a draft, for task_start or for the user.",
    properties = { title = about(text, "what it is, in one line"),
      summary = about(text, "what is to be done"), goal = about(text, "what a good result is"),
      preset = about(text, "the preset that runs it (default task)"),
      inputs = about(texts, "what the agent is given: file:, glob:, diff:"),
      depends_on = about(texts, "packets that must be done before: T-001"),
      checks = about(texts,
        "KIND:COMMAND of a program that the config names, as in test:npm test") } },
  { name = "task_start", title = "Start a task packet", run = task_start, required = { "task" },
    description = "Runs a packet, where the config allows its preset. What it changes waits for "
      .. "a person's review.",
    properties = { task = { type = "string", description = "T-001" },
      wait_s = { type = "integer", minimum = 0, maximum = 50,
        description = "seconds to wait for its end" } } },
  { name = "review", title = "Look at a review", run = review, reads = true,
    description = "Changes, checks and hash of a run that waits for a review; without a run the "
      .. "list. Merges nothing.",
    properties = { run = { type = "string", description = "the run: R-007" } } },
}

return M
