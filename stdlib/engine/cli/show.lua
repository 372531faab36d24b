--- `moonlet show` prints a run with its steps, or one step, an answer or a prompt.
local duration = require "moonlet.duration"
local formats = require "moonlet.engine.cli.formats"
local head = require "moonlet.engine.journal.head"
local page = require "moonlet.engine.base.page"
local interrupted_merge = require "moonlet.engine.workspace.interrupted_merge"
local repository = require "moonlet.engine.run.repository"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local options = require "moonlet.engine.cli.options"
local store = require "moonlet.engine.run.store"
local screen = require "moonlet.engine.run.screen"
local state_of = require "moonlet.engine.run.state"
local step_files = require "moonlet.engine.run.step_files"
local verbs = require "moonlet.engine.cli.verbs"
local worktree_places = require "moonlet.engine.workspace.worktree_places"

local about = require "moonlet.engine.task.about"

local M = {}

M.known = options.with_common {
  answer = { help = "print only the answer: of the run, or with --step of one of its agents" },
  prompt = { help = "print only the prompt of the run, or of the agent that --step names" },
  format = { value = "lines|github|sarif", help = "print the findings in this form" },
  step = { value = "KEY", help = "one step: its name or the end of its key" },
}

local null = core.json.null
local most_lines = 4000

