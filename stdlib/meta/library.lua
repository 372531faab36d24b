---@meta _

---@class moonlet.Error    the error table that pcall returns from the host, the library or m.fail
---@field kind "invalid"|"denied"|"limit"|"timeout"|"cancelled"|"budget"|"quota"|"quorum"|"rejected"|"lost"|"failed"
---@field message string
---@field hint string?       the remedy
---@field at string?         the author's file and line
---@field step string?       the key of the step
---@field retryable boolean?
---@field cause any          the first failure that led to it

---@alias moonlet.Schema table  a JSON Schema (draft-07), built with m.schema or written as a table

---@alias moonlet.BudgetKind "tokens"|"usd"|"wall"|"agents"|"processes"

---@class moonlet.BudgetView    reads a budget; wall is in seconds
local budget = {}

--- Returns what may still be used under the tightest budget, without the reservations of siblings.
--- It is at least 0, and math.huge without a limit.
--- Errors: `invalid` an unknown kind.
--- ```lua
--- ctx.budget:left "tokens" > 20000 --> true
--- ```
---@param kind moonlet.BudgetKind
---@return number
function budget:left(kind) end

--- Returns how much the body has used, counted for its own budget or else for the run.
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

--- The null of JSON, which a Lua table can contain, unlike nil.
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

--- Decodes a JSON text. Integers stay integers, null becomes m.null, and a list stays marked as an
--- array.
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
---@field task_type string?  such as "test-gaps"
---@field risk "low"|"medium"|"high"|nil
---@field force boolean?     accept work that is refused; it needs a reason
---@field reason string?
---@field config table?      replaces the user's config

---@class moonlet.Route
---@field runner string
---@field model string?
---@field why string
---@field task_type string?
---@field forced boolean?

--- Chooses the runner and the model for a kind of work.
--- Errors: `denied` work that a sidecar should not do ("escalate"); `invalid` an unknown risk or a
--- misspelt kind.
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

---@class moonlet.RunnerState    the private state of a reader

---@class moonlet.RunnerEvent
---@field type "session"|"text"|"tool"|"usage"|"retry"|"warning"|"error"|"done"
---@field text string?        of text, warning, error and retry
---@field name string?        of tool
---@field detail string?      of tool: one line
---@field status string?      of tool: "running", "ok", "failed", "denied"; of done: "ok", "failed"
---@field exit_code integer?  of tool
---@field usage moonlet.Usage?
---@field attempt integer?    of retry
---@field delay_ms integer?   of retry
---@field model string?       of session
---@field id string?          of session

---@class moonlet.RunnerExit
---@field why "exited"|"signalled"|"wall"|"idle"|"cancelled"|"finished"|"lost"|"not_started"
---@field code integer?
---@field signal integer?
---@field stderr_tail string?   the last 64 KB of standard error
---@field error moonlet.Error?  the error, if the program could not start
---@field late true?            the agent reported its end only after a limit had stopped it

---@class moonlet.RunnerAnswers
---@field file string?     the text of output.md
---@field stdout string?   the output of programs that print no events
---@field cut integer|false|nil  the size of the answer, if it is truncated
---@field limits {wall: integer?, idle: integer?, turns: integer?}?  milliseconds, for messages
---@field now integer?     milliseconds since 1970, to compute the time of a reset

---@class moonlet.RunnerResult
---@field status "ok"|"failed"
---@field class string?         the kind of a failure
---@field text string           the answer
---@field cut integer|false     the size of the answer, if it is truncated
---@field usage moonlet.Usage?
---@field model string?         the model that the agent reported
---@field error moonlet.Error?
---@field files_changed string[]  the files that the agent says it changed
---@field denied {tool: string, detail: string?}[]  actions that its sandbox or the user denied
---@field warnings string[]

---@class moonlet.Usage
---@field input_tokens integer?
---@field cached_input_tokens integer?
---@field cache_write_tokens integer?  the part of the input that was written into the provider's cache
---@field output_tokens integer?
---@field reasoning_output_tokens integer?
---@field total_tokens integer?
---@field cost_usd number?
---@field cost_is "reported"|"estimate"|nil
---@field partial boolean?    true if some usage is unknown, so the sum is a lower bound
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
---@field state moonlet.RunnerState  the state to pass to `finish`
---@field feed fun(self: moonlet.RunnerReader, bytes: string): moonlet.RunnerEvent[]
---@field close fun(self: moonlet.RunnerReader): moonlet.RunnerEvent[]

--- Makes an incremental parser of a format. It takes bytes and returns events.
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
