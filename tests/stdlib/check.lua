-- A test file calls test("name", function() … end) for each test. The functions below note faults
-- in the current test. `scratch` is an empty folder, also HOME and the working directory; `cases`
-- is the folder of the test file. fixture.lua of a folder runs before the test files of that
-- folder.
local looked, wrong, names = 0, {}, {}
local wanted = core.system.env "TEST"
cases, scratch = core.system.env "CASES", core.system.env "SCRATCH"
--- Seeds the random numbers of tests. It is constant unless a soak test sets MOONLET_SEED.
seed = math.tointeger(tonumber(core.system.env "MOONLET_SEED" or "") or 20261121)

function test(name, fn)
  names[#names + 1] = name
  if name ~= wanted then return end
  local ok, err = xpcall(fn, function(err)
    return type(err) == "table" and ("%s | %s | %s"):format(err.message, err.hint or "", err.at or "") or tostring(err)
  end)
  if not ok then note(err) end
end

function note(text) wrong[#wrong + 1] = text end

function show(value)
  if type(value) == "table" then
    local ok, text = pcall(core.json.encode, value)
    return ok and text or "a table"
  end
  return tostring(value)
end

function is(given, expected, what)
  looked = looked + 1
  if given ~= expected then note(("%s: %s, wanted %s"):format(what, show(given), show(expected))) end
end

function same(given, expected, what)
  looked = looked + 1
  if show(given) ~= show(expected) then note(("%s: %s, wanted %s"):format(what, show(given), show(expected))) end
end

function holds(text, part, what)
  looked = looked + 1
  if type(text) ~= "string" or not text:find(part, 1, true) then
    note(("%s: no '%s' in: %s"):format(what, part, show(text)))
  end
end

function raises(fn, part, what)
  looked = looked + 1
  local ok, err = pcall(fn)
  local text = type(err) == "table" and ("%s | %s | %s"):format(err.message, err.hint or "", err.at or "") or tostring(err)
  if ok then note(what .. ": no error") elseif not text:find(part, 1, true) then note(what .. ": " .. text) end
  return err
end

function read_case(name) return (core.file.read(core.file.root(cases), name, 1 << 20)) end

function put_file(folder, name, text) assert(core.file.write(assert(core.file.make_root(folder)), name, text)) end

--- Runs shell commands in `scratch`. Raises if one fails.
function sh(command)
  local text, code = shell("set -e; " .. command)
  if code ~= 0 then error({ kind = "failed", message = ("exit code %d of: %s\n%s"):format(code, command, text) }, 0) end
  return text
end

function told()
  if not wanted or wanted == "" then return "tests:\n" .. table.concat(names, "\n") .. "\n" end
  if #wrong > 0 then return table.concat(wrong, "\n    ") end
  return looked > 0 and "right" or "the test looks at nothing"
end

--- Makes a run in its own repository, `scratch`/repo, with what the work tree and agents need of a
--- run. run.emitted lists its events. It starts real processes.
function a_run()
  sh [[
    printf '[user]\n\tname = Case\n\temail = case@localhost\n[init]\n\tdefaultBranch = main\n' >.gitconfig
    mkdir repo && cd repo && git init -q
    printf '1\n2\n3\n4\n5\n6\n7\n8\n9\n' >numbers && echo a >a && echo b >b && git add . && git commit -qm Start
  ]]
  local home = require("moonlet.engine.run.repository").open(scratch .. "/repo")
  local created = core.run.create { home = home.handle, preset = "test" }
  local run = { home = home, top = home.top, id = created.id, sidecar = created.sidecar, options = {}, emitted = {},
    config = { limits = {} }, written = {} }
  function run.absolute(path) return home.agent_path .. "/" .. path end
  function run.emit(kind, fields) table.insert(run.emitted, kind .. " " .. (fields.text or "")) end
  function run.is_cancelled() return false end
  function run.child_environment(extra)
    local env = { "PATH=" .. core.system.env "PATH", "HOME=" .. scratch }
    for name, value in pairs(extra or {}) do
      if value then env[#env + 1] = name .. "=" .. value end
    end
    return env
  end
  function run.write_artifact(path, text) return core.run.write(path, text) end
  function run.read_artifact(path, cap) return core.run.read(path, cap) end
  core.run.make_dirs(run.sidecar .. "/out")
  return run
end

--- Compares the results of fn, joined by commas, or "error: kind: message".
function gives(fn, expected)
  local results = table.pack(pcall(fn))
  local parts = {}
  for i = 2, results.n do parts[i - 1] = tostring(results[i]) end
  local text = table.concat(parts, ",")
  if not results[1] then
    local err = results[2]
    text = type(err) == "table" and ("error: %s: %s"):format(err.kind, err.message) or "error: failed: " .. tostring(err)
  end
  is(text, expected, "it gives")
end
