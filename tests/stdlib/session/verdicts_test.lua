-- Compares the judge with the plain rule "silent for ten minutes is stuck", for agents that sleep,
-- spin, wait, load, loop and hang.
local judge = require "moonlet.engine.session.judge"

local minute, plain_limit = 60000, 10 * 60000

local function facts(lines, silent, same, more)
  local all = { lines = lines, cursor = { row = #lines - 1, col = #lines[#lines] }, history = {}, silent_ms = silent,
    same_ms = same, age_ms = 60 * minute, repeats = 0, program = { echo = false, canonical = false },
    processes = { count = 2, running = 0, foreground = "agent", reads_terminal = false } }
  for key, value in pairs(more or {}) do all[key] = value end
  return all
end

local reads = { processes = { count = 1, running = 0, foreground = "agent", reads_terminal = true },
  program = { echo = true, canonical = true } }

--- Each row has an agent, its facts, the activity of its processes, the verdict, and the plain
--- rule's verdict.
local agents = {
  { "sleeps for two minutes", facts({ "waiting for CI" }, 2 * minute, 2 * minute), nil, "working", "fine" },
  { "sleeps for twelve minutes", facts({ "waiting for CI" }, 12 * minute, 12 * minute), nil, "suspect", "stuck" },
  { "thinks for twelve minutes, and uses a processor", facts({ "Thinking" }, 12 * minute, 12 * minute), { busy = 90,
    moved = 0 }, "slow", "stuck" },
  { "edits files without a word", facts({ "Thinking" }, 12 * minute, 12 * minute), { busy = 0, moved = 0,
    edited = "src/a.lua" }, "working", "stuck" },
  { "spins for twenty minutes", facts({ "⠙ Working (1200s)" }, 80, 20 * minute), nil, "hung", "fine" },
  { "waits for an answer", facts({ "Approve change [y/n] " }, minute, minute, reads), nil, "waiting-for-input", "fine" },
  { "waits for an answer since lunch", facts({ "Select directory: " }, 60 * minute, 60 * minute, reads), nil,
    "waiting-for-input", "stuck" },
  { "waits for a hidden input", facts({ "" }, 30 * minute, 30 * minute, { processes = reads.processes,
    program = { echo = false, canonical = true } }), nil, "waiting-for-input", "stuck" },
  { "waits for its quota", facts({ "Usage limit reached, resets 3pm" }, 50 * minute, 50 * minute), nil,
    "waiting-for-quota", "stuck" },
  { "downloads", facts({ "model.bin 43% 1.2 GB, 3.1 MB/s" }, 400, 12 * minute), nil, "slow", "fine" },
  { "downloads from a slow server", facts({ "Downloading model.bin" }, 12 * minute, 12 * minute), nil, "slow", "stuck" },
  { "repeats the same actions", facts({ "$ npm test", "1 failed" }, 200, 6 * minute, { repeats = 300 }), nil, "looping",
    "fine" },
  { "hangs", facts({ "Applying patch" }, 16 * minute, 16 * minute), { busy = 0, moved = 0 }, "hung", "stuck" },
}

local function plain(given) return given.silent_ms >= plain_limit and "stuck" or "fine" end

test("each agent gets the right verdict, although the plain rule is wrong about most", function()
  local wrong = 0
  for _, agent in ipairs(agents) do
    local what, given, more, wanted, by_silence = table.unpack(agent, 1, 5)
    is(judge.judge("running", {}, given, nil, more).state, wanted, what)
    is(plain(given), by_silence, what .. ", by silence alone")
    local is_stuck = wanted == "hung" or wanted == "looping" or wanted == "suspect"
    local needs_person = wanted == "waiting-for-input"
    if (by_silence == "stuck") ~= (is_stuck or needs_person) then wrong = wrong + 1 end
  end
  is(wrong, 7, "verdicts of the plain rule that are wrong")
end)
