---@meta _

--- Declares ctx, the methods of a run. A preset's `run` and each branch of a fan-out get it as an
--- argument; a script has it as a global.

---@class moonlet.Ctx    the methods and fields of a run; each body (branch, scope, task) gets its own ctx
local ctx = {}

--- The top folder of the git work tree, or else the working directory.
--- ```lua
--- ctx:log("working in " .. ctx.repo)
--- ```
---@type string
ctx.repo = ""

--- The name of the run's runner, or nil if none was chosen.
--- ```lua
--- if not ctx.runner then ctx:log "no agent is asked" end
--- ```
---@type string?
ctx.runner = nil

--- The model that the command line or the config names, or nil.
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

--- The budget of this body, which methods read one number at a time.
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
---@field spec string       the text of --input
---@field kind "file"|"glob"|"cmd"|"diff"
---@field path string?      the path of a file
---@field argv string[]?    the words of a command
---@field text string?      nil for a binary file
---@field bytes integer
---@field sha256 string
---@field cut boolean?      true if the text is truncated
---@field binary boolean?

--- Calls one agent, checks its answer, and records both. The call is one journaled step: a resumed
--- run replays the recorded answer without a charge.
--- Errors: `invalid` a wrong option or a malformed schema; `denied` a right that was not granted;
--- `budget` a limit is reached; `quota` the provider refuses until a reset; `timeout` the agent
--- took too long; `failed` it crashed, or its answer does not fit the schema after one repair;
--- `cancelled`.
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
---@field name string?            part of the keys of its steps; by default the name of the method
---@field key (fun(item: any): string|integer)?  returns the key of a branch; by default its index
---@field limit integer?          the most branches that run at once; by default the limit of the run
---@field timeout string|number|nil  the time for all branches: "8m", or seconds

---@class moonlet.FanOutOptions : moonlet.AnyOptions
---@field need integer?           how many must succeed; by default the first failure cancels the others
---@field settle boolean?         true: each result is an outcome, and failures do not raise

---@class moonlet.Outcome    the result of one branch of a fan-out with `settle`
---@field ok boolean
---@field value any               the result of the branch
---@field error moonlet.Error?    the error that it raised

---@class moonlet.LostBranch
---@field branch string           its key: the result of `key`, or its index
---@field kind string
---@field message string

---@class moonlet.Lost    stands for a failed branch; m.is_lost and tostring accept it, any other use raises

--- Runs a function in parallel for each item. `results[i]` belongs to `items[i]`. A failed branch's
--- result is a lost value, and a nil result becomes m.null.
--- Errors: `quorum` fewer than `need` succeeded, or no branch did; without `need` and `settle` the
--- error of the first failed branch.
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

--- Sends each item through stages without a barrier: one item may be in the last stage while
--- another is in the first. A stage is fn(c, value, item) and gets the value of the stage before
--- it. The results have the form of ctx:parallel's.
--- Errors: those of ctx:parallel.
--- ```lua
--- local sizes = ctx:pipeline({ "src/a.lua", "src/b.lua" },
---   function(c, file) return c:read(file) end,
---   function(_, text, file) return { file = file, bytes = #text } end)
--- sizes[1].file --> "src/a.lua"
--- ```
---@generic T, A, B, C
---@param items T[]
---@param ... fun(c: moonlet.Ctx, value: any, item: T): any|moonlet.FanOutOptions  stages, then the options
---@return any[] results
---@return moonlet.LostBranch[] lost
---@overload fun(self: moonlet.Ctx, items: T[], one: (fun(c: moonlet.Ctx, value: T, item: T): A), options?: moonlet.FanOutOptions): A[], moonlet.LostBranch[]
---@overload fun(self: moonlet.Ctx, items: T[], one: (fun(c: moonlet.Ctx, value: T, item: T): A), two: (fun(c: moonlet.Ctx, value: A, item: T): B), options?: moonlet.FanOutOptions): B[], moonlet.LostBranch[]
function ctx:pipeline(items, ...) end

