--- A runner of your own: how to start an agent program that moonlet does not know, and how to read it.
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
---   program    what is looked for in PATH, unless the config names another one
---   command    a function of the call that gives what to start (below)
---   events     how to read what it prints: "codex", "claude", "gemini", "opencode" or "moonlet" for
---              programs that print such event lines, "text" for one that prints nothing but its answer
---   parse      in the place of events: a function of (own, line) that gives the events on a line. `own`
---              is an empty table that stays with the attempt. Events are tables as moonlet's own event
---              lines have them: { type = "text", text = "…" }, { type = "tool", name = "…", detail = "…",
---              status = "ok" }, { type = "usage", input_tokens = 1, output_tokens = 2 }, { type = "error",
---              message = "…", class = "rate" }, { type = "done", status = "ok" }. Without a "done" an
---              attempt is no success, whatever its exit code.
---   finish     optional: a function of (result, exit, answers) that may give { status = "failed", class =
---              "…", message = "…" } or another { text = "…" }; it cannot turn a failure into a success
---   title      optional: its name in messages
---   role       optional: "flag" when command() passes call.role on; else the role is put before the prompt
---   instructions       optional: instruction files of a project, such as { "MINE.md", "AGENTS.md" }: the first
---              that exists is put before the prompt, as the base of the change has it
---   home_instructions  optional: your own, such as { "~/.mine/RULES.md" }: the first that exists is put before
---              the prompt, if the config has instructions = true for the runner
---
--- call has: prompt, prompt_file, out (the directory it may write), cwd, model, role, sandbox ("read-only"
--- or "workspace-write"), network, web_search, schema (a JSON Schema), schema_file, timeout_ms, private,
--- scratch, attempt, config (your entry). command() gives:
---
---   argv         the program and its arguments: a list, no shell
---   stdin        "prompt": the prompt is its standard input; "none" (the default): there is none
---   env          variables to set; env_names: those to pass on from your environment
---   files        texts to write first, by their absolute path beneath call.out or call.scratch
---   state_dirs   directories of its own that it must be able to write: outside of the repository, and
---                neither your home directory nor one that holds it; "/home/you/.mine", for instance
---   answer_file  where it writes its answer, if it does
---   writable     what its tools may write, of out, scratch and (for workspace-write) the step's folders;
---                without it, out and (for workspace-write) cwd
---   warnings     what the user should know
---   reads        instruction files that it reads by itself: those that are there go into the input manifest
---
--- moonlet holds it in the host's sandbox: a runner cannot widen what a step may write. What it names
--- beside that is refused, and the attempt fails; model.json says what was granted.
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
      files = call.schema and { [call.schema_file] = require("moonlet").json.encode(call.schema) } or {},
      state_dirs = {},
    }
  end,

  -- It prints lines such as "say TEXT", "tool NAME DETAIL", "tokens IN OUT", "bye" and "oops TEXT".
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
      return { type = "usage", input_tokens = math.tointeger(input), output_tokens = math.tointeger(output) }
    elseif word == "oops" then
      return { type = "done", status = "failed", message = rest }
    elseif word == "bye" then
      return { type = "done", status = "ok" }
    end
  end,
}
