--- Collects the author's stack frames in each body and fan-out that an error passes.
local M = {}

local most_frames, most_errors = 8, 64

--- Lists the kinds of errors that scripts cause. Such an error names its line in the script.
local placed = { invalid = true, denied = true, failed = true, timeout = true, quorum = true,
  rejected = true, lost = true }

---@class moonlet.Frame
---@field at string    file:line
---@field name string

-- The key is the text of the error, because a cancelled scope raises a copy of the error.
local frames_by_text, count = {}, 0

local function text_of(err)
  if type(err) ~= "table" then return tostring(err) end
  return ("%s\0%s"):format(tostring(rawget(err, "at")), tostring(rawget(err, "message")))
end

-- Reports whether `frames` ends with `more`, as if an error is caught and raised again.
local function ends_with(frames, more)
  local before = #frames - #more
  for i, frame in ipairs(more) do
    local known = frames[before + i]
    if not known or known.at ~= frame.at then return false end
  end
  return true
end

local function add(frames, more)
  if ends_with(frames, more) then return end
  for _, frame in ipairs(more) do
    local last = frames[#frames]
    if #frames < most_frames and not (last and last.at == frame.at) then
      frames[#frames + 1] = frame
    end
  end
end

--- Records an error's stack frames. The innermost becomes the place of a script's mistake.
function M.handler(err)
  local stack = core.frames.stack()
  if not stack or not stack[1] then return err end
  if type(err) == "table" and rawget(err, "at") == nil
      and placed[rawget(err, "kind") or "failed"] then
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

---@return moonlet.Frame[]?
function M.of(err) return frames_by_text[text_of(err)] end

function M.pass(copy, err)
  local frames, text = M.of(err), text_of(copy)
  if frames and not frames_by_text[text] then frames_by_text[text] = frames end
  return copy
end

return M