--- Runs a function in parallel for each item. It returns the first success and cancels the other
--- branches.
--- Errors: `quorum` every branch failed.
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
---@field name string?              part of the keys of its steps; "scope" by default
---@field timeout string|number|nil "8m", or seconds
---@field budget moonlet.Limits?    limits for all its work

---@class moonlet.Limits
---@field tokens integer?
---@field usd number?
---@field wall string|number|nil   a duration: "20m"
---@field agents integer?          the most agents to start
---@field processes integer?       the most commands to start

--- Runs a function as a scope. It returns after every task in the scope has ended and every process
--- was reaped.
--- Errors: `timeout` or `budget` of the scope, or the error of its function.
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

---@class moonlet.Task    a function that runs in parallel with the body that spawned it
local task = {}

--- Waits for the task. It returns the results of the task's function, or raises its error.
--- Errors: the error that the task's function raised.
--- ```lua
--- local task = ctx:spawn("count", function() return 3 end)
--- task:join() --> 3
--- ```
---@return any
function task:join() end

--- Runs a function in parallel with the body. The body waits for it at its end. An error that is
--- never joined cancels the sibling tasks.
--- ```lua
--- local tests = ctx:spawn("tests", function(c) return c:exec { "true" }.code end)
--- local docs = ctx:spawn("docs", function(c) return c:exec { "true" }.code end)
--- tests:join() + docs:join() --> 0
--- ```
---@param name string  part of the keys of its steps
---@param fn fun(c: moonlet.Ctx): any
---@return moonlet.Task
function ctx:spawn(name, fn) end

--- Runs a function at the end of the body, even if the body failed, timed out or was cancelled. The
--- function has its own ten seconds.
--- ```lua
--- ctx:finally(function() ctx:exec { "rm", "-f", "server.pid" } end)
--- ```
---@param fn fun()
function ctx:finally(fn) end

--- Restarts the time limit for a script that computes without waiting.
--- Errors: `cancelled` or `timeout`, if the body must end.
--- ```lua
--- for i = 1, 3 do
---   if i % 2 == 0 then ctx:yield() end
--- end
--- ```
function ctx:yield() end

---@class moonlet.StepInput
---@field input any?   if it changes, a resumed run repeats the step

--- Runs a named function once. A resumed run returns the recorded result if `input` is unchanged.
--- The result must be one JSON value.
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

--- Runs another preset as a scope of this run. `needs.presets` must name it. It has its own rights
--- and limits, within those of the calling preset, and its `ctx:write` uses its own folder.
--- Errors: `denied` the preset is not declared; `invalid` an argument; and the preset's own errors.
--- ```lua
--- m.preset {
---   name = "before-push", summary = "Classifies what is staged.",
---   needs = { presets = { "precommit-classifier" }, programs = { "git" }, read = { "." }, agents = true,
---     repository = true },
---   run = function(c) return c:preset("precommit-classifier").path end,
--- }
--- ```
---@param name string
---@param args table<string, any>?  its arguments, named as on the command line
---@return any result  the result of the preset
function ctx:preset(name, args) end

---@class moonlet.PlanCall
---@field steps string[]?   3 to 6 short sentences
---@field at integer?       the index of the step in progress, 1 by default; one past the end when all are done
---@field calls integer?    the most agent calls that will follow, for a dry run
---@field checks (string|moonlet.ValidateCall)[]?  commands that ctx:validate will run

--- Prints the plan of larger work, with exactly one step in progress, and writes it to plan.md in
--- the artifacts. It asks for the grants of `checks` now, before an agent is paid. A dry run lists
--- them.
--- Errors: `invalid` fewer than 3 steps or more than 6, a step that is not a short sentence, or a
--- check that cannot be started; `denied` a check whose program was not granted.
--- ```lua
--- local steps = { "Read the code.", "Make the change.", "Run the tests." }
--- ctx:plan { steps = steps }
--- ctx:plan { steps = steps, at = 2 }
--- ```
---@param call moonlet.PlanCall
function ctx:plan(call) end

