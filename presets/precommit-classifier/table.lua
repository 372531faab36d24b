--- Parses table.md. `data.SECTION[i].KEY` is both a list of words and a set of them.
--- Item [0] of a list in `data` is the unsplit text.
local m = require "moonlet"

local function words(text)
  local list = { [0] = text }
  for word in string.gmatch(text, "%S+") do
    list[#list + 1], list[word] = word, true
  end
  return list
end

local data, row = {}, nil
for line in string.gmatch(m.asset "table.md", "[^\n]+") do
  local section, why = line:match "^# (%l+) ?(.*)$"
  local key, text = line:match "^(%l+): (.*)$"
  if section then
    row, data[section] = { why = why }, data[section] or {}
    table.insert(data[section], row)
  elseif key and row then
    row[key] = words(row[key] and row[key][0] .. " " .. text or text)
  end
end

-- The search for check commands needs to know whether these files exist.
data.wanted = { ["package.json"] = true, ["pnpm-workspace.yaml"] = true }
for _, name in ipairs(data.targets[1].files) do data.wanted[name] = true end
for _, one in ipairs(data.ecosystem) do
  for _, name in ipairs(one.manifests) do data.wanted[name] = true end
end

return data
