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
local forms = { "html", "perfetto", "otlp", "record" }
local shown_left = 20

local export_known = options.with_common {
  as = { value = "html|perfetto|otlp|record",
    help = "a page, a trace, spans, or an archive for moonlet run import",
    choices = forms },
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
  if #missing > shown_left then
    lines[#lines + 1] = ("and %d more: --json has them"):format(#missing - shown_left)
  end
  if unshown > 0 then
    lines[#lines + 1] = ("%s of the record %s named with size and hash, and not shown"):format(
      counted(unshown, "file"), unshown == 1 and "is" or "are")
  end
  return lines
end

local function check(found, rest)
  if #rest ~= 1 then
    options.refuse("export which run?", "moonlet export last --as html -o run.html")
  end
  if not found.as then
    options.refuse("export it as what?", "--as html, --as perfetto, --as otlp or --as record")
  end
  options.check_choice("as", found.as, forms)
  if not found.output then
    options.refuse("--output is missing",
      ("moonlet export %s --as %s -o FILE"):format(rest[1], found.as))
  end
  if found.output == "-" then
    options.refuse("an export is not written to standard output", "--output FILE names the file")
  end
  if found.content and found.as ~= "otlp" then
    options.refuse("--content is for --as otlp",
      "a page and an archive have prompts and answers anyway")
  end
end

local function export(words)
  local found, rest = verbs.read("run export", words, export_known)
  check(found, rest)
  local home = repository.open(found.repo)
  local id, rec = store.find(home, rest[1])
  if not rec.ended then
    record.refuse(("%s has not ended, and only a finished run can be exported"):format(id),
      core.runs.holder(home.handle, id) and "moonlet wait " .. id or "moonlet show " .. id)
  end
  local dir, name, path = place.of(found.output, "--output")
  local writer = require("moonlet.engine.export."
    .. (found.as == "record" and "archive" or found.as))
  local left = writer.write(home, store.root(home), rec, dir, name, { content = found.content })
  local stat = core.file.stat(dir, name)
  local lines = left_lines(left)
  table.insert(lines, 1, ("%s: %s, %d bytes"):format(id, core.text.printable(path, 400),
    stat and stat.size or 0))
  return options.envelope({ file = path, as = found.as, bytes = stat and stat.size or null,
    left = core.json.array(left) }, store.envelope(home, rec)), 0, table.concat(lines, "\n") .. "\n"
end

local function import(words)
  local found, rest = verbs.read("run import", words, options.with_common())
  if #rest ~= 1 then
    options.refuse("import which file?", "moonlet run export --as record -o FILE made it elsewhere")
  end
  local dir, name = place.of(rest[1], "the archive")
  local home = repository.open(found.repo)
  core.run.make_home(home.handle)
  local id, manifest = require("moonlet.engine.export.import").read(home,
    store.root(home), dir, name)
  local _, rec = store.find(home, id)
  local lines = left_lines(manifest.left)
  table.insert(lines, 1, ("%s: imported from %s, %s"):format(id, manifest.run,
    counted(#manifest.files, "file")))
  lines[#lines + 1] =
    ("moonlet run verify %s checks it, --runner cassette:%s plays its answers"):format(id, id)
  return options.envelope({ id = id, from = manifest.run, files = #manifest.files,
    left = core.json.array(manifest.left) }, store.envelope(home, rec)), 0,
    table.concat(lines, "\n") .. "\n"
end

M.verbs = {
  export = { known = export_known },
  import = { known = options.with_common() },
}

function M.main(words) return (words[2] == "export" and export or import)(words) end

return M
