local config = require "moonlet.engine.load.config"
local path = scratch .. "/.config/moonlet/config.lua"

same(config.load().runners, {}, "no file")
put_file(scratch .. "/.config/moonlet", "config.lua", [[
-- mine
local spark = "gpt-5.3-codex-spark"
return {
  runner = "mine",
  runners = {
    codex = { model = spark, args = { "-c", "model_provider=acme" }, env = { "ACME_KEY" }, home = "~/cx" },
    mine = { file = "mine.lua" },
  },
  routes = { ["test-gaps"] = { runner = "mine", high = { escalate = true } } },
  prices = { [spark] = { input = 1.25, cached = 0.125, output = 10 } },
  limits = { tokens = 1000, wall = "20m", parallel = 4 },
  repositories = { ["/me/app"] = { worktree = { keep = { "node_modules/" }, setup = { "npm", "ci" },
    state = { "~/.npm" }, network = true } } },
  hooks = { finished = { "notify-send", "done" } },
}
]])
local loaded = config.load()
is(loaded.path, path, "the file")
is(loaded.runner, "mine", "the default runner")
is(loaded.runners.codex.home, scratch .. "/cx", "a home")
is(loaded.runners.mine.file, scratch .. "/.config/moonlet/mine.lua", "a file beside the config")
is(loaded.prices["gpt-5.3-codex-spark"].output, 10, "a price")
is(loaded.limits.wall, "20m", "a limit")
same(loaded.repositories["/me/app"].worktree, { keep = { "node_modules" }, setup = { "npm", "ci" },
  state = { scratch .. "/.npm" }, network = true }, "the worktrees of a repository")

local function wrong_at(text, line, part, what)
  local err = raises(function() config.read(text, "/c/config.lua") end, part, what)
  is(type(err) == "table" and err.at, "/c/config.lua:" .. line, "where: " .. what)
  return err
end
wrong_at("return {\n  runer = 'codex',\n}", 2, "did you mean 'runner'?", "a wrong key")
wrong_at("return {\n  runner = 'codx',\n}", 2, "did you mean 'codex'?", "a wrong runner")
wrong_at("return { runners = {\n  codex = {},\n  claude = {\n    modle = 'x' } } }", 4, "did you mean 'model'?", "a wrong key below")
wrong_at("return { runners = {\n  -- modle = 1\n  codex = {\n modle = 1 } } }", 4, "no key 'modle'", "not in a comment")
wrong_at("return { runners = {\n  cursor = { program = 'x' } } }", 2, "needs file", "an unknown runner")
wrong_at("return { runners = {\n  rules = { } } }", 2, "cannot name a runner", "a name that is taken")
wrong_at("return { runners = {\n  route = { file = 'x.lua' } } }", 2, "cannot name a runner", "that of what chooses one")
wrong_at("return { routes = {\n  ['a'] = { runner = 'route' } } }", 2, "leads to a runner", "a route to itself")
wrong_at("return { routes = {\n  ['Todo Scan'] = {},\n  todos = { escalate = true } } }", 3, "the same task type, 'todo-scan'",
  "one type by two names")
wrong_at("return { routes = {\n  ['&'] = {} } }", 2, "cannot name a task type", "no name")
wrong_at("return { routes = {\n  a = { runner = 'command' } } }", 2, "names no program", "a route to no program")
wrong_at("return { routes = {\n  a = { high = { runner = 'command:' } } } }", 2, "names no program", "nor below")
wrong_at("return { routes = {\n  a = { runner = 'cassette' } } }", 2, "names no folder", "a cassette without a folder")
wrong_at("return { routes = {\n  a = { runner = 'codex:x' } } }", 2, "nothing after a colon", "a runner with too much")
is(config.read("return { runner = 'command' }", "/c/config.lua").runner, "command", "calls name the program")
wrong_at("return { runner =\n  'route:x' }", 1, "nothing after a colon", "a default with too much")
wrong_at("return {\n  runners = {\n claude = { args = {\n '--continue' } } } }", 3, "cannot hold '--continue'", "an argument that resumes")
wrong_at("return { runners = { codex = {\n args = { '-s', 'danger-full-access' } } } }", 2, "cannot hold '-s'", "a sandbox by itself")
wrong_at("return { runners = { codex = {\n args = { '-c', 'sandbox_mode=danger-full-access' } } } }", 2, "sandbox_mode", "the same as a setting")
wrong_at("return { runners = { codex = {\n env = { 'A=B' } } } }", 2, "list of names of variables", "a variable with its value")
for name, words in pairs {
  codex = { "-sdanger-full-access", "-s=x", "--sandbox=x", "-C/tmp", "-o/tmp/x", "--add-dir=/", "--config=sandbox_mode=x",
    "-csandbox_mode=x", "-c=sandbox_mode=x", "sandbox_workspace_write.network_access=true", "'sandbox_mode' = 'x'" },
  claude = { "-c", "-rabc", "-pc", "-vpr", "--permission-mode=x" },
  gemini = { "-y", "-pword", "--approvalMode=yolo", "--approval-mode=yolo", "--promptInteractive" },
  opencode = { "-sses_1", "--attach=x" },
} do
  for _, word in ipairs(words) do
    wrong_at(("return { runners = { %s = {\n args = { %q } } } }"):format(name, word), 2, word, name .. " " .. word)
  end
