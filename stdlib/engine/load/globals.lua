--- Makes reading or setting an unknown global an error that suggests a similar name.
local record = require "moonlet.record"

local M = {}

local files = "read with ctx:read, write with ctx:write, start programs with ctx:exec"

local beside = 'require "name" loads name.lua beside the preset'

local absent = {
  io = files, package = "require finds the library and the files beside the preset",
  dofile = beside, loadfile = beside,
  loadstring = "write load(text)", unpack = "write table.unpack",
  setfenv = "write load(text, name, \"t\", env)",
  ctx = "verbs belong to the function that is given ctx: run = function(ctx, args) … end",
  args = "a preset receives them: run = function(ctx, args) … end",
  agent = "write ctx:agent { prompt = … }", parallel = "write ctx:parallel(items, fn)",
  log = "write ctx:log(text)", exec = "write ctx:exec { … }", null = "write m.null",
  None = "write nil", True = "write true", False = "write false", json = "write m.json",
  preset = "write m.preset { … }",
}

local function names_of(environment)
  local names = core.frames.locals()
  for name in next, environment do
    if type(name) == "string" then names[#names + 1] = name end
  end
  return names
end

local function shown(name) return core.text.printable(tostring(name), 60) end

function M.refuse_read(name, environment)
  local hint = absent[name]
  if hint then
    record.refuse(("there is no '%s' in a preset or script"):format(shown(name)), hint)
  end
  local near = type(name) == "string" and record.nearest(name, names_of(environment))
  record.refuse(("there is no variable '%s'"):format(shown(name)),
    near and ("did you mean '%s'?"):format(near)
      or "declare it first: local " .. shown(name) .. " = …")
end

function M.refuse_write(environment, name)
  local near = type(name) == "string" and record.nearest(name, names_of(environment))
  record.refuse(("there is no variable '%s' to set"):format(shown(name)),
    ("%swrite local %s = …"):format(near and ("did you mean '%s'? Else "):format(near) or "",
      shown(name)))
end

return M
