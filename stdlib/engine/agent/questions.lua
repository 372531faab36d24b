--- Lets agents ask the user: an agent ends its answer with [QUESTION], and the run parks.
--- A new step passes the user's reply to the agent, in the worktree of the first step.
--- The worktree is merged when the agent has no more questions.
local context = require "moonlet.engine.context.context"
local record = require "moonlet.record"
local fan_out = require "moonlet.engine.context.fan_out"
local waiting = require "moonlet.engine.workspace.waiting"
local gate = require "moonlet.engine.effects.gate"

local M = {}

local most = 3  -- maximum number of questions of an agent

local how_to_ask = [[


If you cannot go on without a decision that is not yours to take, change nothing and end your answer with the question,
on a line that begins with [QUESTION]. If there are options, let a line "Options:" follow, and a line for each: "1. …".
You will be asked anew, with the answer. Do not ask what you can find out by yourself.]]

local function with_answers(prompt, answers, waits)
  if #answers == 0 then return prompt .. how_to_ask end
  local lines = { prompt, "", "You have asked, and this was decided:" }
  for _, item in ipairs(answers) do
    lines[#lines + 1] = ""
    lines[#lines + 1] = "Question: " .. item.question
    lines[#lines + 1] = "Answer: " .. item.answer
  end
  if waits then
    lines[#lines + 1] = ""
    lines[#lines + 1] = "The files that you changed before you asked are as you left them."
  end
  return table.concat(lines, "\n") .. (#answers < most and how_to_ask or "")
end

--- Raises the error of an unanswered question. The worktree is kept only if a resume can use it.
local function unanswered(run, err, waits)
  local kind = type(err) == "table" and rawget(err, "kind")
  if waits and kind ~= "parked" and (kind ~= "cancelled" or fan_out.has_lost()) then
    local note = waiting.give_up(run, waits)
    if note and type(err) == "table" then
      err.hint = (err.hint and err.hint .. "; " or "") .. note
    end
  end
  error(err, 0)
end

--- Implements ctx:agent{ asks = true, … }: calls `ask` until the agent has no more questions.
---@param ask fun(ctx: moonlet.Ctx, call: moonlet.AgentCall, asked: moonlet.Asked): table, moonlet.Waiting?
function M.agent(ctx, call, ask)
  local run, waits = context.of(ctx).run, nil
  if call.schema then
    record.refuse("ctx:agent: an agent that returns data cannot ask",
      "let an agent without `schema` ask first")
  end
  if type(call.prompt) ~= "string" then record.refuse("ctx:agent needs a prompt") end
  local copy, answers = {}, {}
  for name, value in pairs(call) do copy[name] = value end
  copy.asks = nil
  while true do
    -- An agent whose conversation continues gets only the user's last reply as its prompt.
    copy.prompt = copy.continues and answers[#answers].answer
      or with_answers(call.prompt, answers, waits)
    local result
    result, waits = ask(ctx, copy, { from = waits })
    local text, options = core.text.question(result.text)
    if not text then return result end
    if #answers == most then
      unanswered(run, { kind = "failed", at = call.name,
        message = ("an agent has asked %d questions, and asks again: %s"):format(most,
          core.text.printable(text, 300)),
        hint = "say more in its prompt" }, waits)
    end
    local ok, answer = pcall(gate.question, ctx, {
      name = (call.name or "agent") .. "-asks", text = text,
      options = #options > 0 and options or nil }, true)
    if not ok then unanswered(run, answer, waits) end
    answers[#answers + 1] = { question = text, answer = answer }
    copy.continues = result.session
  end
end

return M
