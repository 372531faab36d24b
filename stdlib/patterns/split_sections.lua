local C = require "moonlet.patterns.common"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"

local M = {}

---@class moonlet.patterns.Section
---@field name string
---@field task string?          what is to be done with it; opts.task
---@field paths string[]?       its files or folders
---@field text string?          its material, where it is no file

---@class moonlet.patterns.SplitSections : moonlet.patterns.Common
---@field task string             what is to be done with each section
---@field sections moonlet.patterns.Section[]  two to twelve, with disjoint paths
---@field write boolean?          the workers change their own paths; false: they answer with a text
---@field need integer?           how many sections must succeed; all but one
---@field consistency string[]?   what must agree between sections: terms, names, style

---@class moonlet.patterns.Sections
---@field summary string
---@field next_action string
---@field sections {name: string, text: string, files_changed: string[]}[]
---@field text string             the merged whole; what the sections wrote, where they write files
---@field conflicts string[]      what does not agree between sections
---@field details string[]
---@field lost table[]

local merged = s.object { text = s.string { max = 400000 }, conflicts = s.list(s.string { max = 2000 }) }

local form = [[
One JSON object and nothing else:
{"text": "the whole", "conflicts": ["what does not agree between the sections, and where"]}]]

local function read_sections(opts, verb)
  local names, slices = {}, {}
  for i, section in ipairs(opts.sections or {}) do
    require("moonlet.record").check(section, { name = "string!", task = "string", paths = "list", text = "string" },
      ("%s: sections[%d]"):format(verb, i))
    names[i] = section.name
    slices[i] = { name = section.name, paths = section.paths or {} }
    if opts.write and #slices[i].paths == 0 then
      C.refuse(("%s: the section '%s' writes and has no paths"):format(verb, core.text.printable(section.name, 60)),
        'give it the files that are its own: paths = { "docs/a.md" }')
    end
  end
  C.texts(names, verb, "sections", 2, 12)
  -- Readers may read the same; the slices of writers are their own.
  if opts.write then C.check_disjoint(slices, verb) end
end

local function work(c, opts, section)
  local task, paths = section.task or opts.task, section.paths or {}
  local where = #paths > 0 and table.concat(paths, ", ") or "the text below"
  local fields = C.prompt(opts, { deliverable = ("this change of the section '%s': %s"):format(section.name, task),
    scope = opts.write and table.concat(paths, ", ") or "nothing",
    inspect = "Your section, which is " .. where .. ". Other workers own the other sections." })
  if section.text then
    fields.data = { { label = "the section " .. section.name, text = section.text }, table.unpack(fields.data or {}) }
  end
  if not opts.write then fields.output = "The text of your section and nothing else." end
  return c:agent(C.call(opts, nil, { name = section.name, prompt = prompt.implementer(fields),
    sandbox = opts.write and "workspace-write" or nil, edits = opts.write and paths or nil }))
end

local function unite(ctx, opts, found)
  local data = {}
  for i, item in ipairs(found) do
    data[i] = { label = ("the section %d, %s"):format(i, item.name), text = item.text, required = true }
  end
  local task = opts.write and "Compare the sections as they are now in their files with each other, and report what "
    .. "does not agree. \"text\" is a summary of the whole in a few lines."
    or "Join the sections below to one whole, in their order. Change only what must change for them to agree."
  return ctx:agent(C.call(opts, nil, { name = "merge", schema = merged, prompt = prompt.worker {
    task = task, goal = "One text that reads as if one person wrote it, with nothing of a section lost.",
    non_goals = { "new content", "a judgement of the sections" },
    steps = opts.consistency and "See that these agree: " .. table.concat(opts.consistency, "; ") .. "." or nil,
    inspect = "The sections below, and the files of this repository that they are about.", edits = false,
    output = form, escalate = "sections contradict each other: keep both, and report the conflict", pack = opts.pack,
    data = data } })).data
end

--- Each worker owns a slice of the work; a last one merges the slices for consistency. One call for each section, and
--- one.
---
--- Errors: `invalid` fewer than two or more than twelve sections, or two writers of one artifact; `quorum`.
--- ```lua
--- local ok, err = pcall(m.patterns.split_sections, ctx, { task = "shorten it", write = true,
---   sections = { { name = "all", paths = { "src" } }, { name = "one", paths = { "src/a.lua" } } } })
--- err.message --> "split_sections: 'all' and 'one' would both write src/a.lua"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.SplitSections
---@return moonlet.patterns.Sections
function M.split_sections(ctx, opts)
  local verb = "split_sections"
  C.check(opts, { task = "string", sections = "list", write = "boolean", need = "integer", consistency = "list" }, verb)
  C.text(opts.task, verb, "task")
  read_sections(opts, verb)
  local need = C.bounds(opts.need or #opts.sections - 1, verb, "need", 1, #opts.sections)
  ctx:plan { calls = #opts.sections + 1 }
  ctx:phase("sections", #opts.sections)
  local answers, lost = ctx:parallel(opts.sections, function(c, section)
    local answer = work(c, opts, section)
    return { name = section.name, text = answer.text, files_changed = answer.files_changed }
  end, { need = need, name = "sections", key = function(section) return section.name end })
  local found = C.found(answers)
  ctx:phase("merge", 1)
  local result = { sections = found, text = "", conflicts = core.json.array {}, details = core.json.array {},
    lost = C.lost(lost) }
  local whole, gone = C.try("merge", function() return unite(ctx, opts, found) end)
  if whole then
    result.text, result.conflicts = whole.text, whole.conflicts
  else
    table.insert(result.lost, gone)
    local texts = {}
    for i, item in ipairs(found) do texts[i] = item.text end
    result.text = table.concat(texts, "\n\n")
  end
  for i, conflict in ipairs(result.conflicts) do result.details[i] = "conflict: " .. conflict end
  result.summary = ("%d of %s, %s"):format(#found, C.count(#opts.sections, "section"),
    C.count(#result.conflicts, "conflict"))
  local first = result.lost[1]
  result.next_action = first and ("Do the lost part again: %s (%s)."):format(first.branch, first.message)
    or result.conflicts[1] and "Settle this conflict first: " .. result.conflicts[1] or "Read the whole, and take it."
  return result
end

return M
