// Tests how steps use the journal: which records are replayed, in which order, and which steps are
// repeated. Records are in memory here; tests/host/artifact/journal/journal_test.cpp tests those on
// disk.
#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

namespace {

// begin(records) opens a journal with these records; every step that is done is added to `done`.
const std::string kJournal = R"(
  local journal = require "moonlet.engine.journal.journal"
  local values = require "moonlet.engine.journal.values"
  local scope = require "moonlet.engine.context.scope"
  require "moonlet.engine.run.verbs"
  local files, records, done, told = {}, {}, {}, {}
  local function add(text) records[#records + 1] = text end
  local function open()
    local order, all = 0, { table.unpack(records) }
    return function()
      order = order + 1
      if not all[order] then return nil end
      local ok, item = pcall(core.json.decode_record, all[order])
      return order, ok and item or nil, not ok and item.message or nil
    end
  end
  core.journal = { append = add, note = add, collect = function() end, open = open }
  core.run.redact = function(text) return text end
  core.secret.key = function() return "key" end
  core.run.write_value = function(name, text) files[name] = text end
  core.run.read_value = function(name) return files[name] end
  local run = { limit = 8, steps = {},
    emit = function(_, fields) told[#told + 1] = tostring(fields.step) .. ": " .. tostring(fields.text) end }
  require "moonlet.engine.run.verdict".add(run)
  local function begin(fresh, ended)
    done, told = {}, {}
    run.journal = journal.open(fresh, ended)
    add(core.json.encode { type = "drive", retry = run.journal.retry })
  end
  local function step(key, input, live, private)
    return (journal.step(run, key, { verb = "step", input = input }, { private = private }, function()
      done[#done + 1] = key
      return live()
    end))
  end
  local function over(verdict) add(core.json.encode { type = "over", verdict = verdict }) end
  local function list(items) return table.concat(items, " ") end
)";

std::string journaled(const std::string& text) { return LuaFixture().run(kJournal + text); }

}  // namespace

TEST_CASE("a step on record is replayed, not done") {
  CHECK(journaled(R"(
    begin()
    local first = step("a", 1, function() return { n = 7 } end).n
    begin()
    local again = step("a", 1, function() error "no" end).n
    return first, again, #done)") == "7,7,0");
}

TEST_CASE("bytes that are not UTF-8 distinguish inputs, and come back in values and keys") {
  CHECK(journaled(R"(
    local function all(input)
      begin()
      local value = step("a", input, function() return { ["x\xe9"] = "1\xe9", ["x\xe8"] = { "2\xe8" } } end)
      return list(done), value["x\xe9"] == "1\xe9" and value["x\xe8"][1] == "2\xe8"
    end
    return all("caf\xe9"), "|", all("caf\xe9"), "|", all("caf\xe8"))") == "a,|,,|,a,true");
}

TEST_CASE("another input is another step, and is named; its neighbours are left alone") {
  CHECK(journaled(R"(
    local function all(input)
      begin()
      for _, key in ipairs { "a", "b", "c" } do step(key, key == "b" and input or 0, function() return true end) end
      return list(done) .. "|" .. list(told)
    end
    return all(1), all(2), all(2))") ==
        "a b c|,b|b: its input has changed since the run was recorded: it is done again,|");
}

TEST_CASE("a failure is replayed until a run that did not end well is resumed") {
  const std::string text = R"(
    local function try(good, ended)
      begin(false, ended)
      local ok, err = pcall(step, "a", 1, function()
        if good then return "fine" end
        error { kind = "denied", message = "no", hint = "ask", secret = 1 }
      end)
      return ok and "fine" or err.kind .. " " .. err.message .. " " .. err.hint .. tostring(err.secret), #done
    end
    local told = { (try(false)) }
    over(VERDICT)
    local again, count = try(true, ENDED)
    return told[1], again, count, (try(false)))";
  const auto with = [&](const std::string& verdict, const char* ended = "true") {
    return journaled("local VERDICT, ENDED = '" + verdict + "', " + ended + "\n" + text);
  };
  const std::string again = "denied no ask1,denied no ask1,0,denied no ask1";
  CHECK(with("ok") == again);
  CHECK(with("needs-human") == again);
  // The agent was killed before it reported a verdict.
  CHECK(with("degraded", "false") == again);
  for (const char* verdict : {"failed", "cancelled", "budget", "blocked", "degraded"}) {
    CHECK(with(verdict) == "denied no ask1,fine,1,fine");
  }
}

TEST_CASE("a clean-up is replayed where it ended so before, and done anew otherwise") {
  CHECK(journaled(R"(
    local all = {}
    local function try(input, fails)
      pcall(scope.body, run, "inner", {}, function(ctx)
        ctx:finally(function() ctx:step("clean", {}, function() done[#done + 1] = "clean" return 1 end) end)
        step("inner/work", input, function() return 1 end)
        if fails then error "on purpose" end
      end)
      all[#all + 1] = list(done)
    end
    function run.step(key, _, _, input, options, live) return journal.step(run, key, input, options, live), {} end
    function run.end_step() end
    function run.settle_cleanups() end
    local function host(input, fails, ended)
      begin(false, ended)
      try(input, fails)
    end
    host(1, true)          -- fails
    host(1, true)          -- its host was killed: the same ending
    over "failed"
    host(1, true, true)    -- tried again
    host(2, true)          -- another step
    host(2, false)         -- another ending
    host(2, false)
    return table.concat(all, ","))") == "inner/work clean,,clean,inner/work clean,clean,");
}

TEST_CASE("a run parks in a clean-up, however long others take, and its rest stays undone") {
  CHECK(journaled(R"(
    local cleanup = require("moonlet.engine.context.context").cleanup(run)
    run.options, run.parked = {}, {}
    function run.begin_step() return {} end
    function run.end_step() end
    function run.is_cancelled() return false end
    function run.end_parked()
      run.is_parking = true
      for _, part in ipairs { run.scope, table.unpack(cleanup.shields) } do
        core.task.cancel_scope(part, { kind = "parked", message = "it waits" })
      end
    end
    begin()
    local ok, err = pcall(scope.body, run, "", {}, function(ctx)
      run.scope = require("moonlet.engine.context.context").of(ctx).scope
      ctx:parallel({ "gate", "sibling" }, function(c, what)
        if what == "sibling" then return core.task.sleep(60000) end
        c:finally(function() done[#done + 1] = "the rest" end)
        c:finally(function()
          pcall(c.gate, c, { action = "remove it" })
          c:step("next", function() done[#done + 1] = "next" return 1 end)
        end)
      end)
    end)
    return err.kind, list(done), #run.parked, cleanup.is_owed, core.clock.monotonic())") ==
        "parked,,1,true,60000");
}

TEST_CASE("a failure in a killed retry is replayed") {
  CHECK(journaled(R"(
    local count = 0
    local function try()
      local ok, err = pcall(step, "a", 1, function()
        count = count + 1
        error { kind = "failed", message = "no. " .. count }
      end)
      return err.message
    end
    begin()
    local told = { try() }
    over "failed"
    begin(false, true)
    told[2] = try()
    begin()
    told[3] = try()
    begin()
    told[4] = try()
    return list(told))") == "no. 1 no. 2 no. 2 no. 2");
}

TEST_CASE(
    "an attempt that failed by itself is spent; one that the host or keeper failed is checked") {
  CHECK(journaled(R"(
    local spent = {}
    local function try(name, entry)
      records = {}
      add(core.json.encode { type = "drive" })
      add(core.json.encode { type = "begin", key = "a", attempt = 2, input_hash = "x", ["repair"] = true })
      if entry then
        entry.number = entry.number or 2
        add(core.json.encode { type = "attempt", key = "a", outcome = entry })
      end
      add(core.json.encode { type = "end", key = "a", input_hash = "x", status = "failed", error = { kind = "failed", message = "x" } })
      over "failed"
      if journal.open(false, true).begins.a.spent then spent[#spent + 1] = name end
    end
    try("failed", { status = "failed", why = "exited" })
    try("late", { status = "failed", why = "wall" })
    try("invalid", { status = "invalid-output", why = "exited" })
    try("lost", { status = "failed", why = "lost" })
    try("ended", { status = "failed", why = "cancelled" })
    try("unstarted", { status = "failed", why = "not_started" })
    try("unwritten", { status = "failed", why = "exited", class = "lost" })
    try("well", { status = "ok", why = "exited" })
    try("before", { status = "failed", why = "exited", number = 1 })
    try("unknown")
    return list(spent))") == "failed late invalid");
}

TEST_CASE("a step that the end of the run cut short is not on record") {
  CHECK(journaled(R"(
    begin()
    for _, kind in ipairs { "cancelled", "budget", "limit", "parked", "quota" } do
      pcall(step, kind, 1, function() error { kind = kind, message = "x" } end)
    end
    return #records)") == "1");
}

TEST_CASE(
    "an observation is made once; of another thing it is another one; --fresh makes all anew") {
  CHECK(journaled(R"(
    local count = 0
    local function look(key, input)
      return journal.fact(run, key, { of = input }, function() count = count + 1 return count end)
    end
    begin()
    local seen = { look("a", 1), look("a", 1), look("b", 1) }
    begin()
    seen[#seen + 1], seen[#seen + 2], seen[#seen + 3] = look("a", 1), look("b", 2), look("b", 2)
    begin(true)
    seen[#seen + 1] = look("a", 1)
    return list(seen))") == "1 2 3 2 4 5 6");
}

TEST_CASE("--fresh does steps again, but asks no agent again") {
  CHECK(journaled(R"(
    local function both()
      step("s", 1, function() return 1 end)
      journal.step(run, "a", { verb = "agent" }, {}, function() done[#done + 1] = "a" return 1 end)
      return list(done)
    end
    begin()
    local first = both()
    begin(true)
    return first, both())") == "s a,s");
}

TEST_CASE("values come back as they were, whatever bytes and keys they have") {
  CHECK(journaled(R"(
    local big = ("x"):rep(100000)
    local function value()
      return { text = "a\0\xff\xfe\u{7f}", big = { big, "\xff" .. big }, list = core.json.array {}, null = core.json.null,
        odd = { { ["$bytes"] = "no" }, { ["$value"] = "../run.json" }, { ["$table"] = { ["$bytes"] = 1 } } },
        numbers = { 2^53, -0.5, 1 << 62 } }
    end
    begin()
    step("a", 1, value)
    begin()
    local v, w = step("a", 1, function() error "no" end), value()
    return v.text == w.text, v.big[1] == big, v.big[2] == "\xff" .. big, core.json.is_array(v.list), v.null == w.null,
      v.odd[1]["$bytes"], v.odd[2]["$value"], v.odd[3]["$table"]["$bytes"], v.numbers[1] == w.numbers[1],
      v.numbers[2], math.type(v.numbers[3]) .. v.numbers[3], #done)") ==
        "true,true,true,true,true,no,../run.json,1,true,-0.5,integer4611686018427387904,0");
}

TEST_CASE("a value that is not kept is read again; a changed one is replayed without it") {
  CHECK(journaled(R"(
    local world, asked = "name: x, key: 1234", 0
    local private = { clean = function(value) return (value:gsub("key: %d+", "key: -")) end,
      again = function() asked = asked + 1 return world end }
    local function see()
      begin()
      return step("a", 1, function() return world end, private) .. "/" .. asked .. "/" .. #told
    end
    local function read() return journal.fact(run, "f", { verb = "read" }, function() return world end, private.clean) end
    local first, fact = see(), read()
    local kept = table.concat(records):find("1234", 1, true)
    local again, fact_again = see(), read()
    world = "name: y, key: 1234"
    local changed, fact_changed = see(), read()
    private.again = function() error { kind = "failed", message = "gone" } end
    local gone = see()
    private = nil
    return list { first, fact, tostring(kept), again, fact_again, changed, fact_changed, gone, see() })") ==
        "name: x, key: 1234/0/0 name: x, key: 1234 nil name: x, key: 1234/1/0 name: x, key: 1234 "
        "name: x, key: -/2/1 name: x, key: - name: x, key: -/2/1 name: x, key: -/2/1");
}

TEST_CASE("a value with a missing or changed file is made again") {
  CHECK(journaled(R"(
    local function make() return ("y"):rep(100000) end
    begin()
    step("a", 1, make)
    local name = next(files)
    files[name] = files[name]:gsub("y", "z", 1)
    begin()
    local ok = step("a", 1, make) == make()
    files = {}
    begin()
    return ok, list(done), #step("a", 1, make), list(done))") == "true,,100000,a");
}

TEST_CASE("records that are not ours are refused by their number") {
  for (const std::string record :
       {R"({"type":"alien"})", R"({})", R"([])", R"({"type":"end","key":"a"})",
        R"({"type":"fact","key":1,"input_hash":"x"})",
        R"({"type":"begin","key":"a","input_hash":"x","attempt":"1"})",
        R"({"type":"timeout","key":"a"})",
        R"({"type":"end","key":"a","input_hash":"x","status":"failed"})", R"({"type":"over"})",
        R"({"type":"begin")"}) {
    const std::string answer = journaled("begin() add '" + record + "'\nbegin()");
    INFO(record << " gave " << answer);
    CHECK(answer.find("error: failed: record 2 of the journal cannot be understood: ") == 0);
  }
}

// A replay resumes tasks in the recorded order, so a script repeats every decision that depends on
// it.
TEST_CASE("a replay from every point keeps the order of the events") {
  CHECK(journaled(R"(
    local seed = 1
    local function chance(n) seed = (seed * 1103515245 + 12345) % (1 << 31) return seed % n end
    local order
    -- Tasks with steps of chance lengths, a race, and a scope that runs out of time.
    local function story()
      order = {}
      scope.body(run, "", {}, function(ctx)
        for t = 1, 5 do
          ctx:spawn("side", function(c)
            for s = 1, 4 do
              local key = ("t%d.%d"):format(t, s)
              -- A value that is not kept whole is read again, which takes time.
              local private = s % 2 == 1 and { clean = function() return "kept" end,
                again = function() core.task.sleep(1 + chance(20)) return true end } or nil
              step(key, t, function() core.task.sleep(1 + chance(40)) return true end, private)
              order[#order + 1] = key
              if s == 2 then
                local ok, err = pcall(c.scope, c, { name = "late", timeout = 15 / 1000 }, function()
                  step(key .. "/long", t, function() core.task.sleep(10 + chance(10)) return true end)
                  order[#order + 1] = key .. "/long"
                end)
                -- As the engine does when it comes to that.
                if not ok and err.message:find " ms$" then
                  add(core.json.encode { type = "timeout", key = err.message:match "^(.-) took", error = err })
                end
              end
            end
          end)
        end
      end)
      return list(order)
    end
    begin()
    story()
    local kept, wrong = records, {}
    for n = 1, #kept do
      records = { table.unpack(kept, 1, n) }
      local ends = {}
      for _, text in ipairs(records) do
        local item = core.json.decode(text)
        if item.type == "end" and item.status == "ok" then ends[#ends + 1] = item.key end
      end
      begin()
      story()
      for _, key in ipairs(done) do
        for _, ended in ipairs(ends) do
          if key == ended then wrong[#wrong + 1] = n .. ": " .. key .. " was done again" end
        end
      end
      local known = list(ends)
      local first = {}
      for i = 1, #ends do first[i] = order[i] end
      if list(first) ~= known then wrong[#wrong + 1] = n .. ": " .. known .. " became " .. list(first) end
    end
    return #kept > 20, #wrong, tostring(wrong[1]))") == "true,0,nil");
}

TEST_CASE("recorded spending counts below each path, and is replayed with the events") {
  CHECK(journaled(R"(
    local function put(item) add(core.json.encode(item)) end
    local function begin_of(key, number, hash, tokens)
      put { type = "begin", key = key, attempt = number, input_hash = hash, driven_ms = 5, need = { agents = 1, tokens = tokens } }
    end
    local function attempt_of(key, number, tokens, again)
      put { type = "attempt", key = key, outcome = { number = number, status = "ok", taken_over = again,
        used = { agents = 1, tokens = tokens } } }
    end
    put { type = "drive" }
    begin_of("s/a", 1, "x", 100)
    attempt_of("s/a", 1, 7)
    attempt_of("s/a", 1, 8, true)              -- told once more by the next host: one attempt
    begin_of("s/b", 1, "x", 100)               -- cancelled: what was reserved
    begin_of("s/b", 1, "x", 100)               -- nothing was started in between: one attempt
    begin_of("s/b", 1, "y", 1000)              -- another input: another one
    begin_of("sb", 1, "x", 10000)              -- beside the scope s
    put { type = "end", key = "s/e", input_hash = "x", status = "failed", verb = "exec", error = {}, driven_ms = 90 }
    put { type = "attempt", key = "s/a", outcome = { number = 2, used = { agents = -1, tokens = "x" } } }
    begin()
    local history = run.journal.history
    local function ahead(path) return ("%d/%d"):format(history:ahead(path, "tokens"), history:ahead("", "tokens")) end
    local seen = { history:spent("s").tokens, history:spent("").tokens, history:spent("s").agents,
      history:spent("").processes, history.driven, #run.journal.attempts["s/a"], ahead("s") }
    history:tell("s/a")
    seen[#seen + 1] = ahead("s")
    history:tell("s")
    history:tell("s")
    seen[#seen + 1] = ahead("s")
    history:tell("sb")
    seen[#seen + 1] = ahead("s")
    seen[#seen + 1] = history:retake("s/b", 1, "x") and "?" or "no"
    seen[#seen + 1] = history:retake("s/b", 1, "y").tokens
    seen[#seen + 1] = history:retake("s/b", 1, "y") and "?" or "no"
    return list(seen))") == "1108 11108 3 1 90 2 1108/11108 1100/11100 0/10000 0/0 no 1000 no");
}
