local worktree = require "moonlet.engine.workspace.worktree"

local key, dir = "agent", nil

--- Returns a run and a new worktree of its step.
local function opened(before)
  local run = a_run()
  if before then sh("cd repo; " .. before) end
  dir = run.sidecar
  return run, worktree.open(run, key, dir, false)
end

local function within(tree, command) return sh(("cd '%s'; %s"):format(tree.path, command)) end

local function merge(run, tree, confirm)
  local paths = worktree.merge(run, key, dir, tree, confirm)
  table.sort(paths)
  return table.concat(paths, " ")
end

test("a worktree starts with all of the user's files, even uncommitted ones", function()
  local _, tree = opened "echo changed >a; rm b; echo new >c; mkdir d; echo deep >d/e"
  is(within(tree, "cat a c d/e; ls"), "changed\nnew\ndeep\na\nc\nd\nnumbers\n", "its files")
  is(sh "cd repo; git worktree list | wc -l":match "%d+", "2", "worktrees of git")
end)

test("changed, new and deleted files are merged, and the worktree waits in the pool", function()
  local run, tree = opened()
  within(tree, "echo agent >a; rm b; mkdir -p x/y; echo new >x/y/z; chmod +x numbers")
  is(merge(run, tree), "a b numbers x/y/z", "the merged files")
  is(sh "cd repo; cat a x/y/z; test ! -e b; test -x numbers && echo x", "agent\nnew\nx\n", "the work tree")
  is(sh "cd repo; git worktree list | grep -c /pool-":match "%d+", "1", "worktrees that wait")
  holds(sh("cat " .. run.absolute(dir) .. "/changes.patch"), "+agent", "the patch")
end)

test("a new empty folder is merged and listed, but an emptied folder is not", function()
  local run, tree = opened "mkdir d known; echo deep >d/e"
  within(tree, "mkdir -p new/deep known .agent/x; rm d/e; echo agent >a; git init -q nested")
  is(merge(run, tree), "a d/e new/deep/", "the merged files and folders")
  is(sh "cd repo; find . -type d -empty -not -path './.git/*' -not -path './.agent/*' | sort", "./known\n./new/deep\n", "the work tree")
end)

test("changes by the agent and by the user in one file are merged", function()
  local run, tree = opened()
  within(tree, "sed -i 's/^2$/two/' numbers")
  sh "cd repo; sed -i 's/^8$/eight/' numbers; echo mine >b"
  is(merge(run, tree), "numbers", "the merged files")
  is(sh "cd repo; cat numbers b", "1\ntwo\n3\n4\n5\n6\n7\neight\n9\nmine\n", "the work tree")
end)

test("a conflict changes nothing and keeps the worktree", function()
  local conflicts = {
    { "the same line", "sed -i 's/^2$/two/' numbers", "sed -i 's/^2$/zwei/' numbers", "numbers" },
    { "removed by the agent", "rm a", "echo mine >a", "a was changed here, and the agent removed it" },
    { "removed by the user", "echo agent >a", "rm a", "a is not here any more, and the agent changed it" },
    { "a new file", "echo agent >n", "echo mine >n", "n exists here already, and the agent made another file" },
    { "a folder in the way", "echo agent >n", "mkdir n; echo mine >n/m", "n is a folder here, which is not empty" },
    { "a file in the way", "mkdir n; echo agent >n/m", "echo mine >n", "n/m has n in its way" },
    { "a link", "rm a; ln -s b a", "echo mine >a", "a was changed here too" },
  }
  local run = a_run()
  dir = run.sidecar
  for i, case in ipairs(conflicts) do
    local name, agent, user, why = table.unpack(case)
    local tree = worktree.open(run, "agent" .. i, dir, false)
    within(tree, agent .. "; echo more >b")
    sh("cd repo; " .. user)
    local before = sh "cd repo; git status --porcelain; cat a b numbers n n/m 2>/dev/null || true"
    local err = raises(function() worktree.merge(run, "agent" .. i, dir, tree) end, why, name)
    holds(err.hint, tree.path, name .. ": the hint names the worktree")
    is(sh "cd repo; git status --porcelain; cat a b numbers n n/m 2>/dev/null || true", before, name .. ": the work tree")
    is(within(tree, "cat b"), "more\n", name .. ": the agent's work")
    sh "cd repo; git checkout -q . && rm -rf n"
  end
end)

test("a merge that fails halfway is rolled back", function()
  local run, tree = opened()
  within(tree, "echo agent >a; echo agent >b; sed -i 's/^2$/two/' numbers")
  local before, swap, count = sh "cd repo; cat a b numbers", core.file.swap, 0
  core.file.swap = function(...)
    count = count + 1
    if count == 2 then return nil, { kind = "failed", message = "the disk is full" } end
    return swap(...)
  end
  raises(function() merge(run, tree) end, "the disk is full", "the merge")
  is(count > 2, true, "files were put back")
  is(sh "cd repo; cat a b numbers", before, "the work tree")
  core.file.swap = swap
  is(merge(run, worktree.open(run, key, dir, true)), "a b numbers", "merged once there is room")
end)

test("a change that deletes most files needs an approval before its merge", function()
  local run, tree = opened "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >f$i; done"
  within(tree, "rm f*")
  local asked
  raises(function()
    merge(run, tree, function(_, _, deleted, total)
      asked = #deleted .. " of " .. total
      error({ kind = "rejected", message = "no" }, 0)
    end)
  end, "no", "rejected")
  is(asked, "12 of 15", "the question")
  is(sh "cd repo; ls | wc -l":match "%d+", "15", "files of the work tree")
  is(merge(run, worktree.open(run, key, dir, true), function() end), "f1 f10 f11 f12 f2 f3 f4 f5 f6 f7 f8 f9", "approved")
end)

test("discarded work is kept as a patch", function()
  local run, tree = opened()
  within(tree, "echo agent >a")
  holds(worktree.drop(run, key, dir, tree, "left.patch"), "1 file) are not merged, and are in", "the note")
  holds(sh("cat " .. run.absolute(dir) .. "/left.patch"), "+agent", "the patch")
  is(sh("test -e '" .. tree.path .. "' || echo gone"), "gone\n", "the worktree")
  local other = worktree.open(run, "other", dir, false)
  is(worktree.drop(run, "other", dir, other, "none.patch"), nil, "nothing was changed")
  is(sh("test -e " .. run.absolute(dir) .. "/none.patch || echo none"), "none\n", "no patch")
end)

test("a later host opens the worktree of an attempt that still runs", function()
  local run, tree = opened()
  within(tree, "echo agent >a")
  local again, anew = worktree.open(run, key, dir, true, tree.path)
  is(again.path, tree.path, "its place")
  is(again.base, tree.base, "the tree that it began with")
  is(anew, nil, "it is not made again")
  is(merge(run, again), "a", "the merged files")
end)

test("the user's git settings do not change a merge", function()
  local run, tree = opened "git config core.autocrlf true; git config diff.noprefix true; git config apply.whitespace error"
  within(tree, "printf 'x \\r\\ny\\n' >a")
  is(merge(run, tree), "a", "the merged files")
  is(sh "od -c repo/a | head -n 1":gsub("%s+", " "), "0000000 x \\r \\n y \\n ", "its bytes")
end)
