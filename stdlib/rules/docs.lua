--- Rules about documents: links that lead nowhere, headings, fences and tables that do not add up, pictures without
--- words, claims without evidence.

local git = require "moonlet.git"

local find, format, gsub, lower, match, sub = string.find, string.format, string.gsub, string.lower, string.match,
  string.sub

local M = {}

M.rules = {
  ["broken-link"] = { lenses = { "correctness", "evidence", "practicality", "consistency" }, severity = "medium", confidence = 0.85,
    fix = "Correct the path, or take the link out." },
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
  ["placeholder-text"] = { lenses = { "correctness", "practicality", "evidence", "clarity" }, severity = "medium", confidence = 0.85,
    fix = "Write the text." },
  ["table-columns"] = { lenses = { "correctness", "clarity", "consistency" }, severity = "low", confidence = 0.85,
    fix = "Give the row as many cells as the head has." },
  ["long-sentence"] = { lenses = { "clarity", "accessibility" }, severity = "info", confidence = 0.6,
    fix = "Make two or three sentences of it." },
  ["unlabelled-control"] = { lenses = { "accessibility" }, severity = "medium", confidence = 0.75,
    fix = "Give it a label." },
}

local MARKDOWN = { md = true, markdown = true, mdown = true, mkd = true, mdx = true }

