---@meta _

---@class moonlet.Error    error table that pcall returns from the host, the library or m.fail
---@field kind "invalid"|"denied"|"limit"|"timeout"|"cancelled"|"budget"|"quota"|"quorum"|"rejected"|"lost"|"failed"
---@field message string
---@field hint string?       remedy
---@field at string?         the author's file and line
---@field step string?       key of the step
---@field retryable boolean?
---@field cause any          first failure that led to this error

---@alias moonlet.Schema table  a JSON Schema (draft-07), built with m.schema or written as a table

---@alias moonlet.BudgetKind "tokens"|"usd"|"wall"|"agents"|"processes"

---@class moonlet.BudgetView    reads a budget; `wall` is in seconds
local budget = {}

--- Returns how much may still be used under the tightest budget. What running work has reserved
--- counts as used. The result is at least 0, and math.huge without a limit.
--- Errors: `invalid` an unknown kind.
--- ```lua
--- ctx.budget:left "tokens" > 20000 --> true
--- ```
---@param kind moonlet.BudgetKind
---@return number
function budget:left(kind) end

--- Returns how much of a budget is used: the body's own budget, or else the budget of the run.
--- Errors: `invalid` an unknown kind.
--- ```lua
--- ctx.budget:used "usd" --> 0
--- ```
---@param kind moonlet.BudgetKind
---@return number
function budget:used(kind) end

--- Returns the smallest limit that applies, or math.huge without a limit.
--- Errors: `invalid` an unknown kind.
--- ```lua
--- ctx.budget:limit "tokens" == math.huge --> true
--- ```
---@param kind moonlet.BudgetKind
---@return number
function budget:limit(kind) end

---@class moonlet.m
local m = {}

--- Stands for the null of JSON. Unlike nil, m.null can be stored in a Lua table.
--- ```lua
--- m.json.encode { a = m.null } --> '{"a":null}'
--- ```
---@type userdata
m.null = nil

---@class moonlet.json
m.json = {}

--- Encodes a Lua value as JSON. An empty table becomes an object, unless m.array marks it.
--- Errors: `invalid` a function, a cycle, or a list with holes.
--- ```lua
--- m.json.encode { list = m.array {}, n = 1 } --> '{"list":[],"n":1}'
--- ```
---@param value any
---@param indent integer?  spaces for each level
---@return string
function m.json.encode(value, indent) end

--- Decodes a JSON text. Integers stay integers, and null becomes m.null.
--- A decoded list stays marked as an array.
--- Errors: `invalid` malformed JSON, or a duplicate key.
--- ```lua
--- m.json.decode('{"n": [1, 2]}').n[2] --> 2
--- ```
---@param text string
---@return any
function m.json.decode(text) end

--- Returns the text of a file in the preset's own folder, such as a prompt.
--- Errors: `invalid` a missing file.
--- ```lua
--- m.asset "prompt.md" --> "Read {{file}}.\n"
--- ```
---@param file string
---@return string
function m.asset(file) end

---@class moonlet.RouteSpec
---@field task_type string?  kind of work, such as "test-gaps"
---@field risk "low"|"medium"|"high"|nil
---@field force boolean?     true to accept refused work; needs a reason
---@field reason string?
---@field config table?      replaces the user's config

---@class moonlet.Route
---@field runner string
---@field model string?
---@field why string
---@field task_type string?
---@field forced boolean?

--- Chooses the runner and the model for a kind of work.
--- Errors: `denied` means that the work needs a stronger reviewer ("escalate");
--- `invalid` means an unknown risk or a misspelt kind.
--- ```lua
--- m.route { task_type = "test-gaps" }.runner --> "codex"
--- ```
---@param spec moonlet.RouteSpec
---@return moonlet.Route
function m.route(spec) end

---@class moonlet.runner    parses the events that agent CLIs print; it starts no program
m.runner = {}

---@class moonlet.EventReader
---@field begin fun(): moonlet.RunnerState
---@field parse fun(state: moonlet.RunnerState, line: string): moonlet.RunnerEvent[]
---@field finish fun(state: moonlet.RunnerState, exit: moonlet.RunnerExit, answers?: moonlet.RunnerAnswers): moonlet.RunnerResult
---@field normalise (fun(schema: table): table)?  converts a schema to the form that the provider accepts

---@class moonlet.RunnerState    the private state of a parser

---@class moonlet.RunnerEvent
---@field type "session"|"text"|"tool"|"usage"|"retry"|"warning"|"error"|"done"
---@field text string?        text of a text, warning, error or retry event
---@field name string?        name of the tool
---@field detail string?      one line about the tool's call
---@field status string?  of a tool: "running", "ok", "failed", "denied"; of a done event: "ok", "failed"
---@field exit_code integer?  exit code of the tool
---@field usage moonlet.Usage?
---@field attempt integer?    number of the retry
---@field delay_ms integer?   delay before the retry
---@field model string?       model of the session
---@field id string?          id of the session

