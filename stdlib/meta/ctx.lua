---@meta _

--- The verbs of a run. A preset's `run` and a branch of a fan-out get a ctx; a script has it as a global.

---@class moonlet.Ctx    the verbs and fields of a run; every body (a branch, a scope, a task) has a ctx of its own
local ctx = {}

--- The top of the git work tree, else the working directory.
--- ```lua
--- ctx:log("working in " .. ctx.repo)
--- ```
---@type string
ctx.repo = ""

--- The name of the run's runner; nil where none was chosen.
--- ```lua
--- if not ctx.runner then ctx:log "no agent is asked" end
--- ```
---@type string?
ctx.runner = nil

--- The model that the command line or the config names; nil where none is named.
--- ```lua
--- ctx:log("model: " .. (ctx.model or "the runner's own"))
--- ```
---@type string?
ctx.model = nil

--- The id of the run.
--- ```lua
--- ctx.run_id:sub(1, 2) --> "R-"
--- ```
---@type string
ctx.run_id = ""

--- The name of the run's artifact folder under `.agent/sidecars`.
--- ```lua
--- ctx:log("artifacts: .agent/sidecars/" .. ctx.task_id)
--- ```
---@type string
ctx.task_id = ""

--- The budget of the body, read one number at a time.
--- ```lua
--- local rounds = 0
--- while rounds < 2 and ctx.budget:left "tokens" > 20000 do
---   rounds = rounds + 1
---   ctx:agent { name = "fix", prompt = "Name the next thing to fix." }
--- end
--- ```
---@type moonlet.BudgetView
ctx.budget = nil

--- The files and command outputs that `--input` names.
--- ```lua
--- for _, input in ipairs(ctx.inputs) do ctx:log(input.spec .. ": " .. #input.text .. " bytes") end
--- ```
---@type moonlet.Input[]
ctx.inputs = {}

---@class moonlet.Input
---@field spec string       the words of --input
---@field kind "file"|"glob"|"cmd"|"diff"
---@field path string?      of a file
---@field argv string[]?    of a command
---@field text string?      nil for a binary file
---@field bytes integer
---@field sha256 string
---@field cut boolean?      only its beginning is here
---@field binary boolean?

--- Calls one agent, checks its answer, and records both. The call is one journaled step: a resumed run repeats the
--- recorded answer and pays nothing.
---
--- Errors: `invalid` a wrong option or a schema that is none; `denied` a right that was not granted; `budget` a limit is
--- reached; `quota` the provider refuses until a reset; `timeout` the agent took too long; `failed` it crashed, or its
--- answer does not fit the schema after one repair; `cancelled`.
--- ```lua
--- local answer = ctx:agent {
---   name = "bugs",
---   prompt = 'List the bugs in src/a.lua. Answer with {"bugs": ["…"]}.',
---   schema = m.schema.object { bugs = m.schema.list(m.schema.string()) },
--- }
--- answer.data.bugs[1] --> "off by one"
--- ```
---@param call moonlet.AgentCall
---@return moonlet.AgentResult
function ctx:agent(call) end

---@class moonlet.AnyOptions
---@field name string?            part of the keys of its steps; the verb's name without it
---@field key (fun(item: any): string|integer)?  names a branch; its index without it
---@field limit integer?          how many branches run at once; that of the run without it
---@field timeout string|number|nil  for all of it: "8m", or seconds

---@class moonlet.FanOutOptions : moonlet.AnyOptions
---@field need integer?           how many must succeed; without it the first failure cancels the others
---@field settle boolean?         every place holds an outcome, and no failure raises

---@class moonlet.Outcome    one place of a fan-out with `settle`
---@field ok boolean
---@field value any               the result of the branch
---@field error moonlet.Error?    the error that it raised

---@class moonlet.LostBranch
---@field branch string           its key: the result of `key`, or its index
---@field kind string
---@field message string

---@class moonlet.Lost    stands in the place of a branch that failed; m.is_lost and tostring work, any other use raises

