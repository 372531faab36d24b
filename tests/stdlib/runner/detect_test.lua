-- Tests that the programs of runners are found where npm and the agents' own installers put them.
sh [[
program() { mkdir -p "$(dirname "$1")"; printf "$2" >"$1"; chmod 700 "$1"; }
native='\177ELF native' script='#!/usr/bin/env node\n'
# npm, global: the package of the platform beneath that of the wrapper.
global=g/lib/node_modules/@openai/codex
program $global/bin/codex.js "$script"
program $global/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex "$native"
program $global/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/codex-path/rg "$native"
mkdir bin && ln -s ../g/lib/node_modules/@openai/codex/bin/codex.js bin/codex
# npm, local: beside it; another platform.
program l/node_modules/@openai/codex/bin/codex.js "$script"
program l/node_modules/@openai/codex-darwin-arm64/vendor/aarch64-apple-darwin/bin/codex "$native"
mkdir l/node_modules/.bin && ln -s ../@openai/codex/bin/codex.js l/node_modules/.bin/codex
# The wrapper alone, and a native program by itself.
program w/@openai/codex/bin/codex.js "$script"
program n/codex "$native"
# Claude: a script in front of the native program, and the native program.
program c/@anthropic-ai/claude-code/cli-wrapper.cjs "$script"
program c/@anthropic-ai/claude-code-linux-x64/claude "$native"
program bin/claude "$native"
]]

local codex = require "moonlet.engine.runner.codex"
local claude = require "moonlet.engine.runner.claude"
local runners = require "moonlet.engine.load.runners"
local vendor = "/vendor/x86_64-unknown-linux-musl/bin/codex"

local found = codex.detect {}
is(found.path, scratch .. "/g/lib/node_modules/@openai/codex/node_modules/@openai/codex-linux-x64" .. vendor, "npm, global")
is(found.wrapper_of, scratch .. "/bin/codex", "its wrapper")
local made = codex.command { prompt = "x", out = "/o", cwd = "/w", sandbox = "read-only", program = found.path }
is(made.env.PATH, found.path:gsub("/bin/codex$", "/codex-path") .. ":" .. core.system.env "PATH", "its own tools")
found = codex.detect { program = "~/l/node_modules/.bin/codex" }
is(found.path, scratch .. "/l/node_modules/@openai/codex-darwin-arm64/vendor/aarch64-apple-darwin/bin/codex", "npm, local")
found = codex.detect { program = scratch .. "/w/@openai/codex/bin/codex.js" }
is(found.path, scratch .. "/w/@openai/codex/bin/codex.js", "a wrapper alone")
is(found.wrapper_of, nil, "a wrapper alone wraps nothing that is known")
found = codex.detect { program = scratch .. "/n/codex" }
is(found.path, scratch .. "/n/codex", "a native program")
local none, why = codex.detect { program = scratch .. "/nowhere" }
is(none, nil, "a path that is not there")
holds(why, "/nowhere is not an executable program", "why not")
none, why = codex.detect { program = "no-such-codex" }
is(none, nil, "a name that is not there")
holds(why, "not in PATH", "why not")
is(claude.detect {}.path, scratch .. "/bin/claude", "claude's native program")
found = claude.detect { program = scratch .. "/c/@anthropic-ai/claude-code/cli-wrapper.cjs" }
is(found.path, scratch .. "/c/@anthropic-ai/claude-code-linux-x64/claude", "claude behind a script")
is(runners.installed { runners = {} }.claude, scratch .. "/bin/claude", "what is installed")
is(runners.locate("codex", { runners = { codex = { program = scratch .. "/n/codex" } } }).path, scratch .. "/n/codex",
  "the config's program")
raises(function() runners.locate("gemini", { runners = { gemini = { program = "no-such-gemini" } } }) end,
  "'gemini' is not installed", "one that is not installed")
raises(function() runners.get("claud", { runners = {} }) end, "did you mean 'claude'?", "a near name")
is(runners.parse("command:a 'b c'", { runners = {} }).argv[2], "b c", "a command")
is(runners.parse("codex", { runners = {} }).name, "codex", "a runner")
raises(function() runners.parse("codex:x", { runners = {} }) end, "takes nothing after a colon", "words after a runner")
raises(function() require("moonlet.engine.runner.reader").events "codx" end, "did you mean 'codex'?", "events of a near name")

-- Gemini's temporary home gets the login method and model of the user's settings, and the user's login files.
local gemini = require "moonlet.engine.runner.gemini"
put_file(scratch .. "/.gemini", "settings.json", [[{ // mine
  "model": {"name": "m-9"}, /* all of it */ "hooks": {"BeforeAgent": []}, "mcpServers": {"x": {"command": "y"}},
  "security": {"auth": {"selectedType": "oauth-personal", "note": "a \" // b /* c"}}, "general": {"maxAttempts": 9}}]])
put_file(scratch .. "/.gemini", "oauth_creds.json", "{}")
put_file(scratch .. "/.gemini", ".env", "GOOGLE_CLOUD_PROJECT=p")
local function home_of(extra)
  local call = { prompt = "x", out = "/o", cwd = "/w", sandbox = "read-only", scratch = "/s", config = {} }
  for key, value in pairs(extra) do call[key] = value end
  local home = gemini.command(call)
  return home.files, core.json.decode(home.files["/s/gemini/.gemini/settings.json"]), home.warnings
end
local files, settings = home_of {}
is(settings.model.name, "m-9", "the user's model")
is(settings.security.auth.note, 'a " // b /* c', "texts that look like comments")
is(settings.security.auth.selectedType, "gemini-api-key", "the key that is set")
is(settings.hooks == nil and settings.mcpServers == nil, true, "no program of the user's")
is(settings.general.maxAttempts, 1, "moonlet's own where they differ")
is(files["/s/gemini/.gemini/oauth_creds.json"], "{}", "the login")
is(files["/s/gemini/.env"], "GOOGLE_CLOUD_PROJECT=p", "the variables")
files, settings = home_of { private = true }
is(settings.model == nil and files["/s/gemini/.gemini/oauth_creds.json"] == nil, true, "a private one has none of it")
put_file(scratch .. "/.gemini", "settings.json", "{")
local _, _, warnings = home_of {}
holds(warnings[1], "settings.json cannot be read", "settings that are none")
