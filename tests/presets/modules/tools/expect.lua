-- Compares values for the scripts of this folder. Each function notes a fault, and expect.done()
-- raises the list.
local expect = {}
local looked, wrong = 0, {}

function expect.is(given, wanted, what)
  looked = looked + 1
  if given ~= wanted then
    wrong[#wrong + 1] = ("%s: %s, wanted %s"):format(what, tostring(given), tostring(wanted))
  end
end

function expect.holds(text, part, what)
  looked = looked + 1
  if not text:find(part, 1, true) then wrong[#wrong + 1] = ("%s: no '%s'"):format(what, part) end
end

function expect.raises(fn, part, what)
  local ok, err = pcall(fn)
  looked = looked + 1
  local text = type(err) == "table" and err.message .. " " .. (err.hint or "") or tostring(err)
  if ok or not text:find(part, 1, true) then wrong[#wrong + 1] = ("%s: %s"):format(what, ok and "no error" or text) end
end

function expect.done()
  if #wrong > 0 then
    error({ kind = "failed", message = #wrong .. " things are wrong:\n" .. table.concat(wrong, "\n") }, 0)
  end
  return { looked = looked }
end

return expect
