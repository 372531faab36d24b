local changes = require "moonlet.engine.task.recorded.changes"
local repository = require "moonlet.engine.run.repository"

local git = "git -c user.name=Case -c user.email=case@localhost "

--- Makes a run, because git queries need one, and opens a repository.
local function open(folder)
  a_run()
  return repository.open(scratch .. "/" .. folder)
end

--- Returns the paths that `during` changes in a repository prepared by `before`.
local function changed(before, during)
  sh(("mkdir work; cd work; git init -q; echo a >a; echo b >b; echo 'ign*' >.gitignore; git add .; %s commit -qm S; %s")
    :format(git, before))
  local home = open "work"
  local start = changes.of_record(core.json.decode_record(core.json.encode_record(changes.record(changes.state(home)))))
  sh("cd work; " .. during)
  local paths, cut = changes.between(home, start, changes.state(home, start.base, start))
  is(cut, false, "cut")
  return table.concat(paths, " ")
end

test("written, new, removed and committed files are changes", function()
  is(changed("true", "echo 2 >>a; echo n >new; mkdir d; echo x >d/'x y'; rm b"), "a b d/x y new", "in the work tree")
end)

test("a commit of the session counts, and its files are named once", function()
  is(changed("true", ("echo 2 >>a; echo n >new; git add .; %s commit -qm T; echo 3 >>new"):format(git)), "a new", "paths")
end)

test("a file that was modified before does not count, even if it is committed", function()
  is(changed("echo mine >>a; echo mine >own; echo mine >also", ("git add a own; %s commit -qm T; echo t >b"):format(git)),
    "b", "paths")
end)

test("a file that was modified before and is written again counts", function()
  is(changed("echo mine >>a; echo mine >own", "echo more >>own; git checkout -q a"), "a own", "paths")
end)

test("the content decides, not the time", function()
  is(changed("echo mine >own", "touch -d yesterday a own; cp own x; mv x own; chmod +x b"), "b", "paths")
end)

test("ignored files and .agent do not count", function()
  is(changed("true", "echo 1 >ignored; mkdir .agent; echo 1 >.agent/x; echo y >y"), "y", "paths")
end)

test("a repository without a commit is compared with nothing", function()
  sh "mkdir work; cd work; git init -q; echo mine >mine; echo staged >staged; git add staged"
  local home = open "work"
  local start = changes.state(home)
  is(start.base, "", "base")
  sh(("cd work; echo n >new; echo 2 >>staged; git add .; %s commit -qm S"):format(git))
  same(changes.between(home, start, changes.state(home, start.base, start)), { "new", "staged" }, "paths")
end)

test("a program that the repository names as a filter is not started", function()
  is(changed(("git config filter.x.clean 'touch %s/started; cat'; echo '* filter=x' >.git/info/attributes; echo 1 >>a")
    :format(scratch), "echo 2 >>a"), "a", "paths")
  is(core.file.stat(core.file.root(scratch), "started"), nil, "the filter")
end)

test("without a state of the start, only files written since then count", function()
  sh(("mkdir work; cd work; git init -q; echo a >a; %s add a; %s commit -qm S; echo old >old; sleep 0.1; touch now; sleep 0.1"):format(git, git))
  local home = open "work"
  local since = core.file.stat(home.root, "now").ctime_ns // 1000000
  sh "cd work; echo new >new; echo 2 >>a; rm now"
  local state = changes.state(home)
  same(changes.between(home, { base = state.base, files = {} }, state, since), { "a", "new" }, "paths")
end)

test("a folder without git has no state", function()
  sh "mkdir plain"
  is(changes.state(open "plain"), nil, "the state")
end)
