---@meta _

--- Declares ctx, the methods of a run. A preset's `run` and each branch of a fan-out get it as an
--- argument. A script finds it in a global variable.

---@class moonlet.Ctx    methods and fields of a run; each branch, scope and task has its own ctx
local ctx = {}

--- Names the top folder of the git work tree, or else the working directory.
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

--- The budget of the current body (the function of a run, scope or branch). Each method reads one number.
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

--- The functions of the program that embeds moonlet, by name; the moonlet command provides none.
--- A call is a journaled step, with one table of arguments and a JSON value as the result.
--- A preset requests the right to call one with `needs = { host = { "close_ticket" } }`.
--- ```lua
--- local m = require "moonlet"
--- return m.preset {
---   name = "close", summary = "Closes a ticket.", needs = { host = { "close_ticket" } },
---   run = function(c) return c.host.close_ticket { id = 7 } end,
--- }
--- ```
---@type table<string, fun(arguments: table?): any>
ctx.host = {}

---@class moonlet.Input
---@field spec string       text of --input
---@field kind "file"|"glob"|"cmd"|"diff"
---@field path string?      path of a file
---@field argv string[]?    words of a command
---@field text string?      nil for a binary file
---@field bytes integer
---@field sha256 string
---@field cut boolean?      true if the text is truncated
---@field binary boolean?

--- Calls one agent, checks its answer, and records both.
--- The call is one journaled step: a resumed run replays the recorded answer without a charge.
--- Errors: `invalid` a wrong option or a malformed schema;
--- `denied` means that a right was not granted;
--- `budget` means that a limit is reached;
--- `quota` means that the provider refuses until a reset;
--- `timeout` means that the agent took too long;
--- `failed` means a crash, or an answer that does not fit the schema after one repair;
--- `cancelled` means that the run or its scope was cancelled.
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
---@field name string?            prefix of the branches' keys; default: the method's name
---@field key (fun(item: any): string|integer)?  returns the key of a branch; default: its index
---@field limit integer?          most branches that run at once; default: the run's limit
---@field timeout string|number|nil  time for all branches: "8m", or seconds

---@class moonlet.FanOutOptions : moonlet.AnyOptions
---@field need integer?           number of branches that must succeed; by default all
---@field settle boolean?         true: each result is an outcome, and failures raise no error

---@class moonlet.Outcome    result of one branch of a fan-out with `settle`
---@field ok boolean
---@field value any               result of the branch
---@field error moonlet.Error?    error that the branch raised

---@class moonlet.LostBranch
---@field branch string           key of the branch: the result of `key`, or the branch's index
---@field kind string
---@field message string

---@class moonlet.Lost    stands for a failed branch; only m.is_lost and tostring accept it

--- Runs a function in parallel for each item. `results[i]` belongs to `items[i]`.
--- A failed branch's result is a lost value, and a nil result becomes m.null.
--- Errors: `quorum` fewer than `need` branches succeeded, or none;
--- without `need` and `settle`, the first failed branch's error is raised.
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

--- Sends each item through stages without a barrier.
--- One item may be in the last stage while another item is in the first.
--- A stage is fn(c, value, item) and gets the value of the stage before it.
--- The results of ctx:pipeline have the form of ctx:parallel's.
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

--- Runs a function for each item, returns the first success, and cancels the other branches.
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
---@field name string?              part of the keys of the scope's steps; default: "scope"
---@field timeout string|number|nil "8m", or seconds
---@field budget moonlet.Limits?    limits for all work in the scope

---@class moonlet.Limits
---@field tokens integer?
---@field usd number?
---@field wall string|number|nil   a duration: "20m"
---@field agents integer?          most agents to start
---@field processes integer?       most commands to start

--- Runs a function as a scope.
--- ctx:scope returns after every task in the scope has ended and every process was reaped.
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

--- Waits for the task. Returns the results of the task's function, or raises its error.
--- Errors: the error that the task's function raised.
--- ```lua
--- local task = ctx:spawn("count", function() return 3 end)
--- task:join() --> 3
--- ```
---@return any
function task:join() end

--- Runs a function in parallel with the body. The body waits for the function before it ends.
--- An error that is not read with join() cancels the sibling tasks.
--- ```lua
--- local tests = ctx:spawn("tests", function(c) return c:exec { "true" }.code end)
--- local docs = ctx:spawn("docs", function(c) return c:exec { "true" }.code end)
--- tests:join() + docs:join() --> 0
--- ```
---@param name string  part of the keys of the function's steps
---@param fn fun(c: moonlet.Ctx): any
---@return moonlet.Task
function ctx:spawn(name, fn) end