--- Runs a function side by side for each item. `results[i]` belongs to `items[i]`: a lost value stands in the place of
--- a branch that failed, m.null in that of one that returned nil.
---
--- Errors: `quorum` fewer than `need` succeeded, or none did; without `need` and `settle` the first branch's own error.
--- ```lua
--- local files = { "src/a.lua", "src/b.lua" }
--- local results, lost = ctx:parallel(files, function(c, file)
---   return c:agent { name = file, prompt = "Read " .. file .. " and name its riskiest line." }.text
--- end, { need = 1, limit = 4 })
--- #results --> 2
--- #lost --> 0
--- ```
---@generic T, R
---@param items T[]
---@param fn fun(c: moonlet.Ctx, item: T, index: integer): R
---@param options moonlet.FanOutOptions?
---@return R[] results
---@return moonlet.LostBranch[] lost
function ctx:parallel(items, fn, options) end

--- Sends each item through stages, without a barrier between them: one item may be in the last stage while another is
--- in the first. A stage is fn(c, value, item), with the value of the stage before it. Results as of ctx:parallel.
---
--- Errors: as of ctx:parallel.
--- ```lua
--- local sizes = ctx:pipeline({ "src/a.lua", "src/b.lua" },
---   function(c, file) return c:read(file) end,
---   function(_, text, file) return { file = file, bytes = #text } end)
--- sizes[1].file --> "src/a.lua"
--- ```
---@generic T, A, B, C
---@param items T[]
---@param ... fun(c: moonlet.Ctx, value: any, item: T): any|moonlet.FanOutOptions  stages, and the options last
---@return any[] results
---@return moonlet.LostBranch[] lost
---@overload fun(self: moonlet.Ctx, items: T[], one: (fun(c: moonlet.Ctx, value: T, item: T): A), options?: moonlet.FanOutOptions): A[], moonlet.LostBranch[]
---@overload fun(self: moonlet.Ctx, items: T[], one: (fun(c: moonlet.Ctx, value: T, item: T): A), two: (fun(c: moonlet.Ctx, value: A, item: T): B), options?: moonlet.FanOutOptions): B[], moonlet.LostBranch[]
function ctx:pipeline(items, ...) end

--- Runs a function side by side for each item; the first success is the result, and the other branches are cancelled.
---
--- Errors: `quorum` if no branch succeeded.
--- ```lua
--- local text, index = ctx:any({ "src/none.lua", "src/a.lua" }, function(c, path)
---   return c:exec { "cat", path, name = "cat" }.code == 0 and c:read(path) or m.fail { message = "no " .. path }
--- end)
--- index --> 2
--- #text > 0 --> true
--- ```
---@generic T, R
---@param items T[]
---@param fn fun(c: moonlet.Ctx, item: T, index: integer): R
---@param options moonlet.AnyOptions?
---@return R value
---@return integer index
function ctx:any(items, fn, options) end

---@class moonlet.ScopeOptions
---@field name string?              part of the keys of its steps; "scope" without it
---@field timeout string|number|nil "8m", or seconds
---@field budget moonlet.Limits?    limits for all in it

---@class moonlet.Limits
---@field tokens integer?
---@field usd number?
---@field wall string|number|nil   a duration: "20m"
---@field agents integer?          how many agents may be started
---@field processes integer?       how many commands may be started

--- Runs a function as a scope: it returns when every task in it has ended and every process was reaped.
---
--- Errors: `timeout` or `budget` of the scope; else the error of its function.
--- ```lua
--- local text = ctx:scope({ name = "draft", timeout = "5m", budget = { agents = 2 } }, function(s)
---   return s:agent { prompt = "Draft a changelog entry." }.text
--- end)
--- #text > 0 --> true
--- ```
---@generic R
---@param options moonlet.ScopeOptions
---@param fn fun(s: moonlet.Ctx): R
---@return R
function ctx:scope(options, fn) end

---@class moonlet.Task    runs beside a body
local task = {}

--- Waits for the task; returns its function's results, or raises its error.
---
--- Errors: the error that the task's function raised.
--- ```lua
--- local task = ctx:spawn("count", function() return 3 end)
--- task:join() --> 3
--- ```
---@return any
function task:join() end

