-- Counts which of the planted defects the rules find, through all lenses, and what else they report.
local text = assert(ctx:read "planted.tsv")
local facts = m.rules.facts(ctx, "HEAD")
local all, seen = {}, {}
for _, lens in ipairs(m.rules.lenses) do
  for _, finding in ipairs(m.rules.review(lens, facts).findings) do
    local key = table.concat({ finding.rule, tostring(finding.file), tostring(finding.line), finding.claim }, "\0")
    if not seen[key] then
      seen[key] = true
      all[#all + 1] = finding
    end
  end
end

local used, found, total, lines = {}, 0, 0, {}
for number, file, place, what in text:gmatch("(%d+)\t([^\t\n]+)\t([^\t\n]+)\t([^\n]+)") do
  total = total + 1
  local first, last = place:match("^(%d+)%-(%d+)$")
  first = tonumber(first or place)
  last = tonumber(last) or first
  local hit
  for i, finding in ipairs(all) do
    local line = math.type(finding.line) == "integer" and finding.line or nil
    local there = first == nil and line == nil or first and line and line >= first and line <= last
    if finding.file == file and there then hit, used[i] = finding, true end
  end
  if hit then found = found + 1 end
  lines[#lines + 1] = ("%s %s %s:%s %s%s"):format(hit and "found" or "missed", number, file, place, what,
    hit and " (" .. hit.rule .. ")" or "")
end
local beside = 0
for i, finding in ipairs(all) do
  if not used[i] then
    beside = beside + 1
    lines[#lines + 1] = ("beside %s %s:%s %s"):format(finding.rule, tostring(finding.file), tostring(finding.line), finding.claim)
  end
end
lines[#lines + 1] = ("count %d %d %d"):format(found, total, beside)
ctx:write("report.txt", table.concat(lines, "\n") .. "\n")
