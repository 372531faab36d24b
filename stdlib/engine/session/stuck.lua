--- Handles a stuck agent. Only a rule of the user can approve anything.
local M = {}

---@class moonlet.StuckPolicy
---@field answers table<string, string>  kind of prompt -> "deny", "approve", "ask", or a text to type
---@field poke integer    press Enter after this many ms without new output
---@field give_up integer  do `then_do` this many ms after Enter was pressed
---@field then_do "kill"|"resume"|"leave"
M.defaults = {
  answers = { trust = "ask", approval = "deny", menu = "ask", ["y/n"] = "deny", directory = "ask",
    password = "ask", instruction = "ask", enter = "enter", text = "ask" },
  poke = 10 * 60 * 1000,
  give_up = 10 * 60 * 1000,
  then_do = "leave",
}

---@class moonlet.StuckMemory
---@field answered table<string, true>  answered prompts, by the text of the prompt
---@field poked_ms integer?
---@field told string?  the last reported state

---@class moonlet.Intervention
---@field act "answer"|"poke"|"kill"|"resume"|"ask"|"wait"|"none"
---@field why string
---@field text string?
---@field keys string[]?
---@field enter boolean?

local function none(why) return { act = "none", why = why } end

--- Returns the text and keys of an answer; nil if the keys for "deny" or "approve" are unknown.
local function keys_of(found, answer)
  local known = found.prompt and found.prompt[answer]
  if known then return known.text, known.keys, known.enter end
  if answer == "enter" then return "", nil, true end
  if answer == "deny" or answer == "approve" then return nil end
  return answer, nil, true
end

local function answer_prompt(found, memory, policy)
  local shown = ("%s: %s"):format(found.waits, found.detail or found.evidence[#found.evidence])
  local answer = policy.answers[found.waits] or "ask"
  if answer == "ask" then return { act = "ask", why = ("%s; no rule answers it"):format(shown) } end
  if memory.answered[shown] and memory.answered[shown] >= 3 then
    return { act = "ask", why = ("%s; it was answered %d times, and asks again"):format(shown,
      memory.answered[shown]) }
  end
  local text, keys, enter = keys_of(found, answer)
  if text == nil and not keys then
    return { act = "ask", why = ("%s; how to %s it is not known"):format(shown, answer) }
  end
  memory.answered[shown] = (memory.answered[shown] or 0) + 1
  return { act = "answer", text = text, keys = keys, enter = enter,
    why = ("%s; the rule for %s says %s"):format(shown, found.waits, answer) }
end

--- Decides the next action: answer, wait, press Enter, end the agent, or ask a person.
---@return moonlet.Intervention
function M.decide(found, memory, policy, now_ms)
  local reason = found.evidence[1] or found.rule
  if found.state == "waiting-for-input" then return answer_prompt(found, memory, policy) end
  if found.state == "ended" or found.state == "lost" then return none(reason) end
  if found.state == "waiting-for-quota" or found.state == "slow" then
    return { act = "wait", why = reason }
  end
  if found.state == "working" then
    memory.poked_ms = nil
    return none(reason)
  end
  local stuck_ms = found.since_ms or 0
  if found.state == "looping" then
    if stuck_ms < policy.poke then return { act = "wait", why = reason } end
  elseif memory.poked_ms == nil then
    if stuck_ms < policy.poke then return { act = "wait", why = reason } end
    memory.poked_ms = now_ms
    return { act = "poke", text = "", enter = true, why = reason }
  end
  if memory.poked_ms and now_ms - memory.poked_ms < policy.give_up then
    return { act = "wait", why = "Enter was pressed; " .. reason }
  end
  if policy.then_do == "leave" then return { act = "ask", why = reason } end
  return { act = policy.then_do, why = reason }
end

---@return moonlet.StuckMemory
function M.memory() return { answered = {} } end

return M
