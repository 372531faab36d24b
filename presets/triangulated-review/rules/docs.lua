--- Rules about documents: links that lead nowhere, headings, fences and tables that do not add up, pictures without
--- words, claims without evidence.

local git = require "moonlet.git"
local shape = require "moonlet.text"

local find, format, gsub, lower, match, sub = string.find, string.format, string.gsub, string.lower, string.match,
  string.sub

local M = {}

M.rules = {
  ["broken-link"] = { lenses = { "correctness", "evidence", "practicality", "consistency" }, severity = "medium",
    confidence = 0.85, fix = "Correct the path, or take the link out." },
  ["broken-anchor"] = { lenses = { "correctness", "evidence", "consistency" }, severity = "low", confidence = 0.75,
    fix = "Link to a heading that is there." },
  ["heading-jump"] = { lenses = { "clarity", "accessibility", "consistency" }, severity = "low", confidence = 0.85,
    fix = "Use the level in between." },
  ["open-fence"] = { lenses = { "correctness", "clarity" }, severity = "medium", confidence = 0.9,
    fix = "Close the block of code." },
  ["picture-without-words"] = { lenses = { "accessibility" }, severity = "low", confidence = 0.9,
    fix = "Say in the alternative text what the picture shows." },
  ["empty-link-text"] = { lenses = { "accessibility", "clarity" }, severity = "low", confidence = 0.85,
    fix = "Name in the link what it leads to." },
  ["missing-evidence"] = { lenses = { "evidence" }, severity = "low", confidence = 0.65,
    fix = "Name the source, or give the measurement." },
  ["placeholder-text"] = { lenses = { "correctness", "practicality", "evidence", "clarity" }, severity = "medium",
    confidence = 0.85, fix = "Write the text." },
  ["table-columns"] = { lenses = { "correctness", "clarity", "consistency" }, severity = "low", confidence = 0.85,
    fix = "Give the row as many cells as the head has, or escape a | in it." },
  ["long-sentence"] = { lenses = { "clarity", "accessibility" }, severity = "info", confidence = 0.6,
    fix = "Make two or three sentences of it." },
  ["unlabelled-control"] = { lenses = { "accessibility" }, severity = "medium", confidence = 0.75,
    fix = "Give it a label." },
}

local NO_WORDS = "The picture has no alternative text: who cannot see it learns nothing."

local MARKDOWN = { md = true, markdown = true, mdown = true, mkd = true, mdx = true }

