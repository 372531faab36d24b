local looked, wrong = 0, {}
local function note(text) wrong[#wrong + 1] = text end
local function show(value)
  if type(value) == "table" then
    local ok, text = pcall(core.json.encode, value)
    return ok and text or "a table"
  end
  return tostring(value)
end
local function is(given, wanted, what)
  looked = looked + 1
  if given ~= wanted then note(("%s: %s, wanted %s"):format(what, show(given), show(wanted))) end
end
local function same(given, wanted, what)
  looked = looked + 1
  if show(given) ~= show(wanted) then note(("%s: %s, wanted %s"):format(what, show(given), show(wanted))) end
end
local function holds(text, part, what)
  looked = looked + 1
  if type(text) ~= "string" or not text:find(part, 1, true) then note(("%s: no '%s' in: %s"):format(what, part, show(text))) end
end
local function raises(fn, part, what)
  looked = looked + 1
  local ok, err = pcall(fn)
  local text = type(err) == "table" and ("%s | %s | %s"):format(err.message, err.hint or "", err.at or "") or tostring(err)
  if ok then note(what .. ": no error") elseif not text:find(part, 1, true) then note(what .. ": " .. text) end
  return err
end
local cases, scratch = core.system.env "CASES", core.system.env "SCRATCH"
local function read_case(name) return (core.file.read(core.file.root(cases), name, 1 << 20)) end
local function put_file(folder, name, text) assert(core.file.write(assert(core.file.make_root(folder)), name, text)) end
local function told()
  if #wrong == 0 then return looked > 0 and "right" or "looked at nothing" end
  return table.concat(wrong, "\n")
end
