--- Declares the classes of a run and of its plan, with all their fields. A module that needs
--- private state for each run keeps it with base/per_run.lua instead.
local words = require("moonlet.text").set

local M = {}

--- Makes a metatable that rejects undeclared fields, so that a misspelt field fails at once.
local function closed(noun, ...)
  local sets = { ... }
  return { __newindex = function(object, name, value)
    for _, set in ipairs(sets) do
      if set[name] then return rawset(object, name, value) end
    end
    error(("%s has no field '%s'"):format(noun, tostring(name)))
  end }
end

local function filled(metatable, given)
  local object = setmetatable({}, metatable)
  for name, value in pairs(given) do object[name] = value end
  return object
end

---@class moonlet.Plan         the settings of a run, from its command line or an earlier record
---@field home moonlet.Home
---@field source table         the file to run
---@field preset table?        nil for a script
---@field name string          name of the preset or the script
---@field target string?       the target's name on the command line
---@field resume (fun(ctx: moonlet.Ctx): any)?  runs the body of a script
---@field args table
---@field options table        options of the command line, as run.json records them
---@field config table
---@field grants table         rights of the script
---@field runners string[]?    the runners of the command line, in order
---@field runner_spec string?  the chosen runner as the user wrote it
---@field runner table         the chosen runner, parsed
---@field routed moonlet.Routed
---@field offline boolean?     true if the preset answers without an agent
---@field budget table
---@field limit integer?       maximum number of parallel agents
---@field inputs table[]?
---@field parent string?       the replayed run, or the first run of the pipeline
---@field before table?        the run that is resumed, or that a dry run prepared: { id, run, record, … }
---@field lost table?          names of start values whose secrets the environment no longer has
---@field base table?          the run to replay
---@field fresh boolean?       true if a resume repeats failed steps
---@field asks_again boolean?  true if the run may ask a provider that has refused
---@field cancels boolean?     true if the run only cleans up
---@field answer table?        the answer to a gate or a question
---@field review table?        the decision of a review to carry out
---@field packet table?
---@field holds boolean?       true if changes stay in worktrees until a review
---@field after (fun(ctx: moonlet.Ctx))?  checks and reviews the packet's work after the body
---@field if_ready table?      the packet that must be ready when the run begins
---@field task_id string?
---@field recorded table?      an agent's session that ended before the run began
---@field seed (fun(run: moonlet.Run, step: table))?  copies journaled steps of the replayed run
---@field on_record (fun())?   called once the run is on record
---@field begun (fun(run: moonlet.Run))?  called before the first event
---@field told boolean?        true if the run's id has been printed
---@field format string?
---@field compare boolean?     true to run several runners in parallel and compare their runs
---@field edits boolean?       true to let the user edit the prompt first
---@field background boolean?
---@field detached any
---@field may_ask boolean      true if a person can answer questions
---@field display string?      kind of the live view
local plan_metatable = closed("a plan", words [[
  home source preset name target resume args options config grants runners runner_spec runner
  routed offline budget limit inputs parent before lost base fresh asks_again cancels answer
  review packet holds after if_ready task_id recorded seed on_record begun told format compare
  edits background detached may_ask display]])

---@return moonlet.Plan
function M.plan(given) return filled(plan_metatable, given) end