local function numbers_of(view)
  local numbers = {}
  for n in pairs(view.lines) do numbers[#numbers + 1] = n end
  table.sort(numbers)
  return numbers
end

-- True if a line opens a fence: a backtick after the first run makes a code span of it.
local function opens_fence(text, mark)
  return sub(mark, 1, 1) ~= "`" or not find(text, "`", #mark + 1, true)
end

local function closes_fence(text, mark, open)
  return sub(mark, 1, 1) == sub(open, 1, 1) and #mark >= #open and find(text, "^[`~]+%s*$") ~= nil
end

-- The lines of a Markdown file that stand in a fence; the number of the line that opened one that never closes.
local function fences(view, numbers)
  local inside, open, at = {}, nil, nil
  for _, n in ipairs(numbers) do
    local text = gsub(view.lines[n].text, "^[%s>]*", "")
    local mark = match(text, "^(```+)") or match(text, "^(~~~+)")
    if open then
      inside[n] = true
      if mark and closes_fence(text, mark, open) then open, at = nil, nil end
    elseif mark and opens_fence(text, mark) then
      inside[n], open, at = true, mark, n
    end
  end
  return inside, at
end

local function flatten(dir, target)
  local parts = {}
  for part in string.gmatch(dir, "[^/]+") do parts[#parts + 1] = part end
  for part in string.gmatch(target, "[^/]+") do
    if part == ".." then
      if #parts == 0 then return nil end
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

local function decoded(text)
  return (gsub(text, "%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local GENERATED_ENDS = { html = true, htm = true }

local function exists(change, view, target)
  local path = flatten(view.d.dir, target)
  if not path then return true end
  local tree = change.tree
  if path == "" or tree[path] or tree[path .. "/"] then return true end
  local ext = lower(match(path, "%.([%w]+)$") or "")
  if GENERATED_ENDS[ext] then return true end
  return tree[path .. ".md"] or tree[path .. "/index.md"] or tree[path .. "/README.md"] or false
end

local function slug(text)
  text = gsub(text, "%[([^%]]*)%]%([^)]*%)", "%1")
  text = lower(gsub(text, "[`*~]", ""))
  text = gsub(text, "<[^>]*>", "")
  text = gsub(text, "[^%w%s_\x80-\xff-]", "")
  return (gsub(match(text, "^%s*(.-)%s*$"), "%s", "-"))
end

-- The text of the heading that a line is: with marks, or underlined by the next line.
local function heading_of(view, n)
  local text, below = view.lines[n].text, view.lines[n + 1]
  local marked = match(text, "^%s?%s?%s?#+%s+(.-)%s*#*%s*$")
  if marked then return marked end
  local underlined = below and (find(below.text, "^===+%s*$") or find(below.text, "^%-%-%-+%s*$"))
  return underlined and text or nil
end

-- Sites make anchors out of headings in different ways; they agree on the letters.
local function bare(anchor) return (gsub(lower(anchor), "[^%w\x80-\xff]", "")) end

local function anchors(view, numbers, inside)
  local known = {}
  for _, n in ipairs(numbers) do
    if not inside[n] then
      local heading = heading_of(view, n)
      if heading then
        local custom, name = match(heading, "{#([^}]+)}"), slug(heading)
        if custom then known[bare(custom)] = true end
        -- A picture in a heading is no letter of its anchor.
        for _, plain in ipairs { bare(name), (gsub(bare(name), "[\x80-\xff]", "")) } do
          known[plain] = true
          for i = 1, 5 do known[plain .. i] = true end
        end
      end
      for id in string.gmatch(view.lines[n].text, "[ni][ad]m?e?=[\"']([^\"']+)[\"']") do known[bare(id)] = true end
    end
  end
  return known
end

local ELSEWHERE = { "^%a[%w+.-]*:", "^[/{$<@#]", "[{}*|]" }

-- True if a path names a file or folder of this repository, as far as its form shows.
local function is_local_file(path)
  if path == "" or shape.any(path, ELSEWHERE) then return false end
  return find(path, "%.[%w]+$") ~= nil or find(path, "^%.%.?/") ~= nil and find(path, "/$") ~= nil
end

-- True if a link into its own page can be judged: letters beyond ASCII become anchors in too many ways.
local function judges_anchor(view, anchor)
  return anchor ~= "" and view.whole and view.d.ext == "md" and not find(decoded(anchor), "[\x80-\xff]")
    and not shape.any(anchor, { "^user%-content", "^:~:" })
end

local function link_target(page, n, target, report)
  local view, change = page.view, page.change
  local path, anchor = match(target, "^([^#]*)#?(.*)$")
  path = decoded(gsub(path, "%?.*$", ""))
  if change.tree and is_local_file(path) and not exists(change, view, path) then
    page.broken[#page.broken + 1] = { n = n, path = path }
  elseif path == "" and judges_anchor(view, anchor) then
    page.anchors = page.anchors or anchors(view, page.numbers, page.inside)
    if not page.anchors[bare(decoded(anchor))] then
      report("broken-anchor", view, n,
        format("No heading of this page has the anchor #%s.", git.show_path(anchor, 80)))
    end
  end
end

local many_broken = 3

-- A page whose links lead nowhere again and again belongs to a site that is put together from several places.
local function broken_links(page, report)
  local elsewhere = #page.broken >= many_broken and "the pages may be put together from several places" or nil
  for _, item in ipairs(page.broken) do
    report("broken-link", page.view, item.n,
      format("The link leads to %s, which is not there.", git.show_path(item.path, 120)), { question = elsewhere })
  end
end

local EMPTY_LABELS = { here = true, ["click here"] = true, link = true, ["this link"] = true }

local function links(page, n, report)
  local view = page.view
  local text = view.lines[n].text
  if not find(text, "](", 1, true) then return end
  local plain = gsub(text, "`[^`]*`", function(span) return string.rep(" ", #span) end)
  for label, target in string.gmatch(plain, "%[([^%]]*)%]%(%s*<?([^%s)>]+)") do
    link_target(page, n, target, report)
    if EMPTY_LABELS[lower(gsub(label, "[*_]", ""))] then
      report("empty-link-text", view, n,
        format("\"%s\" does not say where the link leads to those who read links alone.", label))
    end
  end
  if find(plain, "!%[%s*%]%(") then
    report("picture-without-words", view, n, NO_WORDS)
  end
end

-- Calls `visit` with each heading that follows another one on known lines: its number, level, and that one's level.
local function each_heading(page, visit)
  local last, before = nil, nil
  for _, n in ipairs(page.numbers) do
    if before ~= n - 1 then last = nil end
    before = n
    local marks = not page.inside[n] and match(page.view.lines[n].text, "^(#+)%s+%S")
    if marks and #marks <= 6 then
      if last then visit(n, #marks, last) end
      last = #marks
    end
  end
end

-- A jump that the page makes elsewhere too is its habit.
local function headings(page, report)
  local habits = {}
  each_heading(page, function(n, level, last)
    if not page.view.lines[n].added then habits[last .. ">" .. level] = true end
  end)
  each_heading(page, function(n, level, last)
    local line = page.view.lines[n]
    if level > last + 1 and line.added and not line.moved and not habits[last .. ">" .. level] then
      report("heading-jump", page.view, n, format("The heading goes from level %d to level %d.", last, level))
    end
  end)
end

local function cells(text)
  text = gsub(gsub(text, "\\|", "  "), "`[^`]*`", "x")
  text = match(text, "^%s*|?(.-)|?%s*$")
  local _, count = gsub(text, "|", "")
  return count + 1
end

local RULE = "^%s*|?%s*:?%-+:?%s*|[%s:|%-]*$"

-- The number of columns of the table whose rule is line n; nil if its head differs.
local function columns_of(view, n)
  local head = view.lines[n - 1]
  local width = head and find(head.text, "|", 1, true) and cells(view.lines[n].text)
  return width and cells(head.text) == width and width or nil
end

local function tables(page, report)
  local view, width, before = page.view, nil, nil
  for _, n in ipairs(page.numbers) do
    local line = view.lines[n]
    local broken = page.inside[n] or before ~= n - 1 or not find(line.text, "|", 1, true)
    before = n
    if broken then
      width = nil
    elseif find(line.text, RULE) then
      width = columns_of(view, n)
    elseif width and line.added and not line.moved and find(line.text, "^%s*|") and cells(line.text) > width then
      report("table-columns", view, n,
        format("The row has %d cells, the table has %d columns: the rest is not shown.", cells(line.text), width))
    end
  end
end

-- Prose ------------------------------------------------------------------------------------------

local CLAIMS = { "studies show", "studies have shown", "research shows", "research has shown", "it is well known",
  "experts agree", "it has been proven", "everybody knows", "it is widely accepted" }
local FASTER = { "%f[%d](%d+[%d.,]*%s?x%s+faster)", "%f[%d](%d+[%d.,]*%s?%%%s+faster)",
  "%f[%d](%d+[%d.,]*%s+times%s+faster)" }
local SOURCES = { "%]%(", "://", "%[%d+%]", "\\cite", "%[%^" }

local NO_SOURCE = "The text says itself that its source is missing."
local NOT_WRITTEN = "The text holds a place that is still to be written."
local PLACEHOLDERS = {
  { "lorem ipsum", NOT_WRITTEN }, { "%[insert ", NOT_WRITTEN }, { "<insert ", NOT_WRITTEN },
  { "%f[%w]tbd%f[^%w]", NOT_WRITTEN }, { "%f[%w]tba%f[^%w]", NOT_WRITTEN }, { "[%[(]todo", NOT_WRITTEN },
  { "^%W*todo:", NOT_WRITTEN }, { "fixme:", NOT_WRITTEN }, { "%[xxx%]", NOT_WRITTEN },
  { "citation needed", NO_SOURCE }, { "\\cite{%?}", NO_SOURCE }, { "%[ref%]", NO_SOURCE },
  { "%[source%?%]", NO_SOURCE },
}

local function placeholders(view, n, low, report)
  -- A list of tasks is meant to hold open work.
  if find(low, "%- %[[ x]%]") then return end
  local plain = gsub(low, "://%S*", "")
  for _, item in ipairs(PLACEHOLDERS) do
    if find(plain, item[1]) then
      report("placeholder-text", view, n, item[2])
      return
    end
  end
end

local function sourced(view, n)
  local following = view.lines[n + 1]
  return shape.any(view.lines[n].text, SOURCES) or following and shape.any(following.text, SOURCES)
end

-- True if the page mentions measurements anywhere.
local function measured(view)
  for _, line in pairs(view.lines) do
    if shape.word(line.text, { "benchmark", "measured", "median", "in our test", "testing with" }) then return true end
  end
  return false
end

local function claims(view, n, low, report)
  if sourced(view, n) then return end
  local said = shape.word(low, CLAIMS)
  if said then report("missing-evidence", view, n, format("\"%s\" stands here without a source.", said)) end
  local times = shape.first(low, FASTER)
  if times and not measured(view) then
    report("missing-evidence", view, n, format("\"%s\" stands here without the measurement that shows it.", times))
  end
end

local most_words = 60

local function long_sentences(view, n, text, report)
  if #text <= 400 or find(text, "|", 1, true) then return end
  for sentence in string.gmatch(sub(gsub(text, "`[^`]*`", "x"), 1, 10000), "[^.!?;:]+") do
    local _, count = gsub(sentence, "%S+", "")
    if count > most_words then
      report("long-sentence", view, n,
        format("A sentence of %d words: few readers hold it in mind to its end.", count))
      return
    end
  end
end

local function prose(view, n, report)
  local text = sub(view.lines[n].text, 1, 10000)
  if not find(text, "%a") or find(text, "^    ") then return end
  local low = lower(gsub(text, "`[^`]*`", ""))
  -- Notes of releases announce, and sum up evidence from elsewhere.
  if not find(view.d.stem, "^change") and not find(view.d.stem, "^news") and not find(view.d.stem, "^release") then
    placeholders(view, n, low, report)
    claims(view, n, low, report)
  end
  long_sentences(view, n, text, report)
end

-- Pages ------------------------------------------------------------------------------------------

local PAGES = shape.set "javascript typescript vue svelte html astro template mdx"
local NAMED = { "%f[%w]alt%f[^%w]", "{%.%.%.", "aria%-hidden" }

local function page_line(view, n, text, report)
  local picture = match(text, "<img%s[^>]*>")
  -- In a comment it is only spoken of.
  if not find(view.lines[n].code, "%S") then return end
  if picture and not shape.any(picture, NAMED) then report("picture-without-words", view, n, NO_WORDS) end
  if view.language == "html" and find(text, "<html[%s>]") and not find(text, "lang%s*=") then
    report("unlabelled-control", view, n, "The page does not say its language: screen readers guess it.",
      { severity = "low", fix = "Write <html lang=\"…\">." })
  end
  if find(text, "<div[^>]*%sonClick=") and not find(text, "role=") and find(text, ">", 1, true) then
    report("unlabelled-control", view, n, "A div that reacts to clicks cannot be reached with the keyboard.",
      { fix = "Use a button." })
  end
end

-- True if the change itself touched the marks of a fence.
local function touched_fence(page)
  for _, n in ipairs(page.view.added) do
    if page.inside[n] and find(page.view.lines[n].text, "^[%s>]*[`~][`~][`~]") then return true end
  end
  return false
end

local function document(view, change, report)
  local page = { view = view, change = change, numbers = {}, inside = {}, broken = {} }
  local markdown = MARKDOWN[view.d.ext]
  if markdown then
    local open
    page.numbers = numbers_of(view)
    page.inside, open = fences(view, page.numbers)
    if open and view.whole and touched_fence(page) then
      report("open-fence", view, open, "The block of code that begins here is never closed.")
    end
    headings(page, report)
    tables(page, report)
  end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not page.inside[n] and not line.moved then
      if markdown and #line.text < 10000 then links(page, n, report) end
      prose(view, n, report)
    end
  end
  broken_links(page, report)
end

---@param view rules.View
function M.file(view, report, change)
  if view.generated then return end
  if view.d.kind == "docs" then document(view, change, report) end
  if not PAGES[view.language] or view.test then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and #line.text < 1000 then page_line(view, n, line.text, report) end
  end
end

return M