local function answers_of(rec, key)
  local list = {}
  for _, answer in ipairs(rec.answers or {}) do
    if answer.key == key or answer.key:sub(1, #key + 1) == key .. "/" then
      list[#list + 1] = answer
    end
  end
  return list
end

--- Returns the status of a step, its duration, and a text about who answered it or what it does.
---@param most integer  length of the text, in columns
local function parts_of(rec, step, most)
  local code, answer = math.tointeger(step.exit_code), answers_of(rec, step.key)[1]
  local doing = step.doing and "  " .. core.text.printable(step.doing, most) or ""
  return step.status == "ok" and code and "exit " .. code or tostring(step.status),
    step.duration_ms ~= null and step.duration_ms and duration.text(step.duration_ms) or "",
    answer and "  by " .. core.text.printable(answer.by, 80)
      or step.cached and " (from the journal)" or doing
end

local function show_answer(answer, lines)
  lines[#lines + 1] = ("%s: %s"):format(answer.kind, core.text.printable(answer.text, 4000))
  if answer.why then lines[#lines + 1] = "why: " .. core.text.printable(answer.why, 4000) end
  for _, line in ipairs(answer.show and page.quote(answer.show, math.huge) or {}) do
    lines[#lines + 1] = line
  end
  lines[#lines + 1] = ("answer: %s, by %s, %s"):format(core.text.printable(answer.value
    or "none", 400),
    core.text.printable(answer.by, 80), core.text.printable(answer.at, 40))
  if answer.note then lines[#lines + 1] = "note: " .. core.text.printable(answer.note, 4000) end
end

local function show_steps(rec, steps, lines)
  for _, step in ipairs(steps) do
    local status, took, more = parts_of(rec, step, 80)
    lines[#lines + 1] = ("  %-9s %-10s %-8s %s%s"):format(status, step.kind, took,
      core.text.printable(step_files.name(step.key), 80), more)
    if step.error ~= null and step.error then
      lines[#lines + 1] = "            " .. core.text.printable(step.error.message, 200)
    end
  end
end

local function show_parked(id, rec, lines)
  local open = rec.ended and rec.verdict == "needs-human" and rec.parked or {}
  for _, item in ipairs(open) do
    lines[#lines + 1] = ("waits (%s %s): %s"):format(item.kind, core.text.printable(item.key, 80),
      core.text.printable(item.text, 400))
    if item.why then lines[#lines + 1] = "  why: " .. core.text.printable(item.why, 400) end
    for _, line in ipairs(item.show and page.quote(item.show, math.huge) or {}) do
      lines[#lines + 1] = line
    end
    for i, option in ipairs(item.options or {}) do
      lines[#lines + 1] = ("  %d. %s"):format(i, core.text.printable(option, 200))
    end
    lines[#lines + 1] = "  " .. state_of.answers(id, { item }, #open > 1)[1]
  end
end

--- Returns the MCP client that requested the run, or nil if a person started the run.
local function asker_text(rec)
  local by = rec.options.asked_by
  if type(by) ~= "table" or by == null then return nil end
  return ("asked by %s %s, over MCP"):format(core.text.printable(tostring(by.client), 80),
    core.text.printable(tostring(by.version), 40))
end

local function runner_text(rec)
  if type(rec.runner) ~= "string" then return "no runner" end
  if rec.runner ~= "route" or type(rec.runner_name) ~= "string" then return rec.runner end
  return "route: " .. rec.runner_name
end

local text_cap = 64 << 20

--- Returns the answer of a run: the preset's report, else its result, else its agent's answer.
local function answer_of(home, root, rec)
  local findings = core.file.read(root, rec.sidecar .. "/findings.md", text_cap)
  if findings and findings ~= "" then return findings end
  local result = store.result(home, rec)
  if type(result) == "string" then return result end
  if result ~= null then return core.json.encode_record(result, 2) end
  return (core.file.read(root, rec.sidecar .. "/output.md", text_cap))
end

local function one_text(home, root, rec, found)
  local step = found.step and step_files.find(step_files.of(root, rec), found.step)
  local folder = step and step_files.folder(root, rec, step) or rec.sidecar
  local file = found.prompt and "prompt.md" or "output.md"
  local text
  if found.answer and not step then text = answer_of(home, root, rec)
  else text = core.file.read(root, folder .. "/" .. file, text_cap) end
  if text then return text end
  local whose = step and ("step '%s'"):format(step_files.name(step.key)) or rec.id
  error({ kind = "invalid", message = ("%s has no %s"):format(whose,
    found.prompt and "prompt" or "answer"),
    hint = found.step and "only agents have one; moonlet show " .. rec.id .. " lists the steps"
      or "moonlet show " .. rec.id .. " lists its steps: name one with --step KEY" }, 0)
end

local function step_text(root, home, rec, word)
  local step = step_files.find(step_files.of(root, rec), word)
  local folder = step_files.folder(root, rec, step)
  local lines = {}
  show_steps(rec, { step }, lines)
  for _, given in ipairs(answers_of(rec, step.key)) do show_answer(given, lines) end
  local answer = core.file.read(root, folder .. "/output.md", text_cap)
  if answer then lines[#lines + 1] = "\n" .. answer:gsub("\n*$", "\n") end
  local stderr = step_files.tail(root, folder .. "/stderr.log", 10, step.runner)
  if stderr then lines[#lines + 1] = "stderr:\n  " .. table.concat(stderr, "\n  ") end
  if core.file.stat(root, folder) then
    lines[#lines + 1] = "artifacts: " .. home.agent_path .. "/" .. folder
  end
  return table.concat(lines, "\n") .. "\n", step
end

local function step_rows(rec, steps, out)
  local lines, width = {}, 8
  for _, step in ipairs(steps) do
    width = math.max(width, core.text.width(core.text.printable(step_files.label(step.key), 200)))
  end
  width = math.min(width, math.max(out.columns - 34, 8))
  for _, step in ipairs(steps) do
    local status, took, more = parts_of(rec, step, 200)
    local name = core.text.fit(core.text.printable(step_files.label(step.key), 200), width, true)
    local line = ("  %-9s  %s  %7s  %s"):format(status, page.pad(name, width), took, step.kind)
    lines[#lines + 1] = core.text.fit(line .. more, out.columns)
  end
  return lines
end

local function imported_text(rec)
  local from = rec.imported
  if type(from) ~= "table" or from == null then return nil end
  return ("imported: %s of another machine, head %s"):format(core.text.printable(from.run, 40),
    core.text.printable(tostring(from.head), 40))
end

--- Lists what a person must still do in a run that no host drives.
local function leftover_notes(home, id, rec)
  local notes, driven = { imported_text(rec) }, core.runs.holder(home.handle, id) ~= nil
  if driven then return notes end
  if not rec.ended and rec.options.dry_run then notes[1] = state_of.prepared(home, rec) end
  local place = { sidecar = rec.sidecar, absolute = function(path)
    return home.agent_path .. "/" .. path
  end }
  if interrupted_merge.is_half_merged(place) then
    notes[#notes + 1] =
      ("a merge was interrupted, and part of it is in the work tree: moonlet resume %s, or cancel, "
      .. "undoes it"):format(id)
  end
  local waits = type(rec.review) == "table" and rec.review.state == "pending"
  for _, path in ipairs(waits and {} or worktree_places.left(home, id)) do
    notes[#notes + 1] = kept_worktrees.text(path)
  end
  return notes
end

local function summary_of(rec, started)
  local parts = { runner_text(rec) }
  if started then parts[#parts + 1] = state_of.ago(started, core.clock.wall()) end
  parts[#parts + 1] = asker_text(rec)
  return table.concat(parts, ", ")
end

local function on_screen(home, root, id, rec, out)
  local state, started = state_of.of(home, id, rec), core.clock.parse(rec.started_at)
  local steps = step_files.of(root, rec)
  local function folder(step) return step_files.folder(root, rec, step) end
  return screen.text({ id = id, name = rec.preset,
    title = rec.options.title ~= null and rec.options.title or nil,
    state = state, summary = summary_of(rec, started),
    took_ms = rec.duration_ms ~= null and rec.duration_ms or nil,
    lines = step_rows(rec, steps, out), error = rec.error,
    steps = steps, degraded = {}, parked = rec.parked or {}, notes = leftover_notes(home, id, rec),
    files = home.agent_path .. "/" .. rec.sidecar, head = head.of(root, id),
    folder = function(step)
      return core.file.stat(root, folder(step)) and home.agent_path .. "/" .. folder(step)
    end,
    tail = function(step) return step_files.tail(root, folder(step) .. "/stderr.log", 3,
      step.runner) end }, out)
end

local function show(home, word, found)
  local id, rec = store.find(home, word)
  local root = store.root(home)
  local envelope = options.envelope({ state = state_of.of(home, id, rec),
    parked = rec.parked or core.json.array {}, record = rec }, store.envelope(home, rec))
  if found.format then
    local result = store.result(home, rec)
    return envelope, 0, formats.text(found.format,
      { run = envelope.run, result = result, error = rec.error or null })
  elseif found.answer or found.prompt then
    local text = one_text(home, root, rec, found)
    envelope.result[found.answer and "answer" or "prompt"] = text
    return envelope, 0, (text:gsub("\n*$", "\n"))
  elseif found.step then
    local text, step = step_text(root, home, rec, found.step)
    envelope.result.step = step
    return envelope, 0, text
  end
  local out = page.out()
  if out.terminal then
    envelope.result.worktrees = core.json.array(worktree_places.left(home, id))
    return envelope, 0, on_screen(home, root, id, rec, out), { is_whole = true }
  end
  envelope.result.head = head.of(root, id) or null
  local lines = {
    ("%s  %s  %s"):format(id, core.text.printable(rec.preset, 80), state_of.of(home, id, rec)),
    ("started %s, took %s, %s"):format(core.text.printable(rec.started_at, 40), state_of.took(rec),
      core.text.printable((state_of.runner(rec) and "runner " or "") .. runner_text(rec), 80)),
  }
  lines[#lines + 1] = asker_text(rec)
  if envelope.result.head ~= null then lines[#lines + 1] = "head " .. envelope.result.head end
  if rec.error ~= null and rec.error and rec.error.kind ~= "parked" then
    lines[#lines + 1] = "error: " .. core.text.printable(rec.error.message, 400)
  end
  local children = about.children(home, id)
  table.move(about.lines(home, rec, children), 1, most_lines, #lines + 1, lines)
  show_parked(id, rec, lines)
  show_steps(rec, step_files.of(root, rec), lines)
  local driven = core.runs.holder(home.handle, id) ~= nil
  if not rec.ended and not driven and not rec.options.dry_run then
    lines[#lines + 1] = ("its host was ended: moonlet resume %s continues it"):format(id)
  end
  local kept = driven and core.json.array {} or worktree_places.left(home, id)
  for _, note in ipairs(leftover_notes(home, id, rec)) do lines[#lines + 1] = note end
  lines[#lines + 1] = "artifacts: " .. home.agent_path .. "/" .. rec.sidecar
  if rec.ended and rec.verdict ~= "needs-human" then
    lines[#lines + 1] = state_of.last_line(id, rec.verdict, rec.error, nil, rec.steps, rec.origin)
  end
  envelope.result.worktrees = kept
  envelope.result.lifecycle = about.lifecycle(rec)
  for _, child in ipairs(children) do
    if not child.pipeline then table.insert(envelope.run.replayed_as, child.id) end
  end
  return envelope, 0, table.concat(lines, "\n") .. "\n"
end

function M.main(words)
  local found, rest = verbs.read("run show", words, M.known)
  if #rest == 0 then
    options.refuse("show which run?", "moonlet show R-007, or moonlet show last")
  end
  if found.answer and found.prompt then
    options.refuse("--answer and --prompt exclude each other")
  end
  if found.format and #rest > 1 then
    options.refuse("--format takes one run", "moonlet show last --format " .. found.format)
  end
  formats.check(found, found.format)
  local home = repository.open(found.repo)
  if #rest == 1 then return show(home, rest[1], found) end
  local runs, texts, layout = {}, {}, nil
  for i, word in ipairs(rest) do
    local envelope, _, text, laid_out = show(home, word, found)
    envelope.result.run = envelope.run
    runs[i], texts[i], layout = envelope.result, text, laid_out
  end
  return options.envelope { runs = core.json.array(runs) }, 0, table.concat(texts, "\n"), layout
end

return M