--- Runs a function at the end of the body, even if the body failed, timed out or was cancelled.
--- A finalizer has its own time limit of ten seconds.
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
---@field input any?   value whose change makes a resumed run repeat the step

--- Runs a function once under a name. The function's result must be a JSON value.
--- A resumed run returns the recorded result if `input` is unchanged.
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

--- Runs another preset as a scope of this run. `needs.presets` must name it.
--- The nested preset has its own rights and limits, within those of the calling preset.
--- `ctx:write` of a nested preset uses its own folder.
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
---@param args table<string, any>?  arguments of the preset, named as on the command line
---@return any result  the result of the preset
function ctx:preset(name, args) end

---@class moonlet.PlanCall
---@field steps string[]?   3 to 6 short sentences
---@field at integer?       index of the current step (default 1); one past the end: all done
---@field calls integer?    most agent calls that will follow, for a dry run
---@field checks (string|moonlet.ValidateCall)[]?  commands that ctx:validate will run

--- Prints the plan of larger work, with exactly one step in progress.
--- The plan is also written to plan.md in the artifacts.
--- Asks for the grants of `checks` now, before an agent costs money; a dry run lists them.
--- Errors: `invalid` fewer than 3 steps or more than 6, or a step that is not a short sentence;
--- `invalid` also means that a check cannot be started;
--- `denied` means that a check's program was not granted.
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
---@param planned integer?  expected number of steps in the phase
function ctx:phase(name, planned) end

--- Prints a line for people who watch. `print` also prints such a line.
--- ```lua
--- ctx:log "two files to go"
--- ```
---@param ... any  texts are printed unchanged, tables as JSON
function ctx:log(...) end

---@class moonlet.ExecCall    a program and its arguments, as list items or in argv
---@field argv string[]?          words of the command, instead of list items
---@field name string?            the step's key; default: "exec"
---@field cwd string?             relative to the top of the repository
---@field env table<string, string>?  variables to set
---@field stdin string?
---@field timeout string|number|nil   default: "10m"
---@field cap integer?            most bytes to keep of each stream (default 1 MB, at most 32 MB)
---@field check boolean?          true: an exit code other than 0 raises an error
---@field journal boolean?        false: the call is not recorded, and a resumed run repeats it
---@field clean (fun(text: string): string)?  redacts the recorded output; the program must not change anything
---@field sandbox "read-only"?    the program cannot write files; `--unconfined` lifts this
---@field network boolean?        false, with `sandbox`: no TCP (Linux 6.7 or later)
---@field on string?              the machine, "ssh:NAME" or "slurm[:PARTITION]", from the user's config;
---  with `on`, `cwd` is an absolute path on that machine; the default is an empty folder there

---@class moonlet.ExecResult
---@field code integer        exit code
---@field signal integer?     signal that ended the program
---@field stdout string
---@field stderr string
---@field cut boolean         true if the output is truncated
---@field redacted boolean?   true if the output was replayed from a record without secrets

--- Runs a program without a shell.
--- A nonzero exit code raises no error, so check `code`.
--- Errors: `denied` a program that was not granted, or a sandbox that this kernel lacks;
--- `failed` means that the program could not start, or with `check` that its exit code is not 0;
--- `timeout` means that the program ran too long.
--- ```lua
--- local git = ctx:exec { "git", "status", "--short", timeout = "1m" }
--- git.code --> 0
--- ```
---@param call moonlet.ExecCall|string[]
---@return moonlet.ExecResult
function ctx:exec(call) end

--- Starts a program on a terminal. The program ends with its scope, unless `detach` is set.
--- The start of a session and each input are recorded in advance.
--- A resumed run finds the session again and types nothing twice.
--- Errors: `denied` a program that was not granted;
--- `invalid` means that the program is missing;
--- `timeout` means that the expected output did not come;
--- `failed` means that the program had exited;
--- `lost` means that the session's keeper was killed.
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
---@field command string|string[]   words of the command, which runs without a shell
---@field kind "typecheck"|"lint"|"test"|"build"|"custom"|nil
---@field required boolean?         false: a failure does not block the run
---@field name string?              the step's key
---@field timeout string|number|nil default: 3m (typecheck, lint), 10m (test, build), else 5m
---@field on string?              the machine; see moonlet.ExecCall
---@field timeout_ms integer?       the timeout in ms, as in packets
---@field cwd string?
---@field env table<string, string>?