-- Which lines of a Markdown file stand in a fence; the number of the line that opened one that never closes.
local function fences(view)
  local inside, open, at, numbers = {}, nil, nil, {}
  for n in pairs(view.lines) do numbers[#numbers + 1] = n end
  table.sort(numbers)
  for _, n in ipairs(numbers) do
    local text = gsub(view.lines[n].text, "^[%s>]*", "")
    local mark = match(text, "^(```+)") or match(text, "^(~~~+)")
    if mark then
      inside[n] = true
      if not open then
        -- A backtick after the first run is a code span, not a fence.
        if sub(mark, 1, 1) ~= "`" or not find(text, "`", #mark + 1, true) then
          open, at = mark, n
        else
          inside[n] = nil
        end
      elseif sub(mark, 1, 1) == sub(open, 1, 1) and #mark >= #open and find(text, "^[`~]+%s*$") then
        open, at = nil, nil
      end
    elseif open then
      inside[n] = true
    end
  end
  return inside, at, numbers
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

local function anchors(view, numbers, inside)
  local known = {}
  for _, n in ipairs(numbers) do
    local text = view.lines[n].text
    if not inside[n] then
      local heading = match(text, "^%s?%s?%s?#+%s+(.-)%s*#*%s*$")
      local below = view.lines[n + 1]
      if not heading and below and (find(below.text, "^===+%s*$") or find(below.text, "^%-%-%-+%s*$")) then heading = text end
      if heading then
        local custom = match(heading, "{#([^}]+)}")
        if custom then known[custom] = true end
        local name = slug(heading)
        known[name] = true
        for i = 1, 5 do known[name .. "-" .. i] = true end
      end
      for id in string.gmatch(text, "[ni][ad]m?e?=[\"']([^\"']+)[\"']") do known[id] = true end
    end
  end
  return known
end

local function links(view, change, report, inside, numbers)
  local known
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local text = line.text
    if not inside[n] and not line.moved and find(text, "](", 1, true) then
      local plain = gsub(text, "`[^`]*`", function(span) return string.rep(" ", #span) end)
      for label, target in string.gmatch(plain, "%[([^%]]*)%]%(%s*<?([^%s)>]+)") do
        local path, anchor = match(target, "^([^#]*)#?(.*)$")
        path = decoded(gsub(path, "%?.*$", ""))
        local relative = path ~= "" and not find(path, "^%a[%w+.-]*:") and not find(path, "^[/{$<@#]") and not find(path, "^//")
        if relative and change.tree and (find(path, "%.[%w]+$") or find(path, "^%.%.?/") and find(path, "/$")) and not find(path, "[{}*|]")
          and not exists(change, view, path) then
          report("broken-link", view, n, format("The link leads to %s, which is not there.", git.show_path(path, 120)))
        elseif path == "" and anchor ~= "" and view.whole and view.d.ext == "md" then
          known = known or anchors(view, numbers, inside)
          if not known[decoded(anchor)] and not known[lower(decoded(anchor))] and not find(anchor, "^user%-content") and not find(anchor, "^:~:") then
            report("broken-anchor", view, n, format("No heading of this page has the anchor #%s.", git.show_path(anchor, 80)))
          end
        end
        local words = lower(gsub(label, "[*_]", ""))
        if words == "here" or words == "click here" or words == "link" or words == "this link" then
          report("empty-link-text", view, n, format("\"%s\" does not say where the link leads to those who read links alone.", label))
        end
      end
      if find(plain, "!%[%s*%]%(") then
        report("picture-without-words", view, n, "The picture has no alternative text: who cannot see it learns nothing.")
      end
    end
  end
end

local function headings(view, report, inside, numbers)
  local last
  for i, n in ipairs(numbers) do
    if i > 1 and numbers[i - 1] ~= n - 1 then last = nil end
    local line = view.lines[n]
    local marks = not inside[n] and match(line.text, "^(#+)%s+%S")
    if marks and #marks <= 6 then
      if last and #marks > last + 1 and line.added and not line.moved then
        report("heading-jump", view, n, format("The heading goes from level %d to level %d.", last, #marks))
      end
      last = #marks
    end
  end
end

local function cells(text)
  text = gsub(gsub(text, "\\|", "  "), "`[^`]*`", "x")
  text = match(text, "^%s*|?(.-)|?%s*$")
  local _, count = gsub(text, "|", "")
  return count + 1
end

local function tables(view, report, inside, numbers)
  local width
  for i, n in ipairs(numbers) do
    local line = view.lines[n]
    local text = line.text
    if inside[n] or not find(text, "|", 1, true) or (i > 1 and numbers[i - 1] ~= n - 1) then
      width = nil
    elseif find(text, "^%s*|?%s*:?%-+:?%s*|[%s:|%-]*$") then
      local head = view.lines[n - 1]
      width = head and find(head.text, "|", 1, true) and cells(text) or nil
      if width and cells(head.text) ~= width then width = nil end
    elseif width and line.added and not line.moved and find(text, "^%s*|") and cells(text) ~= width then
      report("table-columns", view, n, format("The row has %d cells, the table has %d columns.", cells(text), width))
    end
  end
end

local CLAIMS = { "studies show", "studies have shown", "research shows", "research has shown", "it is well known", "experts agree",
  "it has been proven", "everybody knows", "it is widely accepted" }
local PLACEHOLDERS = { "lorem ipsum", "[citation needed]", "[insert ", "tbd%f[^%w]", "%f[%w]tba%f[^%w]", "<insert ", "[todo", "(todo", "%f[%w]todo:",
  "fixme:", "[xxx]", "\\cite{?}", "[ref]", "[source?]", "citation needed" }

local function sourced(text) return find(text, "](", 1, true) or find(text, "://") or find(text, "%[%d+%]") or find(text, "\\cite") or find(text, "%[%^") end

local function prose(view, report, inside)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local text = line.text
    if not inside[n] and not line.moved and find(text, "%a") and not find(text, "^    ") then
      local low = lower(gsub(text, "`[^`]*`", ""))
      for _, word in ipairs(PLACEHOLDERS) do
        local at = find(word, "%f", 1, true) and find(low, word) or (not find(word, "%f", 1, true) and find(low, word, 1, true))
        if at and not find(low, "%- %[[ x]%]") and not find(low, "://[^%s]*" .. gsub(word, "%p", "%%%0")) then
          local wants_source = find(word, "cit") or find(word, "ref") or find(word, "source")
          report("placeholder-text", view, n, wants_source and "The text says itself that its source is missing."
            or "The text holds a place that is still to be written.")
          break
        end
      end
      local following = view.lines[n + 1] and view.lines[n + 1].text or ""
      if not sourced(text) and not sourced(following) then
        for _, claim in ipairs(CLAIMS) do
          if find(low, claim, 1, true) then
            report("missing-evidence", view, n, format("\"%s\" stands here without a source.", claim))
            break
          end
        end
        local times = match(low, "%f[%d](%d+[%d.,]*%s?x%s+faster)") or match(low, "%f[%d](%d+[%d.,]*%s?%%%s+faster)")
          or match(low, "%f[%d](%d+[%d.,]*%s+times%s+faster)")
        if times and not find(low, "benchmark") and not find(low, "measured") then
          report("missing-evidence", view, n, format("\"%s\" stands here without the measurement that shows it.", times))
        end
      end
      if not find(text, "|", 1, true) and #text > 400 then
        for sentence in string.gmatch(gsub(text, "`[^`]*`", "x"), "[^.!?;:]+") do
          local _, count = gsub(sentence, "%S+", "")
          if count > 60 then
            report("long-sentence", view, n, format("A sentence of %d words: few readers hold it in mind to its end.", count))
            break
          end
        end
      end
    end
  end
end

local JSX = { javascript = true, typescript = true, vue = true, svelte = true, html = true, astro = true, template = true, mdx = true }

local function pages(view, report)
  if not JSX[view.language] or view.test or view.generated then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local text = line.text
    if not line.moved and #text < 1000 then
      local picture = match(text, "<img%s[^>]*>")
      if picture and not find(picture, "%f[%w]alt%f[^%w]") and not find(picture, "{%.%.%.") and not find(picture, "aria%-hidden") then
        report("picture-without-words", view, n, "The picture has no alternative text: who cannot see it learns nothing.")
      end
      if find(text, "<html>") or find(text, "<html%s[^>]*>") and not find(text, "lang%s*=") then
        if view.language == "html" then
          report("unlabelled-control", view, n, "The page does not say its language: screen readers guess it.",
            { severity = "low", fix = "Write <html lang=\"…\">." })
        end
      end
      if find(text, "<div[^>]*%sonClick=") and not find(text, "role=") and find(text, ">") then
        report("unlabelled-control", view, n, "A div that reacts to clicks cannot be reached with the keyboard.", { fix = "Use a button." })
      end
    end
  end
end

---@param view moonlet.rules.View
function M.file(view, report, change)
  if view.d.kind == "docs" and not view.generated then
    local inside = {}
    if MARKDOWN[view.d.ext] then
      local found, open, numbers = fences(view)
      inside = found
      if open and view.whole and view.lines[open] then
        local touched = false
        for _, n in ipairs(view.added) do
          if inside[n] and find(view.lines[n].text, "^[%s>]*[`~][`~][`~]") then touched = true end
        end
        if touched then report("open-fence", view, open, "The block of code that begins here is never closed.") end
      end
      links(view, change, report, inside, numbers)
      headings(view, report, inside, numbers)
      tables(view, report, inside, numbers)
    end
    prose(view, report, inside)
  end
  pages(view, report)
end

return M
