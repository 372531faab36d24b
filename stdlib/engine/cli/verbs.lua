--- Lists the verbs of the command line for dispatch, help, completion and the manual page.
--- A new verb is one entry here, and a module with `known` (its options) and `main`.
--- main(words, output) returns the envelope, the exit code, and the text for people.
local options = require "moonlet.engine.cli.options"
local page = require "moonlet.engine.base.page"
local record = require "moonlet.record"
local sorted_keys = require "moonlet.engine.base.sorted_keys"

local M = {}

---@class moonlet.Verb
---@field name string        "run list"
---@field module string      name of the module below moonlet.engine.cli
---@field arguments string?  printed in help
---@field help string        one line
---@field example string     a complete command
---@field common boolean?    listed in the short help
---@field short boolean?     "run list" can be written "list"
---@field means string[]?    words of the longer command that the verb abbreviates
---@field text string?       further text for the verb's help

local function verb(name, arguments, module, help, example, more)
  local entry = more or {}
  entry.name, entry.arguments, entry.module, entry.help, entry.example = name, arguments, module,
    help, example
  return entry
end

---@type moonlet.Verb[]
M.list = {
  verb("run", "PRESET | FILE.lua | T-001", "run", "run a preset, a Lua file or a task packet",
    "moonlet run triangulated-review --runner codex", { common = true }),
  verb("run list", nil, "runs", "the runs, newest first", "moonlet list --status failed --limit 5",
    { common = true, short = true }),
  verb("run show", "RUN…", "show", "the outcome of a run, its steps, the next command",
    "moonlet show last --answer",
    { common = true, short = true }),
  verb("run resume", "RUN", "resume", "continue a run; nothing is paid twice",
    "moonlet resume R-007", { common = true, short = true,
      text = "--forecast shows first what it would reuse, pay and refuse. With "
      .. "--up-to usd=2 --sha HASH it runs only what that forecast says, within the bound: exit "
        .. "5 above it, exit 2 for "
      .. "another forecast or a price without a bound." }),
  verb("run wait", "RUN", "wait", "wait for the end of a run",
    "moonlet wait last --timeout 10m", { short = true }),
  verb("run log", "RUN [STEP]", "log", "the events of a run, or what a step printed",
    "moonlet log last -f", { common = true, short = true }),
  verb("run attach", "RUN", "log", "watch a run that another process drives",
    "moonlet run attach last"),
  verb("run cancel", "RUN", "cancel", "end a run and the processes that it started",
    "moonlet cancel R-007", { common = true, short = true }),
  verb("run verify", "[RUN… | all]", "verify", "compare the records of runs with their journals",
    "moonlet run verify all"),
  verb("run export", "RUN", "export", "a finished run as a page, a trace, spans or an archive",
    "moonlet export last --as html -o run.html", { short = true,
      text = "html is one page that opens without a network and checks the run's record by "
        .. "itself. perfetto is a trace "
        .. "for ui.perfetto.dev and speedscope. otlp is lines for the file receiver of an "
          .. "OpenTelemetry collector; "
        .. "MOONLET_OTLP_DIR writes them for every run. record is an archive for moonlet run "
          .. "import." }),
  verb("run import", "FILE", "export", "the record of a run from another machine",
    "moonlet run import run.record",
    { text = "An imported run can be shown, verified, exported and played "
      .. "(--runner cassette:RUN). It is never resumed, and nothing in it is executed." }),
  verb("run prune", nil, "prune", "remove old runs with their artifacts",
    "moonlet run prune --older 30d --dry-run",
    { text = "A run that is running, parked or interrupted or waits for a review is kept; so "
      .. "are the parents of kept "
      .. "runs, and the newest run." }),
  verb("run replay", "RUN", "task.replay", "repeat a run; the new run links back to it",
    "moonlet run replay R-007 --runner claude --reason 'codex was blocked'",
    { text = "It takes the options of moonlet run too, such as --budget: --help all lists them." }),
  verb("run tree", "RUN", "task.lineage", "a run with its replays over all generations",
    "moonlet run tree R-007"),
  verb("run diff", "RUN RUN", "task.lineage", "the outcomes of two runs, and where they differ",
    "moonlet run diff R-007 R-008"),
  verb("run queue", nil, "task.queue", "the packets that are ready, in order", "moonlet run queue"),
  verb("run start-ready", nil, "task.queue", "start every packet that is ready",
    "moonlet run start-ready --limit 4"),
  verb("last", nil, "show", "the newest run, as moonlet show last", "moonlet last --answer",
    { means = { "run", "show", "last" } }),
  verb("answer", "RUN [approve | reject | TEXT]", "answer", "answer what a run waits for",
    "moonlet answer last approve", { common = true,
      text = "A gate is approved or rejected; a question is answered by a text, an option or "
        .. "its number. "
        .. "Without an answer the open points are shown." }),
  verb("task create", "--title TEXT", "task.task", "make a task packet",
    'moonlet task create --title Import --validate-cmds "test:npm test"'),
  verb("task list", nil, "task.task", "task packets with their status", "moonlet task list"),
  verb("task show", "T-001", "task.task", "a task packet with its runs", "moonlet task show T-001"),
  verb("task edit", "T-001", "task.task", "change a packet; without options in your editor",
    "moonlet task edit T-001 --goal 'it imports CSV'"),
  verb("task ready", "T-001…", "task.task", "let run start-ready start a packet",
    "moonlet task ready T-001"),
  verb("review list", nil, "task.review", "the runs of packets that wait for a review",
    "moonlet review list"),
  verb("review show", "RUN | T-001", "task.review", "what a review decides about, with the changes",
    "moonlet review show R-007"),
  verb("review approve", "RUN | T-001", "task.review", "merge what a packet's run has changed",
    "moonlet review approve R-007 --note 'reads well'"),
  verb("review reject", "RUN | T-001", "task.review",
    "refuse it: its patch is kept, nothing is merged",
    "moonlet review reject R-007 --note 'no tests'"),
  verb("review comment", "RUN FILE:LINE TEXT", "task.review", "comment on a line of the changes",
    "moonlet review comment R-007 src/a.py:12 'why not a set?'",
    { text = "The line is that of the new file. A comment "
      .. "stays on record: review show has those of the run and of the runs that it replays, "
        .. "and marks one as outdated "
      .. "when its line is gone." }),
  verb("hook claude", nil, "task.hook", "record the sessions of Claude Code, from its hooks",
    "moonlet hook claude <hook.json"),
  verb("hook codex", "JSON", "task.hook", "record the turns of Codex, from its setting `notify`",
    "moonlet hook codex '{\"type\":\"agent-turn-complete\",…}'"),
  verb("hook gemini", nil, "task.hook", "record the sessions of Gemini CLI, from its hooks",
    "moonlet hook gemini <hook.json"),
  verb("hook opencode", nil, "task.hook", "record the turns of opencode, from a plugin",
    "moonlet hook opencode --plugin >~/.config/opencode/plugins/moonlet.js"),
  verb("hook pre-commit", nil, "task.hook", "classify what is staged; a risk stops the commit",
    "moonlet hook pre-commit"),
  verb("decide", "RUN take|take-with-changes|leave", "decide", "record what becomes of a result",
    "moonlet decide R-007 take --why 'tests pass'"),
  verb("preset list", nil, "preset", "the presets that can be run here", "moonlet preset list",
    { common = true }),
  verb("preset show", "NAME", "preset", "what a preset does, takes and may do",
    "moonlet preset show sidecar"),
  verb("preset new", "NAME", "preset", "begin a preset with its first test",
    "moonlet preset new triage --pattern vote", { common = true }),
  verb("preset check", "[NAME | FILE.lua]", "preset",
    "check a preset, or all of the repository; nothing is run",
    "moonlet preset check presets/triage.lua"),
  verb("preset test", "[NAME [TEST]]", "preset",
    "run the tests of a preset, or of all in the repository",
    "moonlet preset test triage --allow needs"),
  verb("init", nil, "init", "make a folder ready for presets", "moonlet init",
    { common = true }),
  verb("repl", "[options of run]", "repl", "a prompt: try an orchestration line by line",
    "moonlet repl --runner mock"),
  verb("doc", "[NAME]", "doc", "the reference of ctx and m",
    "moonlet doc ctx:agent", { common = true,
      text = "Without a name it lists every public name. A name is ctx:agent, "
        .. "m.findings.markdown, agent, a module "
        .. "(findings), or a type (AgentCall)." }),
  verb("session start", "[options] -- COMMAND…", "session.verbs",
    "run a program on a terminal of its own", "moonlet session start --limit 2h -- codex",
    { common = true }),
  verb("session list", nil, "session.verbs", "the sessions, and what each waits for",
    "moonlet session list --all"),
  verb("session log", "SESSION", "session.verbs", "what it printed",
    "moonlet session log last --tail 5000"),
  verb("session screen", "SESSION", "session.verbs", "what its terminal shows",
    "moonlet session screen S-003"),
  verb("session submit", "SESSION [TEXT]", "session.verbs", "type a text and Enter",
    "moonlet session submit S-003 'run the tests'", { text = "An empty text presses Enter." }),
  verb("session poke", "SESSION", "session.verbs", "press Enter", "moonlet session poke S-003"),
  verb("session wait", "SESSION", "session.verbs", "wait for its end, a prompt or a text",
    "moonlet session wait S-003 --until prompt --timeout 10m"),
  verb("session explain", "SESSION", "session.verbs", "the rule and the evidence behind its state",
    "moonlet session explain S-003"),
  verb("session watch", "SESSION", "session.verbs",
    "answer its prompts by rules, and act when it is stuck",
    "moonlet session watch S-003 --answer approval=deny --then resume",
    { text = "Nothing is approved without a rule that "
      .. "says so. Its actions are in the session's events.jsonl; hooks of the config run at "
        .. "questions, milestones, "
      .. "stuck and done." }),
  verb("session report", "SESSION", "session.verbs", "what was done, changed and asked",
    "moonlet session report S-003"),
  verb("session resume", "SESSION [-- COMMAND…]", "session.verbs",
    "continue an agent's conversation in a new one", "moonlet session resume S-003"),
  verb("session attach", "SESSION", "session.verbs",
    "control it from this terminal; ctrl-] detaches", "moonlet session attach S-003"),
  verb("session kill", "SESSION", "session.verbs", "end it and all that it started",
    "moonlet session kill S-003"),
  verb("mcp", nil, "mcp.serve", "serve the tools of moonlet to a main agent, over MCP",
    "codex mcp add moonlet -- moonlet mcp",
    { text = "It speaks the Model Context Protocol on standard input and output. What the agent "
      .. "may run is in the "
      .. "config: mcp = { presets = { \"triangulated-review\" } }." }),
  verb("skill list", "[NAME…]", "mcp.skill", "the skills for main agents, and which are installed",
    "moonlet skill list"),
  verb("skill install", "[NAME…]", "mcp.skill", "teach your agent to hand work to moonlet",
    "moonlet skill install",
    { text = "Skills are pages in .agents/skills, which your agent reads. One that you have "
      .. "edited stays, and the new "
      .. "text is written beside it." }),
  verb("skill remove", "[NAME…]", "mcp.skill", "remove skills that nobody has edited",
    "moonlet skill remove"),
  verb("web", nil, "web", "the runs as a live page in your browser", "moonlet web --open",
    { text = "It prints one address with its secret token. The page shows this folder's runs "
      .. "and those of each --repo. "
      .. "Each action of the page is a moonlet command with the same checks. ctrl-c ends the "
        .. "server; nothing "
      .. "is lost." }),
  verb("ps", nil, "ps", "live processes: run, step, age, deadline", "moonlet ps"),
  verb("usage", nil, "usage", "tokens and cost", "moonlet usage --by preset"),
  verb("completion", "bash|zsh|fish", "completion", "print the completion of a shell",
    "source <(moonlet completion bash)",
    { text = "bash: source <(moonlet completion bash) in ~/.bashrc. zsh: the same in ~/.zshrc, "
      .. "after compinit. "
        .. "fish: moonlet completion fish | source in ~/.config/fish/config.fish." }),
  verb("doctor", nil, "doctor", "check the machine, config and repository", "moonlet doctor",
    { common = true }),
}

