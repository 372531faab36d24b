--- Formats the report of a finished run for people.
local sandbox = require "moonlet.engine.agent.sandbox"
local sidecar = require "moonlet.engine.agent.sidecar"
local prompt_cuts = require "moonlet.engine.agent.prompt_cuts"
local duration = require "moonlet.duration"
local runners = require "moonlet.engine.load.runners"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local worktree_places = require "moonlet.engine.workspace.worktree_places"
local page = require "moonlet.engine.base.page"
local screen = require "moonlet.engine.run.screen"
local state = require "moonlet.engine.run.state"
local store = require "moonlet.engine.run.store"
local step_files = require "moonlet.engine.run.step_files"
local verdict = require "moonlet.engine.run.verdict"
local worst_case = require "moonlet.engine.run.forecast.worst_case"

local M = {}

local null = core.json.null

--- Names the runners of the agent steps; without agent steps, the run's own runner.
local function by_whom(run)
  local seen, names = {}, {}
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" and not seen[step.runner] then
      seen[step.runner] = true
      names[#names + 1] = step.runner
    end
  end
  if #names == 0 then
    if run.preset and not run.preset.needs.agents then return "" end
    if not run.runner_name then return "no agent was asked, nothing spent, " end
    names[1] = run.runner_name
  end
  if #names == 1 and names[1] == "mock" then return "mock: answers are made up, nothing spent, " end
  return table.concat(names, " and ") .. ", "
end

--- Lists the changes that were not merged and wait for a person. The report starts with these lines.
local function held_back(run)
  local lines = {}
  for _, step in ipairs(run.steps) do
    local held = step.held_back
    if held and held[1] then
      local dir = run.absolute(step.dir or run.directory_of(step.key))
      lines[#lines + 1] = ("%s: %s"):format(step.key, kept_worktrees.held_back(held, dir))
    end
  end
  return lines
end

local function add_cut(run, lines)
  for _, step in ipairs(run.steps) do
    local bytes = sidecar.last_of(step.attempts).cut
    if bytes and step.status == "ok" then
      lines[#lines + 1] =
        ("  cut: of the %d bytes that %s answered the head and the tail are kept"):format(bytes,
        step.key)
    end
  end
end

local function summary(run, used)
  local total, answered = 0, 0
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" then
      total = total + 1
      answered = answered + (step.status == "ok" and 1 or 0)
    end
  end
  local whom = by_whom(run):gsub(", $", "")
  if whom:find "nothing spent" then return whom end
  local text = total < 2 and whom or ("%s, %d of %d answered"):format(whom, answered, total)
  local tokens, cost = used.total_tokens, used.cost_usd
  if tokens ~= null then
    text = text .. (tokens < 10000 and (", %d tokens"):format(tokens)
      or (", %.1fk tokens"):format(tokens / 1000))
  end
  if cost ~= null then
    text = text .. (", %s$%.2f"):format(used.cost_is == "estimate" and "~" or "", cost)
  end
  return text
end

--- Names the agents that no kernel sandbox confined, or returns nil.
local function unconfined(run)
  local names = {}
  for _, step in ipairs(run.steps) do
    if step.unconfined then names[#names + 1] = step.key end
  end
  if #names == 0 then return nil end
  return ("  not confined: %s had your own rights (%s)"):format(kept_worktrees.shown(names),
    sandbox.absence(run) or "no sandbox")
end

local function notes(run, lines)
  if run.route then lines[#lines + 1] = "  " .. run.route end
  add_cut(run, lines)
  for _, line in ipairs(prompt_cuts.lines(run)) do lines[#lines + 1] = line end
  if run.verdict == "degraded" then
    if run.mocked then
      lines[#lines + 1] = "  degraded: the runner mock made up the answers, no agent was asked"
    end
    for _, item in ipairs(run.degraded) do
      lines[#lines + 1] = "  degraded: "
        .. (item.changed and verdict.beside_text(item.at, item.changed)
        or ("%s: %d of %d succeeded"):format(item.at, item.succeeded, item.total))
    end
  end
  local free = unconfined(run)
  if free then lines[#lines + 1] = free end
  for _, name in ipairs(run.offline and runners.installed_names(run.config) or {}) do
    lines[#lines + 1] = ("  %s is installed: --runner %s"):format(name, name)
  end
  local pending = run.review and run.review.state == "pending"
  if run.review then
    lines[#lines + 1] = pending and ("  waits for a review: moonlet review show %s"):format(run.id)
      or ("  review: %s by %s"):format(run.review.state,
        core.text.printable(tostring(run.review.reviewed_by), 80))
  end
  for _, path in ipairs(pending and {} or worktree_places.left(run.home, run.id)) do
    lines[#lines + 1] = kept_worktrees.text(path)
  end
  return lines
end

local function facts_of(run, envelope)
  local root = core.file.root(run.home.agent_path)
  local function folder(step)
    local at = run.directory_of(step.key)
    return root and core.file.stat(root, at) and run.absolute(at)
  end
  return { id = run.id, name = run.preset_name, title = run.options.title,
    state = run.verdict or "prepared", summary = summary(run, envelope.run.usage),
    took_ms = run.duration_ms, result = envelope.result, findings = run.findings,
    error = envelope.error, steps = run.steps, origin = run.source.origin, degraded = run.degraded,
    parked = run.parked, files = run.absolute(run.sidecar), folder = folder,
    tail = function(step)
      local log = run.directory_of(step.key) .. "/stderr.log"
      return root and step_files.tail(root, log, 3, step.runner)
    end }
end

local most_prompts = 20

local function prepared_lines(run, out)
  local lines = worst_case.lines(run)
  if run.offline then
    lines = { "no agent is asked: name one, as in --runner codex, for its prompts and worst cost" }
  end
  for i, path in ipairs(run.worst.prompts) do
    path = run.absolute(run.sidecar .. "/" .. path)
    if i <= most_prompts then
      lines[#lines + 1] = "prompt: " .. (out.terminal and screen.near(path) or path)
    end
  end
  local more = #run.worst.prompts - most_prompts
  if more > 0 then
    lines[#lines + 1] = ("and %s more in %s"):format(more, run.absolute(run.sidecar))
  end
  local spec = run.runner
  local is_program = not (spec.none or spec.argv or spec.name == "mock" or spec.name == "cassette")
  local located, err = pcall(runners.locate, is_program and spec.name, run.config)
  if is_program and not located then lines[#lines + 1] = err.message .. "; the run needs it" end
  return lines
end

local function answer_of(run, envelope)
  if not run.verdict then return table.concat(prepared_lines(run, page.out()), "\n") .. "\n" end
  if run.findings and run.findings ~= "" then return (run.findings:gsub("\n*$", "\n")) end
  local result = envelope.result
  if result == null then return "" end
  return type(result) == "string" and result:gsub("\n*$", "\n")
    or core.json.encode_record(result, 2) .. "\n"
end

local function wrapped(lines, out)
  local all = {}
  for _, line in ipairs(lines) do
    -- Do not wrap a path, so that it can be copied.
    local parts = line:find("^prompt: ") and { line } or page.wrap(line, out.columns)
    table.move(parts, 1, #parts, #all + 1, all)
  end
  return all
end

--- Formats the report. On a terminal, the whole report is one text. In a pipe, standard output gets
--- only the answer; status, failed steps, verdict and paths go to standard error.
---@return string text
---@return {is_whole: boolean?, status: string?} about
function M.text(run, envelope)
  local out = page.out()
  local facts, lines = facts_of(run, envelope), held_back(run)
  local last_line
  if run.verdict then
    last_line = state.last_line(run.id, run.verdict, run.error, run.parked, run.steps,
      run.source.origin)
  else
    last_line = "Go on: " .. state.start_prepared(run.home, select(2, store.find(run.home, run.id)))
  end
  if out.terminal then
    notes(run, lines)
    facts.notes = lines
    if not run.verdict then facts.lines = wrapped(prepared_lines(run, out), out) end
    return screen.text(facts, out) .. (run.verdict and "" or last_line .. "\n"), { is_whole = true }
  end
  lines[#lines + 1] = ("%s %s: %s (%s%s)"):format(run.id, run.preset_name,
    run.verdict or "prepared", by_whom(run), duration.text(run.duration_ms))
  notes(run, lines)
  lines[#lines + 1] = "artifacts: " .. run.absolute(run.sidecar)
  lines[#lines + 1] = last_line
  return answer_of(run, envelope),
    { status = screen.failures(facts) .. table.concat(lines, "\n") .. "\n" }
end

return M
