--- Declares the classes of a run and of its plan, with all their fields. Only run.lua and
--- verdict.lua write a run's fields. Another module keeps its state for a run in base/per_run.lua.
local words = require("moonlet.text").set

local M = {}

--- Makes a metatable that refuses fields which none of the sets declares, so that a misspelt field fails at once.
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

---@class moonlet.Plan         a run before it exists: what its command line, or the record of an earlier run, asks for
---@field home moonlet.Home
---@field source table         the file that it runs
---@field preset table?        nil for a script
---@field name string          of the preset or the script
---@field target string?       the word of the command line that named it
---@field resume (fun(ctx: moonlet.Ctx): any)?  continues the body of a script
---@field args table
---@field options table        the part of the command line that run.json keeps
---@field config table
---@field grants table         what its script may do
---@field runners string[]?    the runners of the command line, in order
---@field runner_spec string?  the words of the chosen runner
---@field runner table         the chosen runner, parsed
---@field routed moonlet.Routed
---@field offline boolean?     the preset answers without an agent
---@field budget table
---@field limit integer?       agents side by side
---@field inputs table[]?
---@field parent string?       the run that it replays, or the first of its pipeline
---@field before table?        the record of the run that it resumes, or that prepared it
---@field lost table?          the error that made that record unreadable
---@field base table?          the run that it replays
---@field fresh boolean?       a resume asks failed steps again
---@field asks_again boolean?  it may ask a provider that has refused it
---@field cancels boolean?     it only cleans up
---@field answer table?        the answer to a gate or a question
---@field review table?        the word of a review that it carries out
---@field packet table?
---@field holds boolean?       changes in worktrees wait for a review
---@field after (fun(ctx: moonlet.Ctx))?  checks and reviews the packet's work once the body has ended
---@field if_ready table?      the packet that must still be ready when the run begins
---@field task_id string?
---@field recorded table?      the session of an agent that was over before the run
---@field seed (fun(run: moonlet.Run, step: table))?  copies journaled steps of the run that it replays
---@field on_record (fun())?   called once the run is on record
---@field begun (fun(run: moonlet.Run))?  called before the first event
---@field told boolean?        the run's id was printed already
---@field format string?
---@field compare boolean?     shows the answers of several runners side by side
---@field edits boolean?       the user edits the prompt first
---@field background boolean?
---@field detached any
---@field may_ask boolean      a person can answer questions
---@field display string?      of the live view
local plan_metatable = closed("a plan", words [[
  home source preset name target resume args options config grants runners runner_spec runner
  routed offline budget limit inputs parent before lost base fresh asks_again cancels answer
  review packet holds after if_ready task_id recorded seed on_record begun told format compare
  edits background detached may_ask display]])

---@return moonlet.Plan
function M.plan(given) return filled(plan_metatable, given) end

