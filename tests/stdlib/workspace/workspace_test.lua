local workspace = require "moonlet.engine.workspace.workspace"
local places = require "moonlet.engine.workspace.real_paths"

test("a call is read-only unless it asks to write", function()
  local run = { options = {} }
  is(workspace.mode(run, {}), "read-only", "nothing said")
  is(workspace.mode(run, { writes = { "docs" } }), "workspace-write", "folders")
  is(workspace.mode(run, { in_place = true }), "workspace-write", "in place")
  is(workspace.mode(run, { sandbox = "workspace-write" }), "workspace-write", "the sandbox")
  run.options.sandbox = "workspace-write"
  is(workspace.mode(run, {}), "workspace-write", "the option of the run")
  is(workspace.mode(run, { sandbox = "read-only" }), "read-only", "the call before the run")
end)

test("mutually exclusive modes are refused", function()
  local run = { options = {} }
  for part, call in pairs {
    ["sandbox 'open' is not understood"] = { sandbox = "open" },
    ["with inputs the agent sees only copies"] = { inputs = { "a" }, in_place = true },
    ["writes names no folder"] = { writes = {} },
    ["writes and in_place exclude each other"] = { writes = { "a" }, in_place = true },
  } do
    raises(function() workspace.mode(run, call) end, part, part)
  end
  run.options.sandbox = "read-only"
  local err = raises(function() workspace.mode(run, { in_place = true }) end, "--sandbox read-only was given", "the user's word")
  is(err.kind, "denied", "its kind")
end)

test("the folders of git and moonlet are not writable", function()
  for _, path in ipairs { ".git", ".git/hooks", ".agent", ".agent/runs", "sub/.git", ".GIT/x" } do
    is(places.is_reserved(path), true, path)
  end
  for _, path in ipairs { "docs", "git", ".github", "agent/x" } do is(places.is_reserved(path) or false, false, path) end
end)

test("a symbolic link out of the repository is refused", function()
  local run = a_run()
  sh "mkdir repo/docs outside && ln -s ../outside repo/out && ln -s docs repo/inside && ln -s ../../.. repo/docs/up"
  is(places.of_repository(run, "docs"), "docs", "a folder")
  for _, path in ipairs { "out", "out/deeper", "docs/up" } do
    local own, why = places.of_repository(run, path)
    is(own, nil, path)
    is(type(why), "string", "the reason of " .. path)
  end
end)
