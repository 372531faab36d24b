local m = require "moonlet"
local s = m.schema

local M = {}

---@class moonlet.patterns.Section
---@field name string
---@field task string?          work on this section (default: opts.task)
---@field paths string[]?       files or folders of the section
---@field text string?          text of a section that is not a file

---@class moonlet.patterns.SplitSections : moonlet.patterns.Common
---@field task string             work on each section
---@field sections moonlet.patterns.Section[]  two to twelve, with disjoint paths
---@field write boolean?          true: the workers edit their own paths; false: they answer with a text
---@field need integer?           number of sections that must succeed (default: all but one)
---@field consistency string[]?   what must be uniform in all sections: terms, names, style

---@class moonlet.patterns.Sections : moonlet.patterns.Result
---@field sections {name: string, text: string, files_changed: string[]}[]
---@field text string             merged text, or the workers' reports if they edit files
---@field conflicts string[]      inconsistencies between sections

local merged = s.object { text = s.string { max = 400000 },
  conflicts = s.list(s.string { max = 2000 }) }

local form = [[
One JSON object and nothing else:
{"text": "the whole", "conflicts": ["what does not agree between the sections, and where"]}]]

local join = "Join the sections below to one whole, in their order. "
  .. "Change only what must change for them to agree."
local compare = "Compare the sections as they are now in their files with each other, and report "
  .. "what does not agree. \"text\" is a summary of the whole in a few lines."

local function refuse(message, hint)
  m.fail { kind = "invalid", message = "split_sections: " .. message, hint = hint }
end

-- Returns the part of a path before its first wildcard, with a trailing slash; "" means any path.
local function root_of(path)
  local root = ""
  for part in path:gmatch "[^/]+" do
    if part:find "[*?%[]" then break end
    root = part == ".." and root:gsub("[^/]*/$", "") or part == "." and root or root .. part .. "/"
  end
  return root
end

-- Rejects sections with overlapping paths, because two workers would write the same file.
local function check_disjoint(section, other)
  for _, path in ipairs(section.paths) do
    for _, theirs in ipairs(other.paths) do
      local a, b = root_of(path), root_of(theirs)
      if a:sub(1, #b) == b or b:sub(1, #a) == a then
        local both = #a > #b and path or theirs
        refuse(("'%s' and '%s' would both write %s"):format(other.name, section.name, both),
          "many readers, one writer: give each its own paths, or write = false")
      end
    end
  end
end

local function check_sections(sections, writes)
  local names = {}
  for i, section in ipairs(sections) do
    m.record.check(section, { name = "string!", task = "string", paths = "list", text = "string" },
      ("split_sections: sections[%d]"):format(i))
    names[i] = section.name
    if writes and #(section.paths or {}) == 0 then
      refuse(("the section '%s' writes and has no paths"):format(section.name),
        'give it the files that are its own: paths = { "docs/a.md" }')
    end
  end
  m.pattern.options("split_sections", { sections = names }, { sections = "texts 2..12" })
  for i = 2, writes and #sections or 0 do
    for j = 1, i - 1 do check_disjoint(sections[i], sections[j]) end
  end
end

local function work(c, opts, section)
  local paths = section.paths or {}
  local where = #paths > 0 and table.concat(paths, ", ") or "the text below"
  local data = { table.unpack(opts.data or {}) }
  if section.text then
    table.insert(data, 1, { label = "the section " .. section.name, text = section.text })
  end
  local prompt = m.prompt.implementer {
    deliverable = ("this change of the section '%s': %s"):format(section.name,
      section.task or opts.task),
    scope = opts.write and table.concat(paths, ", ") or "nothing",
    inspect = "Your section, which is " .. where .. ". Other workers own the other sections.",
    output = not opts.write and "The text of your section and nothing else." or nil,
    pack = opts.pack, data = data }
  return c:agent(m.pattern.call(opts, { name = section.name, prompt = prompt,
    sandbox = opts.write and "workspace-write" or nil, edits = opts.write and paths or nil }))
end

local function unite(ctx, opts, found)
  local data = {}
  for i, item in ipairs(found) do
    data[i] = { label = ("the section %d, %s"):format(i, item.name), text = item.text,
      required = true }
  end
  local prompt = m.prompt.worker {
    task = opts.write and compare or join,
    goal = "One text that reads as if one person wrote it, with nothing of a section lost.",
    non_goals = { "new content", "a judgement of the sections" },
    steps = opts.consistency
      and "See that these agree: " .. table.concat(opts.consistency, "; ") .. ".",
    inspect = "The sections below, and the files of this repository that they are about.",
    edits = false, output = form,
    escalate = "sections contradict each other: keep both, and report the conflict",
    pack = opts.pack, data = data }
  return ctx:agent(m.pattern.call(opts, { name = "merge", schema = merged, prompt = prompt })).data
end

--- Gives each worker one section of the work.
--- A last worker merges the sections and checks their consistency.
--- The pattern costs one call for each section, and one more.
--- Errors: `invalid` fewer than two or more than twelve sections, or overlapping paths;
--- `quorum` means that too few sections succeeded.
--- ```lua
--- local ok, err = pcall(m.patterns.split_sections, ctx, { task = "shorten it", write = true,
---   sections = { { name = "all", paths = { "src" } }, { name = "one", paths = { "src/a.lua" } } } })
--- err.message --> "split_sections: 'all' and 'one' would both write src/a.lua"
--- ```
---@param ctx moonlet.Ctx
---@param opts moonlet.patterns.SplitSections
---@return moonlet.patterns.Sections
function M.split_sections(ctx, opts)
  opts = m.pattern.options("split_sections", opts, { task = "text!", sections = "list",
    write = "boolean", need = "integer 1..sections", consistency = "list" })
  local sections = opts.sections or {}
  check_sections(sections, opts.write)
  ctx:plan { calls = #sections + 1 }
  ctx:phase("sections", #sections)
  local answers, lost = ctx:parallel(sections, function(c, section)
    local answer = work(c, opts, section)
    return { name = section.name, text = answer.text, files_changed = answer.files_changed }
  end, { need = opts.need or #sections - 1, name = "sections",
    key = function(section) return section.name end })
  local found = m.found(answers)
  ctx:phase("merge", 1)
  local result = { sections = found, conflicts = m.array {}, details = m.array {}, lost = lost }
  local whole, gone = m.pattern.try("merge", function() return unite(ctx, opts, found) end)
  if whole then
    result.text, result.conflicts = whole.text, whole.conflicts
  else
    table.insert(lost, gone)
    local texts = {}
    for i, item in ipairs(found) do texts[i] = item.text end
    result.text = table.concat(texts, "\n\n")
  end
  for i, text in ipairs(result.conflicts) do result.details[i] = "conflict: " .. text end
  result.summary = ("%d of %s, %s"):format(#found, m.pattern.count(#sections, "section"),
    m.pattern.count(#result.conflicts, "conflict"))
  local gap, conflict = lost[1], result.conflicts[1]
  result.next_action = gap and ("Do the lost part again: %s (%s)."):format(gap.branch, gap.message)
    or conflict and "Settle this conflict first: " .. conflict or "Read the whole, and take it."
  return result
end

return M
