--- Defines a runner of your own: how to start an agent program that moonlet does not know, and how
--- to parse its output.
---
--- Put this file beside your config and name it there (~/.config/moonlet/config.lua):
---
---     return { runners = { mine = { file = "runner-mine.lua", args = { "--fast" }, env = { "MINE_API_KEY" } } } }
---
--- and then: moonlet run PRESET --runner mine
---
--- The file is loaded in the sandbox: it cannot read files, start programs or see the environment. It
--- returns a table with these fields, and no others:
---
---   program    the program to find in PATH, unless the config names another one
---   command    a function of the call that returns the command line to start (below)
---   events     the format of the program's output: "codex", "claude", "gemini", "opencode" or "moonlet"
---              for such event lines, "text" for a program that prints only its answer
---   parse      replaces events: a function of (own, line) that returns the events of a line. `own` is a
---              table that persists during the attempt. Events have the form of moonlet's own event
---              lines: { type = "text", text = "…" }, { type = "tool", name = "…", detail = "…", status =
---              "ok" }, { type = "usage", input_tokens = 1, output_tokens = 2 }, { type = "error",
---              message = "…", class = "rate" }, { type = "done", status = "ok" }. Without a "done" an
---              attempt fails, whatever its exit code.
---   finish     optional: a function of (result, exit, answers) that may return { status = "failed", class =
---              "…", message = "…" } or another { text = "…" }; it cannot turn a failure into a success
---   title      optional: its name in messages
---   role       optional: "flag" if command() passes call.role on; otherwise the prompt begins with the role
---   instructions       optional: instruction files of a project, such as { "MINE.md", "AGENTS.md" }: the first
---              that exists is put before the prompt, in its version at the base of the change
---   home_instructions  optional: your own, such as { "~/.mine/RULES.md" }: the first that exists is put before
---              the prompt, if the config has instructions = true for the runner
---   refused_args       optional: arguments that the config must not pass, such as { "--resume" }
---   startup_files      optional: files of a project by which it starts programs, such as { ".mine" }: a merge
---              holds them back for you
---   screen     optional: how its screen reads in a session: { prompts = { { kind = "trust", all = { "Trust%?" } } },
---              working = {…}, ready = {…}, quota = {…} }, with Lua patterns for lines of the screen
---
--- `call` has the fields prompt, prompt_file, out (the directory it may write), cwd, model, role, sandbox
--- ("read-only" or "workspace-write"), network, web_search, schema (a JSON Schema), schema_file, timeout_ms,
--- private, scratch, attempt, config (your entry).
---
--- command() returns a table with these fields:
---
---   argv         the program and its arguments: a list, no shell
---   stdin        "prompt": the prompt is its standard input; "none" (the default): its input is empty
---   env          variables to set; env_names: names of variables to pass on from your environment
---   files        texts to write first, by their absolute path beneath call.out or call.scratch
---   state_dirs   directories for its own state that it must write, such as "/home/you/.mine"; none may lie
---                in the repository or contain your home directory
---   answer_file  the file that it writes its answer to, if any
---   writable     the folders that its tools may write, of out, scratch and (for workspace-write) the step's
---                folders; by default out and (for workspace-write) cwd
---   warnings     texts for the user
---   reads        instruction files that it reads by itself; existing ones go into the input manifest
---
--- The runner runs in the host's sandbox and cannot widen what a step may write. If it requests any other
--- right, the attempt fails. model.json records what was granted.
return {
  program = "mine",
  title = "Mine",

  command = function(call)
    local argv = { "mine", "--print-events", "--once", "--directory", call.cwd }
    local function add(...)
      for _, word in ipairs { ... } do argv[#argv + 1] = word end
    end
    if call.sandbox == "read-only" then add "--no-edits" end
    if call.model then add("--model", call.model) end
    if call.schema then add("--schema", call.schema_file) end
    for _, word in ipairs(call.config.args or {}) do add(word) end
    return {
      argv = argv,
      stdin = "prompt",
      env = { MINE_NO_TELEMETRY = "1" },
      env_names = { "MINE_API_KEY" },
      files = call.schema and { [call.schema_file] = require("moonlet").json.encode(call.schema) }
        or {},
      state_dirs = {},
    }
  end,

  -- The program prints lines such as "say TEXT", "tool NAME DETAIL", "tokens IN OUT", "bye" and "oops TEXT".
  parse = function(own, line)
    local word, rest = line:match("^(%a+)%s*(.*)$")
    if word == "say" then
      own.said = (own.said or "") .. rest .. "\n"
      return { type = "text", text = own.said }
    elseif word == "tool" then
      local name, detail = rest:match("^(%S+)%s*(.*)$")
      return { type = "tool", name = name or "tool", detail = detail, status = "ok" }
    elseif word == "tokens" then
      local input, output = rest:match("^(%d+) (%d+)$")
      return { type = "usage", input_tokens = math.tointeger(input),
        output_tokens = math.tointeger(output) }
    elseif word == "oops" then
      return { type = "done", status = "failed", message = rest }
    elseif word == "bye" then
      return { type = "done", status = "ok" }
    end
  end,
}
