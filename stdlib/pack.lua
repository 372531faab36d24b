--- Builds context packs, which contain what a worker cannot infer from its task.
--- Every part is optional; `check` returns the missing parts.
local record = require "moonlet.record"

local concat, format = table.concat, string.format

---@class moonlet.pack
local M = {}

---@class moonlet.Pack
---@field goal string|string[]|nil         description of a good result
---@field non_goals string|string[]|nil    what not to do
---@field constraints string|string[]|nil  style, limits, what must not change
---@field pointers string|string[]|nil     files, folders, documents, links
---@field decisions string|string[]|nil    earlier decisions, with their reasons
---@field success string|string[]|nil      how to check that the work is done

local parts = {
  { "goal", "Goal", { "goal", "goals" } },
  { "non_goals", "Not wanted", { "non_goals", "non_goal", "not_wanted", "out_of_scope" } },
  { "constraints", "Constraints", { "constraints", "constraint" } },
  { "pointers", "Where to look", { "pointers", "pointer", "where_to_look", "references",
    "key_files" } },
  { "decisions", "Decided already", { "decisions", "prior_decisions", "decided_already" } },
  { "success", "Done when", { "success", "success_check", "success_criteria", "done_when" } },
}
local fields = {}
for _, part in ipairs(parts) do fields[part[1]] = "string|list" end