local by_name, shorts, groups = {}, {}, {}
--- Maps names that users know from other programs to verbs. The help does not list them.
local habits = { ls = "list" }
for _, entry in ipairs(M.list) do
  by_name[entry.name] = entry
  local group, rest = entry.name:match "^(%S+) (%S+)$"
  if entry.short then shorts[rest] = entry end
  if group then
    groups[group] = groups[group] or {}
    table.insert(groups[group], entry)
  end
end

--- Finds the verb at the start of a command line. Returns the verb, and the words with the verb's full
--- name; nil if there is no such verb.
function M.find(words)
  local first, second = habits[words[1]] or words[1] or "", words[2] or ""
  local entry = by_name[first .. " " .. second] or by_name[first]
  if entry and entry.means then
    return by_name["run show"], table.move(words, 2, #words, #entry.means + 1,
      { table.unpack(entry.means) })
  end
  if entry or not shorts[first] then return entry, words end
  return shorts[first], { "run", table.unpack(words) }
end

function M.group(name) return groups[name] end

--- Lists the first words of all verbs or, with `group`, the words that may follow the group's name.
function M.words(group)
  local names = {}
  for _, entry in ipairs(M.list) do
    local first, second = entry.name:match "^(%S+) ?(%S*)$"
    if not group then names[first] = true end
    if second ~= "" and (first == group or not group and entry.short) then names[second] = true end
  end
  return sorted_keys(names)
