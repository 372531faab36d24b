--- The runner `command` runs any program as an agent.
--- `{prompt}`, `{prompt_file}` and `{out}` are replaced in its arguments.
--- If the arguments contain neither {prompt} nor {prompt_file}, the program gets the prompt on
--- standard input.
--- The answer is out/output.md if the program wrote that file, else its standard output.
local exit_text = require "moonlet.engine.base.exit_text"
local lines = require "moonlet.engine.base.lines"
local outcome = require "moonlet.engine.runner.outcome"
local record = require "moonlet.record"

local M = { name = "command" }

--- Splits text into words like a shell, but without variables, globs and pipes.
function M.split(text)
  local words, word, quote, i = {}, nil, nil, 1
  while i <= #text do
    local c = text:sub(i, i)
    if quote == "'" then
      if c == "'" then quote = nil else word = word .. c end
    elseif c == "\\" and (quote ~= '"' or text:sub(i + 1, i + 1):find('[\\"]')) then
      i = i + 1
      word = (word or "") .. text:sub(i, i)
    elseif quote == '"' then
      if c == '"' then quote = nil else word = word .. c end
    elseif c == "'" or c == '"' then
      quote, word = c, word or ""
    elseif c:find("%s") then
      if word then words[#words + 1], word = word, nil end
    else
      word = (word or "") .. c
    end
    i = i + 1
  end
  if quote then record.refuse(("a %s quote is not closed in: %s"):format(quote, text)) end
  if word then words[#words + 1] = word end
  return words
end

--- Replaces {prompt}, {prompt_file} and {out} in argv. Braces inside the prompt are not replaced.
---@param call {argv: string[], prompt: string, prompt_file: string, out: string}
---@return {argv: string[], stdin: boolean}
function M.command(call)
  local argv, saw_prompt = {}, false
  local values = { prompt = call.prompt, prompt_file = call.prompt_file, out = call.out }
  for i, word in ipairs(call.argv) do
    argv[i] = word:gsub("{([%a_]+)}", function(name)
      if values[name] == nil then return nil end
      if name ~= "out" then saw_prompt = true end
      return values[name]
    end)
    if argv[i]:find("\0", 1, true) then
      record.refuse("the prompt contains a NUL byte and cannot be an argument",
        "use {prompt_file} or standard input for it")
    end
    if #argv[i] >= 128 * 1024 then
      record.refuse(("argument %d of the command would be %d bytes long"):format(i, #argv[i]),
        "the system allows 128 KiB for one argument: use {prompt_file} or standard input")
    end
  end
  return { argv = argv, stdin = not saw_prompt }
end

--- Suggests `runners.command.state` if standard error says "Permission denied".
local function hint_of(exit)
  local refused = (exit.stderr_tail or ""):find "[Pp]ermission denied"
  return refused and outcome.read_log
    .. "; if the sandbox refused it, add the folder to runners.command.state in your "
    .. "config, or pass --sandbox workspace-write" or outcome.read_log
end

--- Returns the result of a program that has ended. Only exit code 0 is a success.
---@param output {text: string, cut: integer|false|nil}
---@param limits {wall: integer, idle: integer}  milliseconds, for the error message
---@return {status: string, text: string, error: table?}
function M.finish(exit, output, limits)
  if exit.why == "exited" and exit.code == 0 then
    return { status = "ok", text = output.text, cut = output.cut,
      warnings = not output.text:find("%S") and { "the answer is empty" } or nil }
  end
  local kinds = { wall = "timeout", idle = "timeout", cancelled = "lost", lost = "lost" }
  local tail = lines.last(exit.stderr_tail or "")
  local message = "the agent " .. exit_text.of(exit, limits)
  if exit.error and exit.error.message ~= "" then
    message = message .. ": " .. exit.error.message
  end
  if exit.why == "exited" and tail then message = message .. ": " .. tail:sub(1, 300) end
  return { status = "failed", text = output.text, cut = output.cut,
    error = { kind = exit.error and exit.why ~= "lost" and exit.error.kind or kinds[exit.why]
      or "failed",
      message = message, hint = exit.error and exit.error.hint or hint_of(exit) } }
end

return M