--- Runs a function beside the body. The body's end waits for it; an error that nothing joined cancels the siblings.
--- ```lua
--- local tests = ctx:spawn("tests", function(c) return c:exec { "true" }.code end)
--- local docs = ctx:spawn("docs", function(c) return c:exec { "true" }.code end)
--- tests:join() + docs:join() --> 0
--- ```
---@param name string  part of the keys of its steps
---@param fn fun(c: moonlet.Ctx): any
---@return moonlet.Task
function ctx:spawn(name, fn) end

--- Runs a function when the body has ended, however it ended: well, failed, out of time or cancelled. It has ten seconds
--- of its own.
--- ```lua
--- ctx:finally(function() ctx:exec { "rm", "-f", "server.pid" } end)
--- ```
---@param fn fun()
function ctx:finally(fn) end

--- Starts the time anew for which a script may compute without waiting.
---
--- Errors: `cancelled` or `timeout`, if the body is to end.
--- ```lua
--- for i = 1, 3 do
---   if i % 2 == 0 then ctx:yield() end
--- end
--- ```
function ctx:yield() end

---@class moonlet.StepInput
---@field input any?   a change of it makes the step run again

--- Runs a named function once: a resumed run repeats its result, as long as `input` is the same. The result is one JSON
--- value.
---
--- Errors: the error of the function.
--- ```lua
--- local plan = ctx:step("plan", { input = "src" }, function(c) return { files = #c:list "src" } end)
--- plan.files --> 2
--- ```
---@generic R
---@param name string
---@param options moonlet.StepInput?
---@param fn fun(c: moonlet.Ctx): R
---@return R
function ctx:step(name, options, fn) end

--- Runs another preset as a scope of this run; `needs.presets` names it. Its rights and limits are its own ones, within
--- those of the preset that calls it, and `ctx:write` in it writes to a folder of its own.
---
--- Errors: `denied` the preset is not declared; `invalid` an argument; and those of the preset.
--- ```lua
--- m.preset {
---   name = "before-push", summary = "Classifies what is staged.",
---   needs = { presets = { "precommit-classifier" }, programs = { "git" }, read = { "." }, agents = true,
---     repository = true },
---   run = function(c) return c:preset("precommit-classifier").path end,
--- }
--- ```
---@param name string
---@param args table<string, any>?  as on its command line
---@return any result  of the preset
function ctx:preset(name, args) end

---@class moonlet.PlanCall
---@field steps string[]?   3 to 6 short sentences
---@field at integer?       the one in progress, 1 by default; one more than there are when all are done
---@field calls integer?    the most agent calls of what follows, for a dry run
---@field checks (string|moonlet.ValidateCall)[]?  commands of ctx:validate that follow

--- Shows the plan of work that is not trivial: exactly one step is in progress. plan.md in the artifacts keeps it. The
--- grants of `checks` are asked for now, before an agent is paid; a dry run lists them.
---
--- Errors: `invalid` fewer than 3 steps or more than 6, a step that is no short sentence, or a check that cannot be
--- started; `denied` a check whose program was not granted.
--- ```lua
--- local steps = { "Read the code.", "Make the change.", "Run the tests." }
--- ctx:plan { steps = steps }
--- ctx:plan { steps = steps, at = 2 }
--- ```
---@param call moonlet.PlanCall
function ctx:plan(call) end

--- Names the run's phase for people who watch.
--- ```lua
--- ctx:phase("review", 3)
--- ```
---@param name string
---@param planned integer?  how many steps it will have
function ctx:phase(name, planned) end

--- Prints a line for people who watch; `print` does the same.
--- ```lua
--- ctx:log "two files to go"
--- ```
---@param ... any  texts as they are, tables as JSON
function ctx:log(...) end

---@class moonlet.ExecCall    the program and its words stand in the list, or in argv
---@field argv string[]?          instead of the list
---@field name string?            the step's key; "exec" without it
---@field cwd string?             from the top of the repository
---@field env table<string, string>?  variables to set
---@field stdin string?
---@field timeout string|number|nil   "10m" by default
---@field cap integer?            how many bytes of each stream to keep: 1 MB by default, 32 MB at most
---@field check boolean?          true: an exit code other than 0 raises
---@field journal boolean?        false: no step is recorded; a resumed run runs it again
---@field clean (fun(text: string): string)?  the part of its output that may be recorded; the program must only read
---@field sandbox "read-only"?    the program can write no file; `--unconfined` lifts it
---@field network boolean?        false, with `sandbox`: no TCP (Linux 6.7 or later)