---@class moonlet.Run
---@field id string            "R-007"
---@field task_id string       the name of its sidecar
---@field sidecar string       its path below .agent
---@field home moonlet.Home    the repository and its .agent
---@field top string           the top of the work tree
---@field source table         the file that it runs
---@field preset table?        the preset; nil for a script
---@field preset_name string
---@field args table           the arguments
---@field options table        the options of the command line
---@field config table         the user's config
---@field grants table         what its script may do
---@field budget table         its limits, as given
---@field prompt_tokens integer?  the smallest budget of its prompts: of the command line, the packet, the preset
---@field limit integer        agents side by side
---@field runner table         the runner that was asked for
---@field runner_spec string?  its words on the command line; nil where no runner was chosen
---@field runner_name string?  the name of the runner that calls get
---@field routed moonlet.Routed
---@field route string?        the route in words
---@field model string?
---@field inputs table[]?      the inputs
---@field input_specs string[]?
---@field resume fun(ctx: moonlet.Ctx): any  goes on with a script's body
---@field may_ask boolean?     a person is at the terminal
---@field asks_again boolean?  it may ask a provider that has refused it
---@field cancels boolean?     this host only cleans up
---@field prepared boolean     its prompts were prepared by a dry run
---@field sealed table?        the record of the host before
---@field had_sidecar boolean  its sidecar was there
---@field started_wall integer ms since 1970: when this host began
---@field started integer      the same on the monotonic clock
---@field started_at string?   when the first host began
---@field traceparent string?  the trace context that the run was started with
---@field recorded {started_at: string, duration_ms: integer}?  of an agent's session that was over before the run
---@field driven_before integer  ms for which earlier hosts have driven it
---@field duration_ms integer?  ms for which all hosts have driven it, at its end
---@field journal moonlet.Journal
---@field root_key string?     the agent call that has the sidecar itself
---@field record string        run.json, as text
---@field scope any            the scope of its body
---@field own_budget moonlet.Budget?
---@field told_budget string?  the rest of the budget that was reported last
---@field wall integer?        ms that are left of its time
---@field steps moonlet.Step[]  in the order of their begin
---@field step_keys table<string, moonlet.Step>
---@field parked table[]       the gates and questions that wait
---@field answers table[]      answers to gates and questions, each with the text that was shown
---@field prompt moonlet.State?  of a run that is a prompt: its body
---@field is_parking boolean?  only gates and questions are left
---@field silent_told boolean?   a fan-out without agents was reported
---@field ask (fun(text: string): string?)?  asks a person at the prompt of the run
---@field checking boolean?    preset check goes through it, and starts nothing
---@field mocked boolean?      an answer was made up
---@field unrunnable string?   why a planned check cannot run
---@field offline boolean?     it gives its answer without an agent
---@field quota_error table?   the first refusal of a provider that is not over
---@field dry boolean?         a dry run
---@field forecast moonlet.Observer?  it is driven in a shadow, to say what a resume would do
---@field worst table?         the worst cost of a dry run
---@field unlisted boolean?    it is not in the ledger yet
---@field packet table?        the packet that it runs: { id, title, sha256, validation, auto_approve }
---@field holds boolean?       changes in worktrees wait for a review
---@field after (fun(ctx: moonlet.Ctx))?  what follows the body of a packet's run: its checks and its review
---@field review table?        { state, reviewed_by, note, at, sha256, passed, total }
---@field reviewing table?     the word on it that this host carries out: { state, reviewed_by, note, at, sha256 }
---@field parent string?       the run that it replays, or the first of its pipeline
---@field degraded table[]     lost branches and agents
---@field validation table[]   checks
---@field inside table<string, table>  key of a step's function that runs -> its notes
---@field findings string?     findings.md
---@field findings_at string?  the path of the body that wrote it
---@field verdict string?
---@field error any
---@field result any
---@field kept_result any      its stored form
---@field until_ms integer?    ms since 1970: when a provider can be asked again
---@field files table?         the hashes of its artifacts
---@field files_fold integer?
---@field altered string[]?    artifacts that were changed while no host drove it
---@field keeper_log table?    the hash of keeper.log
---@field whole moonlet.Run?   of a part of a run: the run
---@field artifacts string?    of a part of a run: its folder below .agent, for ctx:write
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
---@field cached boolean?      it was replayed
---@field error any
---@field under_way boolean?   its process runs
---@field dir string?          of an agent: its folder, and so on
---@field model string?
---@field sandbox string?
---@field attempts table[]?
---@field usage moonlet.Usage?
---@field files_changed string[]?
---@field beside string[]?     files that changed while no sandbox confined its agent
---@field unconfined boolean?
---@field writes boolean?      its agent may change files
---@field inherits boolean?    its call names no model
---@field held_back string[]?  files that were not merged, because they start programs
---@field from string?         the run whose journal it was taken from
---@field gone boolean?        the script does not contain it any more

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

--- Makes a nested preset's part of a run, which reads every other field from the run itself.
---@param given {source: table, preset: table, grants: table, artifacts: string, prompt_tokens: integer?}
function M.part(run, given)
  given.whole = run.whole or run
  return setmetatable(given, { __index = given.whole, __newindex = given.whole })
end

return M
