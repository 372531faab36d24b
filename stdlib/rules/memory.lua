--- Rules about C and C++: functions that cannot be used safely, sizes that are one short, memory that is used after
--- it was given back.

local find, format, match, sub = string.find, string.format, string.match, string.sub

local M = {}

M.rules = {
  ["unsafe-function"] = { lenses = { "security", "risks", "correctness" }, severity = "medium", confidence = 0.8,
    fix = "Use the form that takes the size of the target." },
  ["format-string"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Print it with \"%s\"." },
  ["short-buffer"] = { lenses = { "correctness", "security" }, severity = "high", confidence = 0.9,
    fix = "Add one byte for the end of the text." },
  ["size-of-pointer"] = { lenses = { "correctness" }, severity = "high", confidence = 0.85,
    fix = "Use the size of what it points to." },
  ["use-after-free"] = { lenses = { "correctness", "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Use it before it is given back, or not at all." },
  ["lost-realloc"] = { lenses = { "risks" }, severity = "low", confidence = 0.8,
    fix = "Keep the old pointer until the call has succeeded." },
}

local UNSAFE = {
  { "gets", "critical", "gets writes as much as comes in, whatever the size of the buffer", "Use fgets." },
  { "strcpy", "medium", "strcpy does not know the size of its target", "Use snprintf or strlcpy, and handle what does not fit." },
  { "strcat", "medium", "strcat does not know the size of its target", "Use snprintf or strlcat, and handle what does not fit." },
  { "sprintf", "medium", "sprintf does not know the size of its target", "Use snprintf." },
  { "vsprintf", "medium", "vsprintf does not know the size of its target", "Use vsnprintf." },
  { "tmpnam", "medium", "between tmpnam and the opening anybody can put a file there", "Use mkstemp." },
  { "mktemp", "medium", "between mktemp and the opening anybody can put a file there", "Use mkstemp." },
}

local function unsafe(view, n, line, report)
  for _, item in ipairs(UNSAFE) do
    local at, stop = find(line.code, "%f[%w_]" .. item[1] .. "%s*%(")
    if at and not find(sub(line.code, at - 2, at - 1), "[.>:]$") and not find(sub(line.code, 1, at - 1), "[%w_]%s+%**$") then
      local literal = find(line.code, "%f[%w_]" .. item[1] .. "%s*%([^,]*,%s*\"[^\"]*\"%s*%)")
      -- A fixed text of known length into a buffer is checked by eye.
      if not (literal and (item[1] == "strcpy" or item[1] == "strcat")) and stop then
        local text = match(line.text, "s?printf%s*%([^,]*,%s*\"([^\"]*)\"")
        local only_numbers = item[1] == "sprintf" and text and not find(text, "%%[^%a%%]*s")
        if not only_numbers then
          report("unsafe-function", view, n, item[3] .. ".", { severity = item[2], fix = item[4],
            confidence = item[1] == "gets" and 0.98 or nil })
          return
        end
      end
    end
  end
  if find(line.text, "scanf%s*%([^\"]*\"[^\"]*%%s") and find(line.code, "%f[%w_]f?s?scanf%s*%(") then
    report("unsafe-function", view, n, "%s in scanf writes as much as comes in.", { fix = "Give the width: %63s for 64 bytes." })
  end
end

local function formats(view, n, line, report)
  local name = match(line.code, "^%s*printf%(%s*([%a_][%w_%->.]*)%s*%)%s*;")
    or match(line.code, "%f[%w_]fprintf%(%s*[%w_%->.]+%s*,%s*([%a_][%w_%->.]*)%s*%)%s*;")
    or match(line.code, "%f[%w_]syslog%(%s*[%w_|]+%s*,%s*([%a_][%w_%->.]*)%s*%)%s*;")
  if name and not find(name, "^%u[%u%d_]*$") and not find(name, "[Ff]ormat") and not find(name, "fmt") then
    report("format-string", view, n, format("%s is used as the format itself: a %% in it is obeyed.", name))
  end
end

local function sizes(view, n, line, report)
  local code = line.code
  if find(code, "%f[%w_]malloc%s*%(%s*strlen%s*%([^()]*%)%s*%)") or find(code, "%f[%w_]alloca%s*%(%s*strlen%s*%([^()]*%)%s*%)") then
    report("short-buffer", view, n, "The buffer has no room for the byte that ends the text.")
  end
  local kind, name, inner = match(code, "([%w_]+)%s*%*%s*([%a_][%w_]*)%s*=%s*[^;]-[mc]alloc%s*%([^;]-sizeof%s*%(?%s*([%w_]+)%s*%)")
  if name and inner == name and kind then
    report("size-of-pointer", view, n, format("sizeof(%s) is the size of the pointer, not of what it points to.", name))
  end

  local first, second = match(code, "%f[%w_]([%a_][%w_%->.]*)%s*=%s*realloc%s*%(%s*([%a_][%w_%->.]*)%s*,")
  if first and first == second then
    report("lost-realloc", view, n, format("When realloc fails, the only pointer to the old memory of %s is gone.", first))
  end
end

-- free(p) and, with nothing in between that could change it, p again.
local function after_free(view, n, line, report)
  local name = match(line.code, "^%s*free%s*%(%s*([%a_][%w_]*)%s*%)%s*;%s*$") or match(line.code, "^%s*delete%s+([%a_][%w_]*)%s*;%s*$")
    or match(line.code, "^%s*delete%s*%[%]%s*([%a_][%w_]*)%s*;%s*$")
  if not name then return end
  for i = n + 1, n + 4 do
    local later = view.lines[i]
    if not later or find(later.code, "[{}:]") or find(later.code, "^%s*#") then return end
    if find(later.code, "%f[%w_]" .. name .. "%s*=[^=]") then return end
    if find(later.code, "%f[%w_]goto%f[^%w_]") or find(later.code, "%f[%w_]break%f[^%w_]") or find(later.code, "%f[%w_]continue%f[^%w_]") then return end
    if find(later.code, "%f[%w_]" .. name .. "%f[^%w_]") and not find(later.code, "[.>]%s*" .. name) then
      if find(later.code, "^%s*return%s+" .. name .. "%s*;") or find(later.code, name .. "%s*%->") or find(later.code, "%*%s*" .. name)
        or find(later.code, name .. "%s*%[") or find(later.code, "free%s*%(%s*" .. name .. "%s*%)") or find(later.code, "[(,]%s*" .. name .. "%s*[,)]") then
        report("use-after-free", view, later.added and i or n, format("%s is used after it was given back.", name))
      end
      return
    end
    if find(later.code, "%f[%w_]return%f[^%w_]") then return end
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  if view.generated or (view.language ~= "c" and view.language ~= "cpp" and view.language ~= "objc") then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.code, "%S") and not line.inside and not line.moved then
      if not view.test then
        unsafe(view, n, line, report)
        formats(view, n, line, report)
      end
      sizes(view, n, line, report)
      after_free(view, n, line, report)
    end
  end
end

return M
