--- Rules about C and C++: functions that cannot be used safely, sizes that are one short, memory that is used after
--- it was given back, results that are used unchecked.

local shape = require "moonlet.text"

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
  ["unchecked-result"] = { lenses = { "risks", "correctness" }, severity = "medium", confidence = 0.8,
    fix = "Look whether it is NULL before it is used." },
}

local UNSAFE = {
  { "gets", "gets writes as much as comes in, whatever the size of the buffer", "Use fgets." },
  { "strcpy", "strcpy does not know the size of its target", "Use snprintf or strlcpy, and handle what does not fit." },
  { "strcat", "strcat does not know the size of its target", "Use snprintf or strlcat, and handle what does not fit." },
  { "sprintf", "sprintf does not know the size of its target", "Use snprintf." },
  { "vsprintf", "vsprintf does not know the size of its target", "Use vsnprintf." },
  { "tmpnam", "between tmpnam and the opening anybody can put a file there", "Use mkstemp." },
  { "mktemp", "between mktemp and the opening anybody can put a file there", "Use mkstemp." },
}
for _, item in ipairs(UNSAFE) do item.call = "%f[%w_]" .. item[1] .. "%s*%(" end

-- A fixed text of known length, or numbers alone, are checked by eye.
local function fits_by_eye(line, name)
  if name == "strcpy" or name == "strcat" then
    return find(line.code, "%f[%w_]" .. name .. "%s*%([^,]*,%s*\"[^\"]*\"%s*%)") ~= nil
  end
  local text = name == "sprintf" and match(line.text, "s?printf%s*%([^,]*,%s*\"([^\"]*)\"")
  return text and not find(text, "%%[^%a%%]*s") or false
end

local function unsafe(view, n, line, report)
  for _, item in ipairs(UNSAFE) do
    local at = find(line.code, item.call)
    local method = at and find(sub(line.code, at - 2, at - 1), "[.>:]$")
    local declared = at and find(sub(line.code, 1, at - 1), "[%w_]%s+%**$") and not find(line.code, "^%s*return%s")
    if at and not method and not declared and not fits_by_eye(line, item[1]) then
      local worst = item[1] == "gets"
      report("unsafe-function", view, n, item[2] .. ".",
        { severity = worst and "critical" or nil, fix = item[3], confidence = worst and 0.98 or nil })
      return
    end
  end
  if find(line.text, "scanf%s*%([^\"]*\"[^\"]*%%s") and find(line.code, "%f[%w_]f?s?scanf%s*%(") then
    report("unsafe-function", view, n, "%s in scanf writes as much as comes in.",
      { fix = "Give the width: %63s for 64 bytes." })
  end
end

local PRINTED = { "^%s*printf%(%s*([%a_][%w_%->.%[%]]*)%s*%)%s*;",
  "%f[%w_]fprintf%(%s*[%w_%->.]+%s*,%s*([%a_][%w_%->.%[%]]*)%s*%)%s*;",
  "%f[%w_]syslog%(%s*[%w_|]+%s*,%s*([%a_][%w_%->.%[%]]*)%s*%)%s*;",
  "%f[%w_]snprintf%([^,]+,[^,]+,%s*([%a_][%w_%->.%[%]]*)%s*%)%s*;" }

local function formats(view, n, line, report)
  local name = shape.first(line.code, PRINTED)
  if name and not find(name, "^%u[%u%d_]*$") and not find(name, "[Ff]ormat") and not find(name, "fmt") then
    report("format-string", view, n, format("%s is used as the format itself: a %% in it is obeyed.", name))
  end
end

local SHORT = { "%f[%w_]malloc%s*%(%s*strlen%s*%([^()]*%)%s*%)", "%f[%w_]alloca%s*%(%s*strlen%s*%([^()]*%)%s*%)" }
local OWN_SIZE = "([%a_][%w_]*)%s*=%s*[^;]-[mc]alloc%s*%([^;]-sizeof%s*%(?%s*([%w_]+)%s*%)"
local CLEARED = "%f[%w_]memset%s*%(%s*([%a_][%w_]*)%s*,%s*0%s*,%s*sizeof%s*%(%s*([%a_][%w_]*)%s*%)"
local REALLOC = "%f[%w_]([%a_][%w_%->.]*)%s*=%s*realloc%s*%(%s*([%a_][%w_%->.]*)%s*,"

-- True if a name was declared as a pointer a few lines above, or on this line.
local function is_pointer(view, n, name)
  for i = n, math.max(1, n - 10), -1 do
    local line = view.lines[i]
    if line and find(line.code, "%*%s*" .. name .. "%f[^%w_]%s*[;,=)]") then return true end
  end
  return false
end