end
for name, words in pairs {
  codex = { "-c", "model_reasoning_effort=high", "--config=model_provider=acme", "-cmodel=x", "--search", "sandboxed=1" },
  claude = { "--model=x", "--add-dir=/x", "-d", "--color" }, gemini = { "-mflash", "--yoloing", "--model=x" },
} do
  is((pcall(config.read, ("return { runners = { %s = { args = { '%s' } } } }"):format(name, table.concat(words, "','")),
    "/c/config.lua")), true, name .. ": arguments that say nothing of it")
end
wrong_at("return { runners = { codex = {\n args = { 'a', x = 1 } } } }", 2, "list of texts", "a list that is none")
wrong_at("return { prices = {\n ['gpt'] = { input = 1 } } }", 2, "needs 'output'", "half a price")
wrong_at("return { prices = {\n ['gpt-*-mini'] = { input = 1, output = 1 } } }", 2, "only end a name", "a star amid a name")
wrong_at("return { limits = {\n wall = 'soon' } }", 2, "is not a duration", "a duration that is none")
local app = "return { repositories = { ['/app'] = { worktree = {\n"
wrong_at("return { repositories = {\n app = {} } }", 2, "is not an absolute path", "a relative repository")
wrong_at(app .. "kep = {} } } } }", 2, "did you mean 'keep'?", "a wrong key of a worktree")
wrong_at(app .. "keep = { '../other' } } } } }", 2, "cannot hold '../other'", "a kept folder elsewhere")
wrong_at(app .. "keep = { '.git/hooks' } } } } }", 2, "cannot hold '.git/hooks'", "git's folder kept")
wrong_at(app .. "keep = { '/tmp' } } } } }", 2, "cannot hold '/tmp'", "an absolute kept folder")
wrong_at(app .. "keep = { 'a' }, setup = {} } } } }", 2, "is empty", "an empty set-up")
wrong_at(app .. "setup = { 'npm', 'ci' } } } } }", 2, "has no folder to keep", "a set-up without a kept folder")
wrong_at("return { limits = {\n tokens = -1 } }", 2, "cannot be -1", "less than nothing")
wrong_at("return { hooks = {\n finished = 'x' } }", 2, "must be a list", "a hook that is text")
wrong_at("return { routes = {\n security = { runer = 'x' } } }", 2, "no key 'runer'", "a route")
wrong_at("return {\n hooks = { finished = { function() end } } }", 2, "only data", "a function")
wrong_at("return 7", 1, "returns no table", "no table")
wrong_at("return {\n", 2, "syntax error", "half a file")
wrong_at("local x = nil\nreturn { runner = x.y }", 2, "the config failed", "an error in it")
wrong_at("return { runner =\n os.getenv('HOME') }", 2, "the config failed", "the environment")
wrong_at("return { runner =\n runer }", 2, "there is no variable 'runer'", "a name that is not there")
wrong_at("local function x()\n error { at = '/etc/x:7' } end\nx()", 2, "it raised an error", "an error without a message")
wrong_at("return {\n  limits = { usd = 0/0 } }", 2, "not a finite number", "a number that is none")
is(pcall(config.read, "io.open('/etc/passwd')", "/c/config.lua"), false, "no io")
is(pcall(config.read, "require 'moonlet'", "/c/config.lua"), false, "no modules")
is(pcall(config.read, "local t = {} t.t = t return { runners = t }", "/c/config.lua"), false, "a table that holds itself")
is(pcall(config.read, "return setmetatable({}, { __pairs = error, __index = error })", "/c/config.lua"), true, "metatables say nothing")
local several = wrong_at("return {\n  runer = 1,\n  limit = 2,\n  prices = 3,\n}", 2, "did you mean 'limits'?", "three at once")
is(#several.problems, 3, "all are listed")
holds(several.message, "/c/config.lua:4: the config.prices must be a table", "the last of them")

put_file(scratch .. "/dots", "c.lua", "return { runner = 'claude' }")
is(config.load(scratch .. "/dots/c.lua").runner, "claude", "another file")
config.use { runners = {}, routes = {}, prices = {}, limits = {}, hooks = {}, runner = "codex" }
is(config.current().runner, "codex", "the current one")
