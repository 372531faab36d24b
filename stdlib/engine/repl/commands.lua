--- Implements the commands of the prompt, such as :help. They are not recorded as lines of the script.
local duration = require "moonlet.duration"
local input = require "moonlet.engine.repl.input"
local save = require "moonlet.engine.repl.save"

local M = {}

local help_text = [[
  EXPRESSION        prints its value; ctx and m are there, and variables stay
  :bg LINE          runs in the background; its end and its value are reported
  :doc NAME         explains a name of the library
  :runs             the runs of this repository
  :show [STEP]      the run, or one of its steps
  :steps            the steps so far
  :budget           what has been used, and what is left
  :ps               what runs now
  :time EXPRESSION  the time that it takes
  :edit             the last line in $VISUAL or $EDITOR
  :reload NAME      forgets a module of your own, so that require reads it again
  :save NAME        the lines that worked, as presets/NAME.lua (--force replaces it)
  :quit             ends the prompt, like ^D and :exit]]

local function steps_text(run, wanted)
  local lines = {}
  for _, step in ipairs(run.steps) do
    if not wanted or step.key == wanted or step.key:find("/" .. wanted, 1, true) then
      lines[#lines + 1] = ("  %-10s %-9s %s%s"):format(step.status, step.kind, step.key,
        step.cached and " (from the journal)" or "")
      if step.status == "failed" and step.dir then
        lines[#lines + 1] = "             " .. run.absolute(step.dir)
      end
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or "no step yet"
end

local unit_texts = {
  usd = function(value) return ("$%.2f"):format(value) end,
  wall = function(seconds) return duration.text(math.floor(seconds * 1000)) end,
}

local function has_estimate(run)
  for _, step in ipairs(run.steps) do
    local usage = step.kind == "agent" and (step.usage or {})
    if usage and (usage.estimated or not math.type(usage.total_tokens)) then return true end
  end
  return false
end

local function budget_text(session)
  local view = session.root.budget
  local lines = {}
  for _, kind in ipairs { "agents", "processes", "tokens", "usd", "wall" } do
    local limit, text = view:limit(kind), unit_texts[kind] or tostring
    local used = view:used(kind)
    local about = kind == "tokens" and used > 0 and has_estimate(session.run) and "about " or ""
    lines[#lines + 1] = ("  %-10s used %s%s%s"):format(kind, about, text(used),
      limit < math.huge and (", left %s of %s"):format(text(view:left(kind)), text(limit)) or "")
  end
  return table.concat(lines, "\n")
end

local function running_text(session)
  local lines = {}
  for _, step in ipairs(session.run.steps) do
    if step.status == "running" then
      lines[#lines + 1] = ("  %-9s %s"):format(step.kind, step.key)
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or "nothing is running"
end

local function edited(session, text)
  local editor = core.system.env "VISUAL" or core.system.env "EDITOR"
  if not editor or editor == "" then return nil, "set VISUAL or EDITOR" end
  local path = session.run.sidecar .. "/edit.lua"
  session.run.write_artifact(path, text .. "\n")
  core.terminal.run({ "sh", "-c", editor .. " \"$1\"", "sh", session.run.absolute(path) })
  local changed = session.run.read_artifact(path, 1 << 16)
  return changed and changed:gsub("%s+$", "") or nil
end

local last_of = function(session)
  local line = session.lines[#session.lines]
  return line and line.text or ""
end

M.all = {
  help = function(_, _, say) say(help_text) end,
  quit = function() return nil, true end,
  q = function() return nil, true end,
  exit = function() return nil, true end,
  steps = function(session, _, say) say(steps_text(session.run)) end,
  show = function(session, rest, say)
    if rest ~= "" then
      local text = session.step_text(session.run, rest)
      return say(text or steps_text(session.run, rest))
    end
    local run = session.run
    local who = run.runner_name and "runner " .. run.runner_name or "no runner"
    say(("%s  %s  %s"):format(run.id, who, run.absolute(run.sidecar)))
    say(steps_text(session.run))
  end,
  budget = function(session, _, say) say(budget_text(session)) end,
  ps = function(session, _, say) say(running_text(session)) end,
  runs = function(session, _, say) say(session.runs_text()) end,
  doc = function(session, rest, say) say(session.doc_text(rest)) end,
  bg = function(session, rest, say)
    if rest == "" then
      return say(":bg needs an expression, such as :bg ctx:agent { prompt = \"…\" }")
    end
    local number = 1
    while rawget(session.environment, "job" .. number) ~= nil do number = number + 1 end
    local name = input.without_local(rest):match("^%s*([%a_][%w_]*)%s*=[^=]")
    local body = name and ("%s return %s"):format(input.without_local(rest), name)
      or (input.is_expression(session.environment, rest) and "return " or "") .. rest
    return ("job%d = ctx:spawn(\"job%d\", function(ctx) %s end)"):format(number, number, body)
  end,
  time = function(_, rest, say)
    if rest == "" then return say(":time needs an expression") end
    return ("(function() local began = ctx:now() local value = %s print((\"%%d "
      .. "ms\"):format(ctx:now() - began)) "
      .. "return value end)()"):format(rest)
  end,
  edit = function(session, _, say)
    local text, why = edited(session, last_of(session))
    if not text or text == "" then return say(":edit: " .. (why or "the file is empty")) end
    return text
  end,
  reload = function(session, rest, say)
    if session.forget_module(rest) then
      say(rest .. " is read again by the next require")
    else
      say("no such module")
    end
  end,
  save = function(session, rest, say) say(save.write(session, rest)) end,
}

--- Runs a command of the prompt.
---@param word string       ":help"
---@param say fun(session: moonlet.Repl, text: string)
---@return string? line, boolean? leave  a line to evaluate; true to end the prompt
function M.run(session, word, rest, say)
  local command = M.all[word:sub(2)]
  local function tell(text) say(session, text) end
  if not command then
    return tell(("there is no command %s\n%s"):format(core.text.printable(word, 40), help_text))
  end
  local ok, line, leave = pcall(command, session, rest, tell)
  if not ok then
    tell("error: " .. core.text.printable(type(line) == "table" and line.message
      or tostring(line), 2000))
    if type(line) == "table" and line.hint then
      tell("  " .. core.text.printable(line.hint, 2000))
    end
    return nil
  end
  return line, leave
end

return M