---@class moonlet.ExecResult
---@field code integer        the exit code
---@field signal integer?     the signal that ended it
---@field stdout string
---@field stderr string
---@field cut boolean         some of the output is missing
---@field redacted boolean?   the output is that of the record, without its secrets

--- Runs a program, without a shell. A program that ran and failed is data: look at `code`.
---
--- Errors: `denied` a program that was not granted, or a sandbox that this kernel cannot enforce; `failed` it could not
--- be started, or with `check` its exit code; `timeout`.
--- ```lua
--- local git = ctx:exec { "git", "status", "--short", timeout = "1m" }
--- git.code --> 0
--- ```
---@param call moonlet.ExecCall|string[]
---@return moonlet.ExecResult
function ctx:exec(call) end

--- Starts a program on a terminal. It ends with the scope that started it, unless `detach` is set. The start is
--- recorded before it happens and so is each input before it is typed: a resumed run finds the session again and types
--- nothing twice.
---
--- Errors: `denied` a program that was not granted; `invalid` one that is not there; `timeout` what was expected did not
--- come; `failed` it had ended; `lost` its keeper was killed.
--- ```lua
--- local s = ctx:session { "sh", "-c", "read name; echo hello $name; read rest", timeout = "1m" }
--- s:send "you"
--- s:expect("hello (%w+)").text --> "you"
--- s:close().state --> "ended"
--- ```
---@param call moonlet.SessionCall
---@return moonlet.Session
function ctx:session(call) end

---@class moonlet.ValidateCall
---@field command string|string[]   words; no shell
---@field kind "typecheck"|"lint"|"test"|"build"|"custom"|nil
---@field required boolean?         false: a failure does not block the run
---@field name string?              the step's key
---@field timeout string|number|nil typecheck and lint 3 minutes, test and build 10, custom 5
---@field timeout_ms integer?       the same in milliseconds, as packets write it
---@field cwd string?
---@field env table<string, string>?

---@class moonlet.Validation
---@field kind string
---@field command string
---@field argv string[]
---@field status "passed"|"failed"|"timeout"
---@field why string?          in words, when it did not pass
---@field exit_code integer?
---@field duration_ms integer
---@field stdout string        the end of it
---@field stderr string
---@field dir string           the folder with the whole output

--- Has the host run a check of the repository. A required check that fails makes the verdict `blocked`, even if the
--- script goes on.
---
--- Errors: `invalid` a command that needs a shell, or an unknown kind; `denied` a program that was not granted.
--- ```lua
--- local check = ctx:validate "test:true"
--- check.status --> "passed"
--- ```
---@param call moonlet.ValidateCall|string
---@return moonlet.Validation
function ctx:validate(call) end

---@class moonlet.VerdictCall
---@field by string       who decided; a later verdict by the same name replaces this one
---@field pass boolean
---@field why string?     the reason, for the report

--- Notes what a verifier decided about work. A fail makes the verdict of the run `blocked`, as a failed check does. A
--- pass is no evidence: no review counts it.
--- ```lua
--- ctx:verdict { by = "verifier", pass = true, why = "each error names its line" }
--- ```
---@param call moonlet.VerdictCall
function ctx:verdict(call) end

---@class moonlet.RequireCall
---@field command string|string[]
---@field exit_code integer?      0 by default
---@field repetitions integer?    how many times it must end so, 1 by default
---@field artifacts string[]?     files that it must leave, none of them empty
---@field name string?
---@field timeout string|number|nil  "5m" by default
---@field cwd string?
---@field env table<string, string>?

---@class moonlet.Artifact
---@field path string
---@field bytes integer
---@field sha256 string?

---@class moonlet.Evidence
---@field runs moonlet.Validation[]
---@field artifacts moonlet.Artifact[]