---@class moonlet.RunnerExit
---@field why "exited"|"signalled"|"wall"|"idle"|"cancelled"|"finished"|"lost"|"not_started"
---@field code integer?
---@field signal integer?
---@field stderr_tail string?   last 64 KB of standard error
---@field error moonlet.Error?  set if the program could not start
---@field late true?            the agent's final event came only after a limit had stopped it

---@class moonlet.RunnerAnswers
---@field file string?     text of output.md
---@field stdout string?   output of a program that prints no events
---@field cut integer|false|nil  size of a truncated answer
---@field limits {wall: integer?, idle: integer?, turns: integer?}?  ms, for messages
---@field now integer?     present time in ms since 1970, to compute the time of a quota reset

---@class moonlet.RunnerResult
---@field status "ok"|"failed"
---@field class string?         kind of a failure
---@field text string           the answer
---@field cut integer|false     size of a truncated answer
---@field usage moonlet.Usage?
---@field model string?         model that the agent reported
---@field error moonlet.Error?
---@field files_changed string[]  files that the agent claims to have changed
---@field denied {tool: string, detail: string?}[]  actions that the sandbox or the user denied
---@field warnings string[]

---@class moonlet.Usage
---@field input_tokens integer?
---@field cached_input_tokens integer?
---@field cache_write_tokens integer?  part of the input that was written into the provider's cache
---@field output_tokens integer?
---@field reasoning_output_tokens integer?
---@field total_tokens integer?
---@field cost_usd number?
---@field cost_is "reported"|"estimate"|nil
---@field partial boolean?    true if some usage is unknown, so that the sum is a lower bound
---@field estimated boolean?  true if some tokens are estimated

--- Returns the runner that parses the events of a format.
--- Errors: `invalid` an unknown format.
--- ```lua
--- type(m.runner.events("claude").parse) --> "function"
--- ```
---@param name "codex"|"claude"|"gemini"|"opencode"|"moonlet"
---@return moonlet.EventReader
function m.runner.events(name) end

---@class moonlet.RunnerReader
---@field state moonlet.RunnerState  state to pass to `finish`
---@field feed fun(self: moonlet.RunnerReader, bytes: string): moonlet.RunnerEvent[]
---@field close fun(self: moonlet.RunnerReader): moonlet.RunnerEvent[]

--- Makes an incremental parser of a format. It reads bytes and returns events.
--- Errors: `invalid` an unknown format.
--- ```lua
--- local reader = m.runner.reader "moonlet"
--- reader:feed '{"type":"text","text":"hello"}\n'[1].text --> "hello"
--- ```
---@param name "codex"|"claude"|"gemini"|"opencode"|"moonlet"
---@return moonlet.RunnerReader
function m.runner.reader(name) end

--- Parses a whole stream of events at once.
--- Errors: `invalid` an unknown format.
--- ```lua
--- local result = m.runner.read("moonlet", '{"type":"text","text":"hi"}\n{"type":"done","status":"ok"}\n',
---   { why = "exited", code = 0 }, { now = 0 })
--- result.text --> "hi"
--- ```
---@param name "codex"|"claude"|"gemini"|"opencode"|"moonlet"
---@param bytes string
---@param exit moonlet.RunnerExit
---@param answers moonlet.RunnerAnswers?
---@return moonlet.RunnerResult result
---@return moonlet.RunnerEvent[] events
function m.runner.read(name, bytes, exit, answers) end

--- Parses the events of Codex CLI.
--- ```lua
--- local reader = m.runner.codex
--- local state = reader.begin()
--- reader.parse(state, '{"type":"turn.started"}')
--- ```
---@type moonlet.EventReader
m.runner.codex = nil

--- Parses the events of Claude Code.
--- ```lua
--- local state = m.runner.claude.begin()
--- ```
---@type moonlet.EventReader
m.runner.claude = nil

--- Parses the events of Gemini CLI.
--- ```lua
--- local state = m.runner.gemini.begin()
--- ```
---@type moonlet.EventReader
m.runner.gemini = nil

--- Parses the events of opencode.
--- ```lua
--- local state = m.runner.opencode.begin()
--- ```
---@type moonlet.EventReader
m.runner.opencode = nil

--- Parses moonlet's own format: one JSON object per line, with the types of moonlet.RunnerEvent.
--- ```lua
--- local state = m.runner.moonlet.begin()
--- ```
---@type moonlet.EventReader
m.runner.moonlet = nil
