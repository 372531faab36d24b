--- `moonlet run export --as html` writes a web page that contains a run's record. The page verifies the
--- record in the browser, and needs no network. It contains stdlib/web and a compressed archive.
local archive = require "moonlet.engine.export.archive"
local files = require "moonlet.engine.export.files"
local linked = require "moonlet.engine.export.linked"

local M = {}

--- Limits the page to 3 MB; base64 adds a third to the data.
local most_packed = (3000000 - 120000) * 3 // 4
local most_of_file = 8 << 20
local block = 512

--- Orders the files of the page by importance, because files that do not fit are left out. run.json and
--- the journal come first, because alterations are detected with them.
local order = {
  "^run%.json$", "^steps%.jsonl$", "^sidecar/events%.jsonl$", "^sidecar/[^/]+%.json$",
  "^sidecar/[^/]+%.md$", "^sidecar/[^/]+%.patch$", "/model%.json$", "/findings%.json$",
  "/output%.md$", "%.patch$", "/prompt%.md$", "/stderr%.log$", "^values/",
}
--- Lists the files that the exported page does not show.
local unshown = { ["keeper.log"] = true }

local function place_of(name)
  if unshown[name] or name:sub(1, 12) == "sidecar/out/" then return nil end
  for i, pattern in ipairs(order) do
    if name:find(pattern) then return i end
  end
end

local function sorted(list)
  local places, wanted = {}, {}
  for i, file in ipairs(list.files) do
    local place = place_of(file.name)
    if place then
      wanted[#wanted + 1], places[file] = file, place * 1e7 + i
    else
      list.left[#list.left + 1] = { path = file.name, bytes = file.bytes, sha256 = file.sha256,
        why = "the page does not show it", unshown = true }
    end
  end
  table.sort(wanted, function(a, b) return places[a] < places[b] end)
  return wanted
end

local function as_block(name, text)
  return core.archive.header(name, #text) .. text .. ("\0"):rep(-#text % block)
end

--- Selects the files that fit into the page. Counts each file with the size that it has when it is
--- compressed alone, which is at least its share of the archive.
local function choose(root, list)
  local chosen, parts, used = { files = {}, left = list.left }, {}, 0
  local function leave(file, why)
    chosen.left[#chosen.left + 1] = { path = file.name, bytes = file.bytes,
      sha256 = file.sha256, why = why }
  end
  for _, file in ipairs(sorted(list)) do
    local text = file.bytes <= most_of_file and core.file.read(root, file.from, most_of_file) or nil
    local share = text and #core.text.gzip(text)
    if not text then
      leave(file, "it is too large for a page")
    elseif used + share > most_packed then
      leave(file, "the page has no room for it")
    elseif core.text.sha256(text) ~= file.sha256 then
      error({ kind = "failed", message = "a file was changed while it was exported", at = file.from,
        hint = "export the run again" }, 0)
    else
      used = used + share
      chosen.files[#chosen.files + 1], parts[#parts + 1] = file, as_block(file.name, text)
    end
    core.task.check()
  end
  return chosen, parts
end

local escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escaped(text) return (core.text.printable(text, 200):gsub('[&<>"]', escapes)) end

--- Returns the hash of a script or style in the form that a Content-Security-Policy uses.
local function source_hash(text)
  local binary = core.text.sha256(text):gsub("%x%x", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return "sha256-" .. core.text.base64(binary)
end

local function page(rec, packed)
  local css, js = linked.text "style", "\n" .. linked.script "app"
  local values = { css = css, js = js, style = source_hash(css), script = source_hash(js),
    record = packed, title = escaped(("%s %s: %s"):format(rec.id, rec.preset, rec.verdict)) }
  return (linked.text("page"):gsub("{(%l+)}", values))
end

---@return moonlet.LeftFile[] left
function M.write(home, root, rec, dir, name)
  local chosen, parts = choose(root, files.of(root, rec))
  table.insert(parts, 1, as_block("moonlet-record.json", archive.manifest(home, rec, chosen)))
  parts[#parts + 1] = ("\0"):rep(2 * block)
  local packed = core.text.base64(core.text.gzip(table.concat(parts)))
  assert(core.file.write(dir, name, page(rec, packed)))
  return chosen.left
end

return M