end

function M.options(entry)
  local module = require("moonlet.engine.cli." .. entry.module)
  local word = entry.name:match "%S+$"
  return module.known_of and module.known_of[word] or module.known or module.verbs[word].known
end

--- Returns a verb's name for help and hints: "list" for "run list".
local function shown(entry) return entry.short and entry.name:gsub("^run ", "") or entry.name end

local function usage_line(entry)
  return "moonlet " .. shown(entry) .. (entry.arguments and " " .. entry.arguments or "")
end

local most_rows = 14  -- with more rows, the help of a command exceeds 24 terminal lines

--- Formats the options for help. Without `all`, omits the rare options.
local function options_text(entry, known, all)
  local some, own, whole = {}, {}, options.help(known)
  for key, option in pairs(known) do
    some[key], own[key] = option.common and option or nil,
      not options.is_common(key) and option or nil
  end
  local is_long = select(2, whole:gsub("\n", "")) >= most_rows
  if all or not is_long and not next(some) then return whole end
  return ("%s\n\nmore: moonlet %s --help all"):format(options.help(next(some) and some or own,
    is_long), shown(entry))
end

function M.help(entry, known, all)
  local lines = { "usage: " .. usage_line(entry)
    .. ((entry.arguments or ""):find "options" and "" or " [options]"), "" }
  local said = entry.help:gsub("^%l", string.upper) .. "."
    .. (entry.text and " " .. entry.text or "")
  table.move(page.wrap(said, page.out().columns), 1, 99, #lines + 1, lines)
  lines[#lines + 1] = "\n" .. options_text(entry, known, all)
  lines[#lines + 1] = ("\nexample: %s\n"):format(entry.example)
  return table.concat(lines, "\n")
end

--- The error `helped` ends a command with success after its help was printed.
M.helped = {}

--- Parses the words after a verb. With --help it prints the help and raises `helped`.
function M.read(name, words, known)
  local found, rest = options.parse(words, known, select(2, name:gsub("%S+", "")) + 1)
  if not found.help then return found, rest end
  options.print_help(M.help(by_name[name], known, found.help == "all"), found.json)
  error(M.helped, 0)
end

local function rows(all)
  local lines, out, lefts, width = {}, page.out(), {}, 0
  for _, entry in ipairs(M.list) do
    lefts[entry] = shown(entry) .. (entry.arguments and " " .. entry.arguments or "")
    if all or entry.common then
      width = math.max(width, #lefts[entry] <= 24 and #lefts[entry] or 0)
    end
  end
  for _, entry in ipairs(M.list) do
    if all or entry.common then page.row(lines, out, 2, lefts[entry], width + 4, entry.help) end
  end
  return table.concat(lines, "\n")
end

--- Formats the help of moonlet: the common verbs, or all of them.
function M.overview(all)
  local function said(text) return table.concat(page.wrap(text, page.out().columns), "\n") end
  return table.concat({
    said "moonlet runs Lua presets that put coding agents to work.", "",
    "usage: moonlet COMMAND [arguments] [options]", "", "commands:\n" .. rows(all), "",
    said(all and "A run is named R-007, 7, 007 or last."
      or "more: moonlet --help all; of one command: moonlet COMMAND --help"), "",
  }, "\n")
end

function M.group_text(name)
  local lines = {}
  for i, entry in ipairs(groups[name]) do
    lines[i] = (i == 1 and "usage: " or "       ") .. usage_line(entry)
  end
  return table.concat(lines, "\n")
    .. ("\n\nmore: moonlet %s --help\n"):format(shown(groups[name][1]))
end

--- Reports whether `moonlet run` accepts a word: a Lua file, a packet, a local or a built-in preset.
local function can_be_run(word)
  if word:find "^[%w./-]+%.lua$" or word:find "^[Tt]%-%d+$" then return true end
  local own = core.file.root(core.system.cwd() .. "/presets")
  if own and word:find "^%l[%l%d-]*$" and (core.file.stat(own, word)
      or core.file.stat(own, word .. ".lua")) then
    return true
  end
  for _, path in ipairs(core.script.presets()) do
    if path:match "^[^/]+" == word then return true end
  end
  return false
end

function M.unknown(words)
  local group = groups[words[1]] and words[1]
  local word = words[group and 2 or 1]
  if not word then
    return options.usage(("moonlet %s needs a command"):format(group),
      table.concat(M.words(group), ", "))
  end
  local said = group and group .. " " .. word or word
  for _, entry in ipairs(group and {} or M.list) do
    if entry.name:match "^%S+ (%S+)$" == word then
      return options.usage(("there is no command '%s'"):format(word),
        ("did you mean moonlet %s?"):format(entry.name))
    end
  end
  if not group and can_be_run(word) then
    return options.usage(("there is no command '%s'"):format(word),
      ("did you mean moonlet run %s?"):format(word))
  end
  return options.usage(("there is no command '%s'"):format(core.text.printable(said, 60)),
    record.suggest(word, M.words(group)))
end

return M