local function items_of(value)
  local items = {}
  for _, item in ipairs(type(value) == "table" and value or { value }) do
    local text = type(item) == "string" and item:match "^%s*(.-)%s*$" or ""
    if text ~= "" then items[#items + 1] = text end
  end
  return items
end

local function check_pack(pack, verb)
  record.check(pack, fields, verb)
  for name, value in pairs(pack) do
    for i, item in ipairs(type(value) == "table" and value or {}) do
      if type(item) ~= "string" then
        record.refuse(format("%s: %s[%d] is a %s, not a text", verb, name, i, type(item)),
          format('%s = { "one", "two" }', name))
      end
    end
  end
end

--- Makes a pack from a table. Each part becomes a list, and empty texts are dropped.
--- Errors: `invalid` an unknown part.
--- ```lua
--- local pack = m.pack.new { goal = "errors name their line", success = { "make test" } }
--- pack.success[1] --> "make test"
--- ```
---@param spec moonlet.Pack
---@return moonlet.Pack
function M.new(spec)
  check_pack(spec, "m.pack.new")
  local pack = {}
  for _, part in ipairs(parts) do
    local items = items_of(spec[part[1]])
    if #items > 0 then pack[part[1]] = core.json.array(items) end
  end
  return pack
end

local function name_of(heading)
  local word = heading:lower():gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", "")
  for _, part in ipairs(parts) do
    for _, name in ipairs(part[3]) do
      if name == word then return part[1] end
    end
  end
end

-- Returns the points of a section. Each list item and each paragraph is one point.
local function points_of(lines)
  local points, open = {}, false
  for _, line in ipairs(lines) do
    local item = line:match "^%s*[-*+]%s+(.*)$" or line:match "^%s*%d+[.)]%s+(.*)$"
    if item then
      points[#points + 1], open = item, true
    elseif not line:find "%S" then
      open = false
    elseif open then
      points[#points] = points[#points] .. " " .. line:match "^%s*(.-)%s*$"
    else
      points[#points + 1], open = line:match "^%s*(.-)%s*$", true
    end
  end
  return points
end

--- Parses a pack from Markdown: one section per part, under a heading such as "# Goal".
--- A title above the sections of a pack is ignored.
--- Errors: `invalid` an unknown or repeated heading, or a text without headings.
--- ```lua
--- local pack = m.pack.parse("# Goal\nErrors name their line.\n\n# Constraints\n- no new dependency\n- Lua 5.4\n")
--- pack.constraints[2] --> "Lua 5.4"
--- ```
---@param text string
---@param origin string?  its name in errors
---@return moonlet.Pack
function M.parse(text, origin)
  if type(text) ~= "string" then
    core.lost.refuse(text)
    record.refuse("m.pack.parse needs the text of a pack",
      'm.pack.read(ctx, "pack.md") reads a file')
  end
  origin = origin or "the pack"
  local found, lines, number, names = {}, nil, 0, {}
  for _, part in ipairs(parts) do names[#names + 1] = part[2]:lower() end
  for line in (text:gsub("^\xef\xbb\xbf", ""):gsub("\r\n?", "\n") .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local marks, heading = line:match "^(#+)%s+(.-)%s*#*$"
    local name = heading and name_of(heading)
    if name and found[name] then
      record.refuse(format("%s, line %d: '%s' comes twice", origin, number,
        core.text.printable(heading, 60)), "keep one section of it",
        format("%s:%d", origin, number))
    elseif name then
      lines = {}
      found[name] = lines
    elseif heading and (lines or marks ~= "#") then
      record.refuse(format("%s, line %d: '%s' is not a part of a pack", origin, number,
        core.text.printable(heading, 60)), record.suggest(heading:lower(), names),
        format("%s:%d", origin, number))
    elseif lines then
      lines[#lines + 1] = line
    end
  end
  if next(found) == nil then
    record.refuse(format("%s has no section of a pack", origin), "write one as: # Goal", origin)
  end
  local spec = {}
  for name, own in pairs(found) do spec[name] = points_of(own) end
  return M.new(spec)
end

--- Reads a pack from a Markdown file of the repository.
--- Errors: `invalid` the file cannot be read, or it does not parse as a pack.
--- ```lua
--- if ctx:read("pack.md", { missing = "nil" }) then ctx:log(m.pack.read(ctx, "pack.md").goal) end
--- ```
---@param ctx moonlet.Ctx
---@param path string
---@return moonlet.Pack
function M.read(ctx, path)
  if type(ctx) == "string" then
    record.refuse("m.pack.read needs ctx, because it records what a preset reads",
      'm.pack.read(ctx, "pack.md"); m.pack.parse(text) takes a text')
  end
  return M.parse((ctx:read(path)), path)
end

--- Declares the parts as arguments of a preset: --goal, --non-goals, --constraints and so on.
--- With --pack FILE the parts are read from a file. `m.pack.of` makes the pack from the arguments.
--- ```lua
--- m.pack.args().constraints.type --> "list"
--- ```
---@param more table<string, moonlet.Arg>?  further arguments
---@return table<string, moonlet.Arg>
function M.args(more)
  local arg = require "moonlet.arg"
  local help = { goal = "what a good result is", non_goals = "what not to do",
    constraints = "the limits that a "
    .. "result must respect",
    pointers = "where to look", decisions = "what was decided before, and why",
    success = "how we know it is done" }
  local args = { pack = arg.path { default = "", exists = true,
    help = "a Markdown file with the context pack" } }
  for _, part in ipairs(parts) do
    args[part[1]] = (part[1] == "goal" and arg.string or arg.list) {
      default = part[1] == "goal" and "" or {}, help = help[part[1]] }
  end
  for name, value in pairs(more or {}) do args[name] = value end
  return args
end

--- Makes the pack from the arguments of `m.pack.args`, which override the file of --pack.
--- Errors: `invalid` the file cannot be read, or it does not parse as a pack.
--- ```lua
--- local pack = m.pack.of(ctx, { goal = "errors name their line", success = { "make test" } })
--- m.pack.check(pack)[1] --> "non_goals"
--- ```
---@param ctx moonlet.Ctx
---@param args table<string, any>
---@return moonlet.Pack
function M.of(ctx, args)
  local pack = {}
  if type(args.pack) == "string" and args.pack ~= "" then pack = M.read(ctx, args.pack) end
  local given = {}
  for _, part in ipairs(parts) do given[part[1]] = args[part[1]] end
  for name, value in pairs(M.new(given)) do pack[name] = value end
  return pack
end

--- Returns the names of the parts that a pack lacks. The list of a complete pack is empty.
--- ```lua
--- m.pack.check { goal = "x", non_goals = "x", constraints = "x", pointers = "x", decisions = "x" } --> {"success"}
--- ```
---@param pack moonlet.Pack
---@return string[] missing
function M.check(pack)
  check_pack(pack, "m.pack.check")
  local missing = core.json.array {}
  for _, part in ipairs(parts) do
    if #items_of(pack[part[1]]) == 0 then missing[#missing + 1] = part[1] end
  end
  return missing
end

--- Formats a pack as lines of a prompt.
--- ```lua
--- m.pack.lines { goal = "small", success = { "make", "make test" } }[2] --> "Done when: make; make test"
--- ```
---@param pack moonlet.Pack
---@return string[]
function M.lines(pack)
  check_pack(pack, "the context pack")
  local lines = {}
  for _, part in ipairs(parts) do
    local items = items_of(pack[part[1]])
    if #items > 0 then lines[#lines + 1] = format("%s: %s", part[2], concat(items, "; ")) end
  end
  return lines
end

return M
