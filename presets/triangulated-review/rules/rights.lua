--- Rules about rights: permissions of files, rights that are given to everybody or to everything.

local shape = require "moonlet.text"

local find = string.find

local M = {}

M.rules = {
  ["open-permissions"] = { lenses = { "security", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Give write access to the owner alone." },
  ["runs-as-owner"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.85,
    fix = "Leave the bit away, and give the one capability that is needed." },
  ["all-rights"] = { lenses = { "security", "risks" }, severity = "high", confidence = 0.8,
    fix = "Name the actions and the things that are needed." },
}

-- Commands, as scripts, container files and the steps of CI hold them.
local MODES = { "%f[%w_]chmod%s+[%-%w%s]*[\"']?0?[0-7]?777%f[^%w]", "%f[%w_]chmod%s+[%-%w%s]*[\"']?0?666%f[^%w]",
  "%f[%w_]chmod%s+[%-R%s]*[ug]*[ao][ugo]*[%+=][rwxX]*w", "%-%-chmod=0?777", "%f[%w_]umask%s+0+%f[^%w]",
  "install%s.*%-m%s*0?777%f[^%w]" }
-- Calls, the mode last or first.
local CALLS = { "[cC]hmod%w*%(.*,%s*0o?777%s*[,)]", "[cC]hmod%w*%(.*,%s*0o?666%s*[,)]", "[cC]hmod%w*!?%(%s*0o?777%s*,",
  "[cC]hmod%w*%(.*S_I[RW][WO][OT][TH]?H?", "WriteFile%(.*,%s*0o?777%s*%)", "%f[%w_]umask%(%s*0+%s*%)",
  "%f[%w_]umask%(%s*0o0+%s*%)", "%f[%w]S_IRWXO%f[^%w]", "from_mode%(%s*0o777%s*%)", "set_mode%(%s*0o777%s*%)",
  "mode%s*[=:]%s*0o?777%f[^%w]", "setWritable%(%s*true%s*,%s*false%s*%)", "setExecutable%(%s*true%s*,%s*false%s*%)" }
-- The same, if the mode is a text.
local TEXTS = { "[cC]hmod%w*%(.*[\"'`]0?777[\"'`]", "[cC]hmod%w*%(.*[\"'`]0?666[\"'`]",
  "[cC]hmod%w*%(.*[\"'`]a%+rwx[\"'`]", "[\"'`]chmod%s+[%-R%s]*0?777%f[^%w]",
  "[\"']chmod[\"']%s*,%s*[^%)%]]*[\"']0?777[\"']",
  "[\"']rwxrwxrwx[\"']", "^%s*%-?%s*mode:%s*[\"']?0?o?777[\"']?%s*$", "^%s*defaultMode:%s*0?o?777%s*$" }
local FOLDERS = { "[mM]kdir%w*%(.*,%s*0o?777%s*[,)]", "[mM]kdir%w*%(.*os%.ModePerm" }

local COMMAND_LANGUAGES = shape.set "shell docker make just yaml fish"

-- The commands on a line of a script; a printed text is none.
local function command_text(view, line)
  if not COMMAND_LANGUAGES[view.language] then return "" end
  return shape.any(line.code, { "chmod", "umask", "install" }) and line.text or line.code
end

local function permissions(view, n, line, report)
  local code = line.code
  if shape.any(command_text(view, line), MODES) or shape.any(code, CALLS) or shape.any(line.text, TEXTS) then
    report("open-permissions", view, n, "Everybody on the machine may write to it.")
  elseif shape.any(code, FOLDERS) and not view.test then
    report("open-permissions", view, n,
      "Everybody on the machine may write into the folder, unless the umask forbids it.",
      { severity = "low", confidence = 0.7 })
  end
end

local OWNER_COMMANDS = { "%f[%w_]chmod%s+[%-R%s]*u?%+s%f[^%w]", "%f[%w_]chmod%s+[%-R%s]*[46][0-7][0-7][0-7]%f[^%w]" }
local OWNER_CALLS = { "[cC]hmod%w*%(.*,%s*0o?[46][0-7][0-7][0-7]%s*[,)]", "[cC]hmod%w*%(.*S_ISUID" }

local function borrowed_rights(view, n, line, report)
  if shape.any(command_text(view, line), OWNER_COMMANDS) or shape.any(line.code, OWNER_CALLS) then
    report("runs-as-owner", view, n, "Whoever starts the file gets the rights of its owner.")
  end
end

local EVERYTHING = {
  { "NOPASSWD:%s*ALL", "The account may run everything as root without being asked." },
  { "\"Action\"%s*:%s*%[?%s*\"%*\"", "The policy allows every action." },
  { "%f[%w]actions%s*=%s*%[%s*\"%*\"", "The policy allows every action." },
  { "%f[%w]Action%s*=%s*\"%*\"", "The policy allows every action." },
  { "%f[%w]GRANT%s+ALL%s.*%sTO%s+PUBLIC", "Every account of the database gets all rights." },
  { "%f[%w]GRANT%s+ALL%s.*%sTO%s+['\"]?%w*['\"]?@['\"]%%['\"]", "The account gets all rights from wherever it comes." },
  { "%f[%w]member%s*=%s*\"allUsers\"", "Everybody on the internet gets this right." },
}

local function all_rights(view, n, line, report)
  for _, item in ipairs(EVERYTHING) do
    if find(line.text, item[1]) then
      report("all-rights", view, n, item[2])
      return
    end
  end
end

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture or view.d.kind ~= "code" and view.d.kind ~= "config" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local told = line.inside == "string" and view.language ~= "yaml"
    if not line.moved and #line.text < 1000 and find(line.code, "%S") and not told then
      permissions(view, n, line, report)
      borrowed_rights(view, n, line, report)
      -- A change that CI makes to its own machine is over in minutes.
      if not view.test and not view.example and not view.for_developers then all_rights(view, n, line, report) end
    end
  end
end

return M