---@class moonlet.Validation
---@field kind string
---@field command string
---@field argv string[]
---@field status "passed"|"failed"|"timeout"
---@field why string?          reason, if the check did not pass
---@field exit_code integer?
---@field duration_ms integer
---@field stdout string        last part of the check's standard output
---@field stderr string
---@field dir string           folder with the check's whole output

--- Runs a check of the repository on the host.
--- A failed required check makes the verdict `blocked`, even if the script continues.
--- Errors: `invalid` a command that needs a shell, or an unknown kind;
--- `denied` means that a program was not granted.
--- ```lua
--- local check = ctx:validate "test:true"
--- check.status --> "passed"
--- ```
---@param call moonlet.ValidateCall|string
---@return moonlet.Validation
function ctx:validate(call) end

---@class moonlet.VerdictCall
---@field by string       name of the verifier; a later verdict of that name replaces this one
---@field pass boolean
---@field why string?     reason, for the report

--- Records the verdict of a verifier on some work.
--- A negative verdict makes the verdict of the run `blocked`, like a failed check.
--- A positive verdict does not count as evidence.
--- ```lua
--- ctx:verdict { by = "verifier", pass = true, why = "each error names its line" }
--- ```
---@param call moonlet.VerdictCall
function ctx:verdict(call) end

---@class moonlet.RequireCall
---@field command string|string[]
---@field exit_code integer?      default: 0
---@field repetitions integer?    number of runs that must exit with that code (default 1)
---@field artifacts string[]?     files that the command must write, none of them empty
---@field on string?              the machine; see moonlet.ExecCall
---@field name string?
---@field timeout string|number|nil  default: "5m"
---@field cwd string?
---@field env table<string, string>?

---@class moonlet.Artifact
---@field path string
---@field bytes integer
---@field sha256 string?

---@class moonlet.Evidence
---@field runs moonlet.Validation[]
---@field artifacts moonlet.Artifact[]

--- Demands evidence: the host runs the command itself and checks that the files exist.
--- An agent's claim that a command passed is not evidence.
--- Errors: `failed` the evidence is missing; the verdict becomes `blocked` even if the script
--- catches the error.
--- ```lua
--- local evidence = ctx:require { command = "true", repetitions = 2, artifacts = { "src/a.lua" } }
--- evidence.artifacts[1].path --> "src/a.lua"
--- ```
---@param call moonlet.RequireCall
---@return moonlet.Evidence
function ctx:require(call) end

---@class moonlet.GateCall
---@field action string    action that a person is asked to approve
---@field why string?
---@field show string?     text that the person approves; another text needs a new approval
---@field timeout string|number|nil  time after which the gate is rejected
---@field name string?

---@class moonlet.Approval
---@field by string        name of the person
---@field note string?

--- Asks a person for approval.
--- If no person is at a terminal, the run parks as `needs-human` until `moonlet answer`.
--- Errors: `rejected` a rejection, a timeout, or `--gates deny`.
--- ```lua
--- local yes = ctx:gate { action = "publish the report", why = "three reviewers agree", show = "the report" }
--- ctx:log("approved by " .. yes.by)
--- ```
---@param call moonlet.GateCall
---@return moonlet.Approval
function ctx:gate(call) end

---@class moonlet.QuestionCall
---@field text string
---@field options string[]?  answers to choose from
---@field show string?
---@field timeout string|number|nil
---@field name string?

--- Asks a person a question and parks the run until the answer comes.
--- Errors: `rejected` a timeout, or `--gates deny`.
--- ```lua
--- local branch = ctx:question { text = "Which branch?", options = { "main", "next" } }
--- ctx:log("on " .. branch)
--- ```
---@param call moonlet.QuestionCall
---@return string answer
function ctx:question(call) end

---@class moonlet.ReadOptions
---@field cap integer?     most bytes to read (default 1 MB, at most 256 MB)
---@field missing "nil"|nil  "nil": return nil and an error for an unreadable file

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
---@return boolean? redacted  true if the text was replayed from a record without secrets
function ctx:read(path, options) end

---@class moonlet.ListFolderOptions
---@field missing "nil"|nil  "nil": return nil and an error for a missing folder

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

--- Writes a file to the run's artifact folder. `findings.md` is printed when the run ends.
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

--- Returns a random integer from `low` to `high`, or from 1 to `low`.
--- Without arguments the number is in [0, 1). A resumed run gets the recorded number.
--- ```lua
--- local dice = ctx:random(6)
--- dice >= 1 and dice <= 6 --> true
--- ```
---@param low integer?
---@param high integer?
---@return number
function ctx:random(low, high) end
