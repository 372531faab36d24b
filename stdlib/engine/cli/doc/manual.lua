--- Generates the manual page in mdoc from the verbs' help: `moonlet --help man`.
local page = require "moonlet.engine.base.page"
local manifest = require "moonlet.engine.run.manifest"
local sorted_keys = require "moonlet.engine.base.sorted_keys"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

local verdicts = {
  { "ok", "every required step succeeded and every validation passed" },
  { "failed", "a required step failed" },
  { 2, "the command line, preset or config is wrong; nothing was started" },
  { "needs-human", "the run waits at a gate or question; moonlet answer continues it" },
  { "degraded", "finished with fewer agents than all, or by the runner mock" },
  { "budget", "a limit was reached; what finished is kept" },
  { "blocked", "a validation or a required evidence failed, or a verifier does not pass the work" },
  { "findings", "--fail-on was given and findings reach it" },
  { "quota", "the run waits for its provider; moonlet wait resumes it" },
  { 124, "run wait: --timeout is over; the run continues" },
  { "cancelled", "ended by the user" },
}

--- Escapes the characters of a text that mdoc would interpret.
local function plain(text) return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("…", "...")) end

--- Splits a text into short lines of mdoc. Each sentence starts a new line.
local function line(text)
  local lines = page.wrap(text:gsub("\n", " "):gsub("([.?!]) +(%u)", "%1\n%2"), 72)
  for i, part in ipairs(lines) do lines[i] = plain(part):gsub("^([.'])", "\\&%1") end
  return table.concat(lines, "\n")
end

--- Quotes a macro's argument, so that it cannot start another macro or end this one.
local function word(text) return '"' .. plain(text):gsub('"', '""') .. '"' end

local function add_options(lines, known)
  local names = sorted_keys(known, function(option) return not option.hidden end)
  lines[#lines + 1] = ".Bl -tag -width Ds -compact"
  for _, name in ipairs(names) do
    local option = known[name]
    local left = (option.letter and "-" .. option.letter .. ", " or "") .. "--" .. name
    lines[#lines + 1] = ".It Sy " .. word(left)
      .. (option.value and " Ar " .. word(option.value) or "")
    lines[#lines + 1] = line(option.help)
  end
  lines[#lines + 1] = ".El"
end

function M.text()
  local lines = {
    ".\\\" Made by moonlet --help man.", ".Dd November 22, 2026", ".Dt MOONLET 1", ".Os",
    ".Sh NAME", ".Nm moonlet", ".Nd run Lua presets that put coding agents to work", ".Sh SYNOPSIS",
    ".Nm", ".Ar command", ".Op Ar argument ...", ".Op Ar option ...", ".Sh DESCRIPTION", ".Nm",
    "runs Lua presets: they compose prompts, run coding agents side by side with",
    "limits, check what came back, and leave a record under", ".Pa .agent .",
    "A run is named R\\-007, 7, 007 or last.", "The verbs of", ".Ic run",
    "that are used most need no", ".Ic run", "before them.", ".Sh COMMANDS", ".Bl -tag -width Ds",
  }
  for _, verb in ipairs(verbs.list) do
    lines[#lines + 1] = ".It Ic " .. word(verb.name)
      .. (verb.arguments and " Ar " .. word(verb.arguments) or "")
    lines[#lines + 1] = line(verb.help:gsub("^%l", string.upper) .. ".")
    if verb.text then lines[#lines + 1] = line(verb.text) end
    if not verb.means then add_options(lines, verbs.options(verb)) end
  end
  lines[#lines + 1] = ".El"
  lines[#lines + 1] = ".Sh FILES"
  lines[#lines + 1] = ".Bl -tag -width Ds"
  for _, file in ipairs { { ".agent/runs", "the records of runs" },
      { ".agent/sidecars", "prompts, answers and logs" },
    { "$XDG_CONFIG_HOME/moonlet/config.lua", "the config of the user" } } do
    lines[#lines + 1] = ".It Pa " .. file[1]
    lines[#lines + 1] = line(file[2])
  end
  lines[#lines + 1] = ".El"
  lines[#lines + 1] = ".Sh EXIT STATUS"
  lines[#lines + 1] = ".Bl -tag -width Ds -compact"
  for _, item in ipairs(verdicts) do
    local code = manifest.exit_codes[item[1]] or item[1]
    lines[#lines + 1] = (".It %d"):format(code)
    lines[#lines + 1] = line((type(item[1]) == "string" and item[1] .. ": " or "") .. item[2])
  end
  lines[#lines + 1] = ".El"
  lines[#lines + 1] = ".Sh EXAMPLES"
  lines[#lines + 1] = ".Bd -literal"
  for _, verb in ipairs(verbs.list) do lines[#lines + 1] = plain(verb.example) end
  lines[#lines + 1] = ".Ed"
  return table.concat(lines, "\n") .. "\n"
end

return M