local function sizes(view, n, line, report)
  local code = line.code
  if shape.any(code, SHORT) then
    report("short-buffer", view, n, "The buffer has no room for the byte that ends the text.")
  end
  local name, measured = match(code, OWN_SIZE)
  if not name then name, measured = match(code, CLEARED) end
  if name and name == measured and is_pointer(view, n, name) then
    report("size-of-pointer", view, n, format("sizeof(%s) is the size of the pointer, not of what it points to.", name))
  end
  local target, old = match(code, REALLOC)
  if target and target == old then
    report("lost-realloc", view, n,
      format("When realloc fails, the only pointer to the old memory of %s is gone.", old))
  end
end

-- After a call ------------------------------------------------------------------------------------

local FREED = { "^%s*free%s*%(%s*([%a_][%w_]*)%s*%)%s*;%s*$", "^%s*delete%s+([%a_][%w_]*)%s*;%s*$",
  "^%s*delete%s*%[%]%s*([%a_][%w_]*)%s*;%s*$" }
local ELSEWHERE = { "[{}:]", "^%s*#", "%f[%w_]goto%f[^%w_]", "%f[%w_]break%f[^%w_]", "%f[%w_]continue%f[^%w_]" }

local function uses_of(name)
  return { "^%s*return%s+" .. name .. "%s*;", name .. "%s*%->", "%*%s*" .. name, name .. "%s*%[",
    "free%s*%(%s*" .. name .. "%s*%)", "delete%s+" .. name .. "%s*;", "[(,]%s*" .. name .. "%s*[,)]" }
end

-- free(p) and, without a change of p in between, p again.
local function after_free(view, n, line, report)
  local name = shape.first(line.code, FREED)
  if not name then return end
  for i = n + 1, n + 4 do
    local later = view.lines[i]
    local set_again = later and find(later.code, "%f[%w_]" .. name .. "%s*=[^=]")
    if not later or set_again or shape.any(later.code, ELSEWHERE) then return end
    if find(later.code, "%f[%w_]" .. name .. "%f[^%w_]") and not find(later.code, "[.>]%s*" .. name .. "%f[^%w_]") then
      if shape.any(later.code, uses_of(name)) then
        report("use-after-free", view, later.added and i or n, format("%s is used after it was given back.", name))
      end
      return
    end
    if find(later.code, "%f[%w_]return%f[^%w_]") then return end
  end
end

local MAY_FAIL = {}
for i, call in ipairs { "malloc", "calloc", "fopen", "popen", "opendir" } do
  MAY_FAIL[i] = "([%a_][%w_]*)%s*=%s*%(?[%w_%s%*]*%)?%s*%f[%w_](" .. call .. ")%s*%("
end
local READERS = { "fgets", "fread", "fwrite", "fprintf", "fputs", "fscanf", "fclose", "fgetc", "readdir", "pclose" }

local function dereferences_of(name)
  local list = { name .. "%s*%->", "^%s*%*%s*" .. name .. "%s*=", name .. "%s*%[", "mem%a+%s*%(%s*" .. name .. "%s*,",
    "str%a+%s*%(%s*" .. name .. "%s*," }
  for _, reader in ipairs(READERS) do
    list[#list + 1] = "%f[%w_]" .. reader .. "%s*%(.*%f[%w_]" .. name .. "%s*[,)]"
  end
  return list
end

local LOOKED = { "%f[%w_]if%f[^%w_]", "%f[%w_]while%f[^%w_]", "[aA][sS][sS][eE][rR][tT]", "[{}?]" }

-- p = malloc(…) and then *p, with no look at p on the lines between.
local function unchecked(view, n, line, report)
  local name, call = shape.first(line.code, MAY_FAIL)
  if not name or shape.any(line.code, LOOKED) then return end
  for i = n + 1, n + 4 do
    local later = view.lines[i]
    if not later or shape.any(later.code, LOOKED) then return end
    if find(later.code, "%f[%w_]" .. name .. "%f[^%w_]") then
      if shape.any(later.code, dereferences_of(name)) then
        report("unchecked-result", view, n,
          format("%s can give NULL, and %s is used without a look at it.", call, name))
      end
      return
    end
  end
end

-- Words of the lines that are worth a search: the patterns after them are dearer.
local SIGNS = { "alloc", "open", "printf", "scanf", "gets", "strc", "tmpnam", "mktemp", "memset", "syslog", "free",
  "delete" }

local function check(view, n, line, report)
  if not view.test then
    unsafe(view, n, line, report)
    formats(view, n, line, report)
    if not view.example then unchecked(view, n, line, report) end
  end
  sizes(view, n, line, report)
  after_free(view, n, line, report)
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.family ~= "cpp" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.inside and not line.moved and #line.text < 1000 and shape.word(line.code, SIGNS) then
      check(view, n, line, report)
    end
  end
end

return M
