--- The origin of an error: the frames of the script's author, taken at the moment at which it was raised. An error
--- passes through bodies and fan-outs that run beside each other; each adds the frames of its own author's code.
local M = {}

local most_frames, most_errors = 8, 64

--- Kinds that a line of the script is the place of. The others end the run from outside.
local placed = { invalid = true, denied = true, failed = true, timeout = true, quorum = true, rejected = true,
  lost = true }

---@class moonlet.Frame
---@field at string    file:line
---@field name string

-- By what errors say: an error that passes through a cancelled scope is another table then.
local frames_by_text, count = {}, 0

local function text_of(err)
  if type(err) ~= "table" then return tostring(err) end
  return ("%s\0%s"):format(tostring(rawget(err, "at")), tostring(rawget(err, "message")))
end

local function add(frames, more)
  for _, frame in ipairs(more) do
    local last = frames[#frames]
    if #frames < most_frames and not (last and last.at == frame.at) then frames[#frames + 1] = frame end
  end
end

--- The message handler of functions of scripts. Errors of the author get the place of the innermost frame.
---@param err any
---@return any err
function M.handler(err)
  local stack = core.frames.stack()
  if not stack or not stack[1] then return err end
  if type(err) == "table" and rawget(err, "at") == nil and placed[rawget(err, "kind") or "failed"] then
    rawset(err, "at", stack[1].at)
  end
  local text = text_of(err)
  if not frames_by_text[text] then
    if count >= most_errors then frames_by_text, count = {}, 0 end
    frames_by_text[text], count = {}, count + 1
  end
  add(frames_by_text[text], stack)
  return err
end

--- The frames of an error, innermost first; nil where none is known.
---@param err any
---@return moonlet.Frame[]?
function M.of(err) return frames_by_text[text_of(err)] end

--- `copy` stands for the same failure as `err`.
---@param copy table
---@param err any
---@return table copy
function M.pass(copy, err)
  local frames, text = M.of(err), text_of(copy)
  if frames and not frames_by_text[text] then frames_by_text[text] = frames end
  return copy
end

return M
