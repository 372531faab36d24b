---@meta _

---@class moonlet.Error    the error table that pcall returns, of the host, of the library or of m.fail
---@field kind "invalid"|"denied"|"limit"|"timeout"|"cancelled"|"budget"|"quota"|"quorum"|"rejected"|"lost"|"failed"
---@field message string
---@field hint string?       the remedy
---@field at string?         the author's file and line
---@field step string?       the key of the step
---@field retryable boolean?
---@field cause any          the first failure behind it

---@alias moonlet.Schema table  JSON Schema (draft-07), built with m.schema or written as a table

---@alias moonlet.BudgetKind "tokens"|"usd"|"wall"|"agents"|"processes"

---@class moonlet.BudgetView    wall is in seconds
local budget = {}

--- The number that may still be used: what the tightest budget around has left, without the reservations of siblings.
--- At least 0, and math.huge where nothing limits.
---
--- Errors: `invalid` an unknown kind.
--- ```lua
--- ctx.budget:left "tokens" > 20000 --> true
--- ```
---@param kind moonlet.BudgetKind
---@return number
function budget:left(kind) end

--- The number that the body has used, of a scope with a budget or of the run.
---
--- Errors: `invalid` an unknown kind.
--- ```lua
--- ctx.budget:used "usd" --> 0
--- ```
---@param kind moonlet.BudgetKind
---@return number
function budget:used(kind) end

--- The smallest limit around; math.huge where nothing limits.
---
--- Errors: `invalid` an unknown kind.
--- ```lua
--- ctx.budget:limit "tokens" == math.huge --> true
--- ```
---@param kind moonlet.BudgetKind
---@return number
function budget:limit(kind) end

---@class moonlet.m
local m = {}

--- JSON's null, which a Lua table can hold.
--- ```lua
--- m.json.encode { a = m.null } --> '{"a":null}'
--- ```
---@type userdata
m.null = nil

---@class moonlet.json
m.json = {}

--- A Lua value as JSON text. An empty table is an object, unless m.array marks it.
---
--- Errors: `invalid` a function, a cycle, or a list with holes.
--- ```lua
--- m.json.encode { list = m.array {}, n = 1 } --> '{"list":[],"n":1}'
--- ```
---@param value any
---@param indent integer?  spaces for each level
---@return string
function m.json.encode(value, indent) end

--- The value of a JSON text. Integers stay integers; null is m.null; a list keeps its mark.
---
--- Errors: `invalid` a text that is no JSON, or a duplicate key.
--- ```lua
--- m.json.decode('{"n": [1, 2]}').n[2] --> 2
--- ```
---@param text string
---@return any
function m.json.decode(text) end

--- The text of a file in the preset's own folder, such as a prompt.
---
--- Errors: `invalid` a file that is not there.
--- ```lua
--- m.asset "prompt.md" --> "Read {{file}}.\n"
--- ```
---@param file string
---@return string
function m.asset(file) end

---@class moonlet.RouteSpec
---@field task_type string?  such as "test-gaps"
---@field risk "low"|"medium"|"high"|nil
---@field force boolean?     take work that is refused, with a reason
---@field reason string?
---@field config table?      instead of the user's

---@class moonlet.Route
---@field runner string
---@field model string?
---@field why string
---@field task_type string?
---@field forced boolean?

--- The runner and the model for a kind of work.
---
--- Errors: `denied` work that should not go to a sidecar ("escalate"); `invalid` an unknown risk or a misspelt kind.
--- ```lua
--- m.route { task_type = "test-gaps" }.runner --> "codex"
--- ```
---@param spec moonlet.RouteSpec
---@return moonlet.Route
function m.route(spec) end

---@class moonlet.runner    readers of the events that agent CLIs print; they start nothing
m.runner = {}

---@class moonlet.EventReader
---@field begin fun(): moonlet.RunnerState
---@field parse fun(state: moonlet.RunnerState, line: string): moonlet.RunnerEvent[]
---@field finish fun(state: moonlet.RunnerState, exit: moonlet.RunnerExit, answers?: moonlet.RunnerAnswers): moonlet.RunnerResult
---@field normalise (fun(schema: table): table)?  a schema in the form that the provider takes

---@class moonlet.RunnerState    the state of a reader; its fields are its own

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
---@field error moonlet.Error?  of a program that could not be started
---@field late true?            it said that it was done only after a limit had ended it

---@class moonlet.RunnerAnswers
---@field file string?     the text of output.md
---@field stdout string?   for programs that print no events
---@field cut integer|false|nil  the size of the answer, if it is not whole
---@field limits {wall: integer?, idle: integer?, turns: integer?}?  milliseconds, for messages
---@field now integer?     milliseconds since 1970, for the time of a reset

---@class moonlet.RunnerResult
---@field status "ok"|"failed"
---@field class string?         the kind of a failure
---@field text string           the answer
---@field cut integer|false     the size of the answer, if it is not whole
---@field usage moonlet.Usage?
---@field model string?         the model that the agent named
---@field error moonlet.Error?
---@field files_changed string[]  by the agent's own report
---@field denied {tool: string, detail: string?}[]  actions that it was denied
---@field warnings string[]

---@class moonlet.Usage
---@field input_tokens integer?
---@field cached_input_tokens integer?
---@field output_tokens integer?
---@field reasoning_output_tokens integer?
---@field total_tokens integer?
---@field cost_usd number?
---@field cost_is "reported"|"estimate"|nil
---@field partial boolean?    a sum in which something was unknown: it is at least that much
---@field estimated boolean?  some of its tokens are an estimate

--- The runner that reads the events of a format.
---
--- Errors: `invalid` an unknown format.
--- ```lua
--- type(m.runner.events("claude").parse) --> "function"
--- ```
---@param name "codex"|"claude"|"gemini"|"opencode"|"moonlet"
---@return moonlet.EventReader
function m.runner.events(name) end

---@class moonlet.RunnerReader
---@field state moonlet.RunnerState  goes to `finish`
---@field feed fun(self: moonlet.RunnerReader, bytes: string): moonlet.RunnerEvent[]
---@field close fun(self: moonlet.RunnerReader): moonlet.RunnerEvent[]

--- An incremental reader of a format: bytes in, events out.
---
--- Errors: `invalid` an unknown format.
--- ```lua
--- local reader = m.runner.reader "moonlet"
--- reader:feed '{"type":"text","text":"hello"}\n'[1].text --> "hello"
--- ```
---@param name "codex"|"claude"|"gemini"|"opencode"|"moonlet"
---@return moonlet.RunnerReader
function m.runner.reader(name) end

--- Reads a whole stream at once.
---
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

--- The reader of Codex CLI's events.
--- ```lua
--- local reader = m.runner.codex
--- local state = reader.begin()
--- reader.parse(state, '{"type":"turn.started"}')
--- ```
---@type moonlet.EventReader
m.runner.codex = nil

--- The reader of Claude Code's events.
--- ```lua
--- local state = m.runner.claude.begin()
--- ```
---@type moonlet.EventReader
m.runner.claude = nil

--- The reader of Gemini CLI's events.
--- ```lua
--- local state = m.runner.gemini.begin()
--- ```
---@type moonlet.EventReader
m.runner.gemini = nil

--- The reader of opencode's events.
--- ```lua
--- local state = m.runner.opencode.begin()
--- ```
---@type moonlet.EventReader
m.runner.opencode = nil

--- The reader of moonlet's own format: a JSON object a line, with `type` as in moonlet.RunnerEvent.
--- ```lua
--- local state = m.runner.moonlet.begin()
--- ```
---@type moonlet.EventReader
m.runner.moonlet = nil