--- Demands evidence: the host runs the command itself and looks for the files. An agent's claim cannot satisfy it.
---
--- Errors: `failed` the evidence is missing; the verdict is `blocked` then, even if the error is caught.
--- ```lua
--- local evidence = ctx:require { command = "true", repetitions = 2, artifacts = { "src/a.lua" } }
--- evidence.artifacts[1].path --> "src/a.lua"
--- ```
---@param call moonlet.RequireCall
---@return moonlet.Evidence
function ctx:require(call) end

---@class moonlet.GateCall
---@field action string    the action that a person approves
---@field why string?
---@field show string?     the text that the approval is bound to
---@field timeout string|number|nil  after it the answer is no
---@field name string?

---@class moonlet.Approval
---@field by string        the name of the person
---@field note string?

--- Lets a person decide. Without one the run parks as `needs-human`; `moonlet answer` goes on.
---
--- Errors: `rejected` the answer is no, or its time is over; `--gates deny` rejects at once.
--- ```lua
--- local yes = ctx:gate { action = "publish the report", why = "three reviewers agree", show = "the report" }
--- ctx:log("approved by " .. yes.by)
--- ```
---@param call moonlet.GateCall
---@return moonlet.Approval
function ctx:gate(call) end

---@class moonlet.QuestionCall
---@field text string
---@field options string[]?  the answers to choose from
---@field show string?
---@field timeout string|number|nil
---@field name string?

--- Asks a person, and parks the run until there is an answer.
---
--- Errors: `rejected` its time is over, or `--gates deny`.
--- ```lua
--- local branch = ctx:question { text = "Which branch?", options = { "main", "next" } }
--- ctx:log("on " .. branch)
--- ```
---@param call moonlet.QuestionCall
---@return string answer
function ctx:question(call) end

---@class moonlet.ReadOptions
---@field cap integer?     how many bytes to read at most, 1 MB by default
---@field missing "nil"|nil  a file that cannot be read gives nil and an error, and raises nothing

--- The text of a file of the repository.
---
--- Errors: `denied` a folder that was not granted; `invalid` a file that cannot be read.
--- ```lua
--- local text = ctx:read "src/a.lua"
--- #text > 0 --> true
--- ctx:read("gone.lua", { missing = "nil" }) --> nil
--- ```
---@param path string
---@param options moonlet.ReadOptions?
---@return string text
---@return moonlet.Error? err
---@return boolean? cut       only its beginning is there
---@return boolean? redacted  a resumed run: the file has changed, and the recorded text has no secrets
function ctx:read(path, options) end

---@class moonlet.ListFolderOptions
---@field missing "nil"|nil  a folder that is not there gives nil and an error

---@class moonlet.Entry
---@field name string
---@field type "file"|"directory"|"link"|"other"

--- The entries of a folder of the repository, sorted.
---
--- Errors: `denied` a folder that was not granted; `invalid` a folder that is not there.
--- ```lua
--- ctx:list("src")[1].name --> "a.lua"
--- ```
---@param path string
---@param options moonlet.ListFolderOptions?
---@return moonlet.Entry[] entries
---@return moonlet.Error? err
function ctx:list(path, options) end

--- Writes a file of the run's artifact folder. `findings.md` is shown at the end of the run.
---
--- Errors: `invalid` a path, or the name of a file that the host writes itself.
--- ```lua
--- ctx:write("findings.md", "# Findings\n\nNone.\n")
--- ```
---@param name string
---@param text string
function ctx:write(name, text) end

--- Waits.
---
--- Errors: `cancelled` or `timeout`, if the body is to end.
--- ```lua
--- ctx:sleep "1ms"
--- ```
---@param time string|number  a duration
function ctx:sleep(time) end

--- Milliseconds since 1970; a resumed run gets the recorded time.
--- ```lua
--- local started = ctx:now()
--- ctx:now() >= started --> true
--- ```
---@return integer
function ctx:now() end

--- A random integer from `low` to `high` (or from 1 to `low`), or without arguments a number in [0, 1); a resumed run
--- gets the recorded one.
--- ```lua
--- local dice = ctx:random(6)
--- dice >= 1 and dice <= 6 --> true
--- ```
---@param low integer?
---@param high integer?
---@return number
function ctx:random(low, high) end