---@class moonlet.Run
---@field id string            "R-007"
---@field task_id string       name of the sidecar folder
---@field sidecar string       path of the sidecar folder below .agent
---@field home moonlet.Home    the repository and its .agent
---@field top string           top of the work tree
---@field source table         the file to run
---@field preset table?        nil for a script
---@field preset_name string
---@field args table
---@field options table        options of the command line
---@field config table         the user's config
---@field grants table         rights of the script
---@field budget table         limits as the user gave them
---@field prompt_tokens integer?  the smallest prompt budget of command line, packet and preset
---@field limit integer        maximum number of parallel agents
---@field runner table         the requested runner
---@field runner_spec string?  the runner as the user wrote it; nil if none was chosen
---@field runner_name string?  name of the runner that answers agent calls
---@field routed moonlet.Routed
---@field route string?        description of the route
---@field model string?
---@field inputs table[]?
---@field input_specs string[]?
---@field resume fun(ctx: moonlet.Ctx): any  runs the body of a script
---@field may_ask boolean?     true if a person is at the terminal
---@field asks_again boolean?  true if the run may ask a provider that has refused
---@field cancels boolean?     true if this host only cleans up
---@field prepared boolean     true if a dry run prepared the prompts
---@field sealed table?        the run.json that the previous host wrote; nil unless resumed
---@field had_sidecar boolean  true if the sidecar folder existed before
---@field started_wall integer ms since 1970 when this host began
---@field started integer      monotonic time in ms when this host began
---@field started_at string?   time when the first host began
---@field traceparent string?  trace context that the run was started with
---@field recorded {started_at: string, duration_ms: integer}?  session that ended before the run
---@field driven_before integer  ms for which earlier hosts drove the run
---@field duration_ms integer?  ms for which all hosts drove the run, set when the run ends
---@field journal moonlet.Journal
---@field root_key string?     key of the agent call whose files are in the sidecar folder itself
---@field record string        run.json as text
---@field scope any            cancel scope of the run's body
---@field own_budget moonlet.Budget?
---@field told_budget string?  remaining budget at the last report
---@field wall integer?        wall time in ms that this host may still use
---@field steps moonlet.Step[]  in the order in which they began
---@field step_keys table<string, moonlet.Step>
---@field parked table[]       gates and questions without an answer
---@field answers table[]      answers to gates and questions, each with the displayed text
---@field prompt moonlet.State?  state of the body of an interactive run (moonlet repl)
---@field is_parking boolean?  true once the run parks, because it only waits for a person
---@field silent_told boolean?   true after the warning about a function that returns nothing
---@field ask (fun(text: string): string?)?  asks a person in an interactive run
---@field checking boolean?    true in preset check, which starts nothing
---@field mocked boolean?      true if an answer was made up
---@field unrunnable string?   why a planned check cannot run
---@field offline boolean?     true if the preset answers without an agent
---@field quota_error table?   first error of a provider whose quota is used up
---@field dry boolean?         true for a dry run
---@field forecast moonlet.Observer?  set if this run is the copy that a forecast observes
---@field worst table?         worst-case cost of the agents that a dry run prepared
---@field unlisted boolean?    true for a new run, which is not in the ledger yet
---@field packet table?        the run's packet: { id, title, sha256, validation, auto_approve }
---@field holds boolean?       true if changes stay in worktrees until a review
---@field after (fun(ctx: moonlet.Ctx))?  checks and reviews a packet's work after the body
---@field review table?        { state, reviewed_by, note, at, sha256, passed, total }
---@field reviewing table?     decision that this host carries out, like `review`
---@field parent string?       the replayed run, or the first run of the pipeline
---@field degraded table[]     lost branches and agents
---@field validation table[]   results of checks
---@field inside table<string, table>  key of a running ctx:step -> checks and losses inside it
---@field findings string?     text of findings.md
---@field findings_at string?  path of the scope that wrote findings.md
---@field verdict string?
---@field error any
---@field result any
---@field kept_result any      the result as the journal stores it
---@field until_ms integer?    ms since 1970 when a provider can be asked again
---@field files table?         artifacts of the run: path -> hash and size
---@field files_fold integer?
---@field altered string[]?    artifacts that were changed while no host drove the run
---@field keeper_log table?    hash of keeper.log
---@field whole moonlet.Run?   the outer run, if this object belongs to a nested preset
---@field artifacts string?    folder below .agent for ctx:write of a nested preset
local fields = words [[
  id task_id sidecar home top source preset preset_name args options config grants budget
  prompt_tokens limit runner runner_spec runner_name routed route model inputs input_specs resume
  may_ask asks_again cancels prepared sealed had_sidecar started_wall started started_at traceparent
  driven_before duration_ms journal root_key record scope own_budget told_budget wall steps prompt
  answers recorded step_keys parked is_parking quota_error dry forecast worst unlisted degraded validation
  inside findings findings_at verdict error result kept_result until_ms files files_fold altered
  packet holds after review reviewing parent keeper_log silent_told ask checking mocked unrunnable
  offline]]

---@class moonlet.Step         one step of a run
---@field key string
---@field kind string          agent, exec, validation, require, gate, question or function
---@field runner string?
---@field status string        running, ok, failed, cancelled, parked or prepared
---@field started_wall integer
---@field started integer
---@field duration_ms integer?
---@field cached boolean?      true if the step was replayed
---@field error any
---@field under_way boolean?   true while the step's process runs
---@field dir string?          folder of an agent step
---@field model string?
---@field sandbox string?
---@field attempts table[]?
---@field usage moonlet.Usage?
---@field files_changed string[]?
---@field beside string[]?     files that changed while no sandbox confined the agent
---@field unconfined boolean?
---@field writes boolean?      true if the agent may change files
---@field inherits boolean?    true if the call sets no model
---@field held_back string[]?  files that were not merged because they can start programs
---@field from string?         the run whose journal supplied the step
---@field gone boolean?        true if the script no longer contains the step

---@class moonlet.Run
---@field absolute fun(path: string): string
---@field write_artifact fun(path: string, text: string, later: boolean?)
---@field has_written fun(path: string): boolean
---@field read_artifact fun(path: string, cap: integer): string?, table?
---@field input_list fun(): table[]?
---@field emit fun(kind: string, fields: table)
---@field claim_directory fun(top_level: boolean, key: string): string
---@field directory_of fun(key: string): string
---@field open_directory fun(dir: string, kept: boolean?)
---@field step_directory fun(key: string): string
---@field resolve_cwd fun(cwd: string?): string
---@field child_environment fun(extra: table?, names: string[]?): string[]
---@field step fun(key: string, kind: string, runner: string?, input: table, options: table, live: function): any, table
---@field begin_step fun(key: string, kind: string, runner: string?): moonlet.Step
---@field end_step fun(step: moonlet.Step, status: string, outcome: table)
---@field end_parked fun()
---@field is_cancelled fun(): boolean
---@field end_cancelled fun()
---@field note_quota fun(err: table)
---@field settle_cleanups fun(keys: string[])
---@field note_begin fun(key: string)
---@field note_recorded fun(key: string, notes: table)
---@field note_step fun(step: moonlet.Step)
---@field note_validation fun(key: string, result: table, required: boolean)
---@field note_beside fun(key: string, paths: string[])
---@field note_degraded fun(path: string, succeeded: integer, total: integer, lost: table[])
---@field note_findings fun(path: string, text: string)
local methods = words [[
  absolute write_artifact has_written read_artifact input_list emit claim_directory directory_of
  open_directory step_directory resolve_cwd child_environment step begin_step end_step end_parked
  is_cancelled end_cancelled note_quota settle_cleanups note_begin note_recorded note_step
  note_validation note_degraded note_beside note_findings]]

local run_metatable = closed("a run", fields, methods)

function M.new(given) return filled(run_metatable, given) end

--- Makes the run object of a nested preset. Missing fields are read from the outer run.
---@param given {source: table, preset: table, grants: table, artifacts: string, prompt_tokens: integer?}
function M.part(run, given)
  given.whole = run.whole or run
  return setmetatable(given, { __index = given.whole, __newindex = given.whole })
end

return M
