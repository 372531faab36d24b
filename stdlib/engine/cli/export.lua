--- `moonlet run export` writes a finished run to one file; `moonlet run import` reads it back.
local counted = require "moonlet.engine.base.counted"
local options = require "moonlet.engine.cli.options"
local place = require "moonlet.engine.export.place"
local record = require "moonlet.record"
local repository = require "moonlet.engine.run.repository"
local store = require "moonlet.engine.run.store"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

local null = core.json.null
local forms = { html = "html", perfetto = "perfetto", otlp = "otlp", record = "archive" }
local form_names = { "html", "perfetto", "otlp", "record" }
local shown_left = 20

local export_known = options.with_common {
  as = { value = "html|perfetto|otlp|record", help = "a page, a trace, spans, or an archive for moonlet run import",
    choices = form_names },
  output = { value = "FILE", letter = "o", help = "the file to write" },
  content = { help = "otlp: with prompts and answers" },
}

--- Lists the files that the export omits. Files that an HTML page never displays are only counted.
local function left_lines(left)
  local lines, missing, unshown = {}, {}, 0
  for _, item in ipairs(left) do
    if item.unshown == true then unshown = unshown + 1 else missing[#missing + 1] = item end
  end
  for i = 1, math.min(#missing, shown_left) do
    local item = missing[i]
    lines[i] = ("left out: %s%s: %s"):format(core.text.printable(item.path, 200),
      math.type(item.bytes) == "integer" and (" (%d bytes)"):format(item.bytes) or "",
      core.text.printable(item.why, 200))
  end
  if #missing > shown_left then lines[#lines + 1] = ("and %d more: --json has them"):format(#missing - shown_left) end
  if unshown > 0 then
    lines[#lines + 1] = ("%s of the record %s named with size and hash, and not shown"):format(
      counted(unshown, "file"), unshown == 1 and "is" or "are")
  end
  return lines
end

local function check(found, rest)
  if #rest ~= 1 then error(options.usage("export which run?", "moonlet export last --as html -o run.html"), 0) end
  if not found.as then
    error(options.usage("export it as what?", "--as html, --as perfetto, --as otlp or --as record"), 0)
  end
  if not forms[found.as] then
    error(options.usage(("--as '%s' is not understood"):format(core.text.printable(found.as, 40)),
      record.suggest(found.as, form_names)), 0)
  end
  if not found.output then
    error(options.usage("--output is missing", ("moonlet export %s --as %s -o FILE"):format(rest[1], found.as)), 0)
  end
  if found.output == "-" then
    error(options.usage("an export is not written to standard output", "--output FILE names the file"), 0)
  end
  if found.content and found.as ~= "otlp" then
    error(options.usage("--content is for --as otlp", "a page and an archive have prompts and answers anyway"), 0)
  end
end

local function export(words)
  local found, rest = verbs.read("run export", words, export_known)
  if not found then return nil, 0 end
  check(found, rest)
  local home = repository.open(found.repo)
  local id, rec = store.find(home, rest[1])
  if not rec.ended then
    error(record.invalid(("%s has not ended, and only a finished run can be exported"):format(id),
      core.runs.holder(home.handle, id) and "moonlet wait " .. id or "moonlet show " .. id), 0)
  end
  local dir, name, path = place.of(found.output, "--output")
  local writer = require("moonlet.engine.export." .. forms[found.as])
  local left = writer.write(home, store.root(home), rec, dir, name, { content = found.content })
  local stat = core.file.stat(dir, name)
  local lines = left_lines(left)
  table.insert(lines, 1, ("%s: %s, %d bytes"):format(id, core.text.printable(path, 400), stat and stat.size or 0))
  return { ok = true, command = "run export", run = store.envelope(home, rec), error = null,
    result = { file = path, as = found.as, bytes = stat and stat.size or null, left = core.json.array(left) } }, 0,
    table.concat(lines, "\n") .. "\n"
end

local function import(words)
  local found, rest = verbs.read("run import", words, options.with_common())
  if not found then return nil, 0 end
  if #rest ~= 1 then
    error(options.usage("import which file?", "moonlet run export --as record -o FILE made it elsewhere"), 0)
  end
  local dir, name = place.of(rest[1], "the archive")
  local home = repository.open(found.repo)
  core.run.make_home(home.handle)
  local id, manifest = require("moonlet.engine.export.import").read(home, store.root(home), dir, name)
  local _, rec = store.find(home, id)
  local lines = left_lines(manifest.left)
  table.insert(lines, 1, ("%s: imported from %s, %s"):format(id, manifest.run,
    counted(#manifest.files, "file")))
  lines[#lines + 1] = ("moonlet run verify %s checks it, --runner cassette:%s plays its answers"):format(id, id)
  return { ok = true, command = "run import", run = store.envelope(home, rec), error = null,
    result = { id = id, from = manifest.run, files = #manifest.files, left = core.json.array(manifest.left) } }, 0,
    table.concat(lines, "\n") .. "\n"
end

M.verbs = {
  export = { known = export_known },
  import = { known = options.with_common() },
}

---@return table? envelope, integer exit_code, string? text
function M.main(words) return (words[2] == "export" and export or import)(words) end

return M
