--- Stores comments about lines of a run's changes in comments.jsonl. A run also shows those of the
--- runs that it replays, each at the line with the commented text, or as outdated.
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null
local most_bytes, longest_text, longest_line = 1 << 20, 20000, 400
local most_parents, check_every = 100, 5000

---@class moonlet.Comment
---@field run string       run whose changes the comment is about
---@field file string
---@field line integer     line number in the new file when the comment was made
---@field content string   the text of that line
---@field text string
---@field by string
---@field at string
---@field sha256 string    the hash of the changes that were shown
---@field place integer?   present number of the line
---@field outdated boolean?

local function path_of(id) return ("runs/%s/comments.jsonl"):format(id) end

--- Returns the file name in a header line of a patch, in the form that git writes.
local function name_in(line) return (line:match '^%+%+%+ "?b/(.*)$' or ""):gsub('"?\t?$', "") end

local function each_line(patch, fn)
  local file, line, old_left, new_left, number = "", 0, 0, 0, 0
  for row in (patch .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if number % check_every == 0 then core.task.check() end
    local sign = row:sub(1, 1)
    if old_left <= 0 and new_left <= 0 then
      local olds, first, news = row:match "^@@ %-%d+,?(%d*) %+(%d+),?(%d*) @@"
      if first then
        old_left, new_left, line = tonumber(olds) or 1, tonumber(news) or 1, tonumber(first)
      elseif row:find "^%+%+%+ " then
        file = name_in(row)
      end
    elseif sign == "-" then
      old_left = old_left - 1
    elseif sign ~= "\\" then
      fn(file, line, row:sub(2))
      line, new_left = line + 1, new_left - 1
      if sign ~= "+" then old_left = old_left - 1 end
    end
  end
end

local function read(root, id)
  local list = {}
  for row in (core.file.read(root, path_of(id), most_bytes) or ""):gmatch "[^\n]+" do
    local ok, comment = pcall(core.json.decode_record, row)
    if ok and type(comment) == "table" and type(comment.file) == "string"
        and math.type(comment.line) == "integer" then
      comment.run = id
      list[#list + 1] = comment
    end
  end
  return list
end

--- Places each comment at the nearest line with the commented text; without one, it is outdated.
function M.place(list, patch)
  local files = {}
  for _, comment in ipairs(list) do
    comment.outdated = true
    files[comment.file] = files[comment.file] or {}
    table.insert(files[comment.file], comment)
  end
  each_line(patch or "", function(file, line, text)
    for _, comment in ipairs(files[file] or {}) do
      local is_nearer = not comment.place
        or math.abs(line - comment.line) < math.abs(comment.place - comment.line)
      if core.text.cut(text, longest_line) == comment.content and is_nearer then
        comment.place, comment.outdated = line, false
      end
    end
  end)
end

---@return moonlet.Comment[]
function M.of(root, rec, patch)
  local chain, list = {}, {}
  while rec and #chain < most_parents do
    table.insert(chain, 1, rec.id)
    rec = rec.parent_run_id and rec.parent_run_id ~= null
      and store.look(root, rec.parent_run_id) or nil
  end
  for _, id in ipairs(chain) do table.move(read(root, id), 1, most_bytes, #list + 1, list) end
  M.place(list, patch)
  return core.json.array(list)
end

--- Adds a comment. Raises an error if the changes do not show the line.
---@param place string  "src/a.py:12"
---@return moonlet.Comment
function M.add(root, rec, patch, hash, place, text, by)
  local file, line = place:match "^(.+):(%d+)$"
  line = math.tointeger(tonumber(line))
  if not line then
    record.refuse(("'%s' names no line"):format(core.text.printable(place, 80)),
      "write src/a.py:12")
  end
  if text == "" or #text > longest_text or not core.text.is_utf8(text) then
    record.refuse(("a comment is UTF-8 and has 1 to %d bytes"):format(longest_text), "shorten it")
  end
  local content
  each_line(patch, function(name, number, row)
    if name == file and number == line then content = core.text.cut(row, longest_line) end
  end)
  if not content then
    record.refuse(("the changes of %s do not show line %d of %s"):format(rec.id, line, file),
      "moonlet review show " .. rec.id)
  end
  local comment = { file = file, line = line, content = content, text = core.text.clean(text),
    by = core.text.printable(by, 100), at = core.clock.iso(core.clock.wall()), sha256 = hash }
  assert(core.file.append(root, path_of(rec.id), core.json.encode_record(comment) .. "\n"))
  comment.run = rec.id
  return comment
end

return M