--- Names the run's current phase for people who watch.
--- ```lua
--- ctx:phase("review", 3)
--- ```
---@param name string
---@param planned integer?  the expected number of its steps
function ctx:phase(name, planned) end

--- Prints a line for people who watch. `print` does the same.
--- ```lua
--- ctx:log "two files to go"
--- ```
---@param ... any  texts are printed unchanged, tables as JSON
function ctx:log(...) end

---@class moonlet.ExecCall    the program and its words, as list items or in argv
---@field argv string[]?          replaces the list items
---@field name string?            the step's key; "exec" by default
---@field cwd string?             relative to the top of the repository
---@field env table<string, string>?  variables to set
---@field stdin string?
---@field timeout string|number|nil   "10m" by default
---@field cap integer?            the most bytes to keep of each stream, 1 MB by default, 32 MB at most
---@field check boolean?          true: an exit code other than 0 raises
---@field journal boolean?        false: the call is not recorded, and a resumed run repeats it
---@field clean (fun(text: string): string)?  redacts the recorded output; the program must only read
---@field sandbox "read-only"?    the program cannot write files; `--unconfined` lifts this
---@field network boolean?        false, with `sandbox`: no TCP (Linux 6.7 or later)

---@class moonlet.ExecResult
---@field code integer        the exit code
---@field signal integer?     the signal that ended it
---@field stdout string
---@field stderr string
---@field cut boolean         true if the output is truncated
---@field redacted boolean?   true if the output is the recorded one, without its secrets

--- Runs a program without a shell. A program that exits with an error does not raise, so check
--- `code`.
--- Errors: `denied` a program that was not granted, or a sandbox that this kernel cannot enforce;
--- `failed` it could not start, or with `check` its exit code is not 0; `timeout`.
--- ```lua
--- local git = ctx:exec { "git", "status", "--short", timeout = "1m" }
--- git.code --> 0
--- ```
---@param call moonlet.ExecCall|string[]
---@return moonlet.ExecResult
function ctx:exec(call) end

--- Starts a program on a terminal. It ends with the scope that started it, unless `detach` is set.
--- The start and each input are recorded in advance, so a resumed run finds the session again and
--- types nothing twice.
--- Errors: `denied` a program that was not granted; `invalid` a missing program; `timeout` the
--- expected output did not come; `failed` the program had exited; `lost` its keeper was killed.
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
---@field command string|string[]   the words of the command; it runs without a shell
---@field kind "typecheck"|"lint"|"test"|"build"|"custom"|nil
---@field required boolean?         false: a failure does not block the run
---@field name string?              the step's key
---@field timeout string|number|nil typecheck and lint 3 minutes, test and build 10, custom 5
---@field timeout_ms integer?       the timeout in milliseconds, as packets write it
---@field cwd string?
---@field env table<string, string>?

---@class moonlet.Validation
---@field kind string
---@field command string
---@field argv string[]
---@field status "passed"|"failed"|"timeout"
---@field why string?          the reason, if it did not pass
---@field exit_code integer?
---@field duration_ms integer
---@field stdout string        the end of its standard output
---@field stderr string
---@field dir string           the folder with the whole output

--- Runs a check of the repository on the host. A failed required check makes the verdict `blocked`,
--- even if the script continues.
--- Errors: `invalid` a command that needs a shell, or an unknown kind; `denied` a program that was
--- not granted.
--- ```lua
--- local check = ctx:validate "test:true"
--- check.status --> "passed"
--- ```
---@param call moonlet.ValidateCall|string
---@return moonlet.Validation
function ctx:validate(call) end

---@class moonlet.VerdictCall
---@field by string       the name of the verifier; a later verdict of that name replaces this one
---@field pass boolean
---@field why string?     the reason, for the report

--- Records the verdict of a verifier on some work. A negative verdict makes the verdict of the run
--- `blocked`, as a failed check does. A positive one does not count as evidence.
--- ```lua
--- ctx:verdict { by = "verifier", pass = true, why = "each error names its line" }
--- ```
---@param call moonlet.VerdictCall
function ctx:verdict(call) end

---@class moonlet.RequireCall
---@field command string|string[]
---@field exit_code integer?      0 by default
---@field repetitions integer?    how often it must exit with that code, 1 by default
---@field artifacts string[]?     files that it must write, none of them empty
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

--- Demands evidence. The host runs the command itself and checks that the files exist. An agent's
--- claim does not count.
--- Errors: `failed` the evidence is missing; the verdict becomes `blocked`, even if the error is
--- caught.
--- ```lua
--- local evidence = ctx:require { command = "true", repetitions = 2, artifacts = { "src/a.lua" } }
--- evidence.artifacts[1].path --> "src/a.lua"
--- ```
---@param call moonlet.RequireCall
---@return moonlet.Evidence
function ctx:require(call) end

---@class moonlet.GateCall
---@field action string    the action that a person is asked to approve
---@field why string?
---@field show string?     the text that the approval is bound to
---@field timeout string|number|nil  when it is over, the answer is no
---@field name string?

---@class moonlet.Approval
---@field by string        the name of the person
---@field note string?

--- Asks a person for approval. If no person is at a terminal, the run parks as `needs-human` until
--- `moonlet answer`.
--- Errors: `rejected` the answer is no, or the time is over; `--gates deny` rejects at once.
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

--- Asks a person a question and parks the run until the answer comes.
--- Errors: `rejected` the time is over, or `--gates deny`.
--- ```lua
--- local branch = ctx:question { text = "Which branch?", options = { "main", "next" } }
--- ctx:log("on " .. branch)
--- ```
---@param call moonlet.QuestionCall
---@return string answer
function ctx:question(call) end

---@class moonlet.ReadOptions
---@field cap integer?     the most bytes to read, 1 MB by default
---@field missing "nil"|nil  "nil": an unreadable file returns nil and an error instead of raising

--- Reads a file of the repository as text.
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
---@return boolean? cut       true if the text is truncated
---@return boolean? redacted  true in a resumed run if the file has changed; the recorded text lacks its secrets
function ctx:read(path, options) end

---@class moonlet.ListFolderOptions
---@field missing "nil"|nil  "nil": a missing folder returns nil and an error instead of raising

---@class moonlet.Entry
---@field name string
---@field type "file"|"directory"|"link"|"other"

--- Lists the entries of a folder of the repository, sorted.
--- Errors: `denied` a folder that was not granted; `invalid` a missing folder.
--- ```lua
--- ctx:list("src")[1].name --> "a.lua"
--- ```
---@param path string
---@param options moonlet.ListFolderOptions?
---@return moonlet.Entry[] entries
---@return moonlet.Error? err
function ctx:list(path, options) end

--- Writes a file to the run's artifact folder. The end of the run prints `findings.md`.
--- Errors: `invalid` a malformed path, or the name of a file that the host writes itself.
--- ```lua
--- ctx:write("findings.md", "# Findings\n\nNone.\n")
--- ```
---@param name string
---@param text string
function ctx:write(name, text) end

--- Waits for a time.
--- Errors: `cancelled` or `timeout`, if the body must end.
--- ```lua
--- ctx:sleep "1ms"
--- ```
---@param time string|number  a duration
function ctx:sleep(time) end

--- Returns the time in milliseconds since 1970. A resumed run gets the recorded time.
--- ```lua
--- local started = ctx:now()
--- ctx:now() >= started --> true
--- ```
---@return integer
function ctx:now() end

--- Returns a random integer from `low` to `high` (or from 1 to `low`), or without arguments a
--- number in [0, 1). A resumed run gets the recorded number.
--- ```lua
--- local dice = ctx:random(6)
--- dice >= 1 and dice <= 6 --> true
--- ```
---@param low integer?
---@param high integer?
---@return number
function ctx:random(low, high) end
