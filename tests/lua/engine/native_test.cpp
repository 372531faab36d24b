// Tests native functions, which an embedding program provides to presets, including those that
// misbehave.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "moonlet/engine.h"
#include "tests/catch.h"
#include "tests/lua/engine/folder.h"
#include "tests/places.h"

using namespace moonlet;
using nlohmann::json;

namespace {

/// An engine whose preset `p` has the given text, and a function to run it.
struct Program {
  Folder folder;
  std::string logged;
  std::optional<Engine> engine;

  explicit Program(const std::string& text) {
    EngineOptions options;
    options.directory = folder.path();
    options.moonlet_program = places::kMoonlet;
    options.log = [this](std::string_view line) { logged.append(line).append("\n"); };
    auto opened = Engine::open(std::move(options));
    REQUIRE(opened);
    engine.emplace(std::move(*opened));
    REQUIRE(engine->add_preset("p", {{"init.lua", text}}));
  }

  void provide(const std::string& name, std::function<void(const Call&, const Reply&)> fn,
               NativeFunction more = {}) {
    more.name = name;
    more.call = std::move(fn);
    auto done = engine->provide(std::move(more));
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
  }

  Run start() {
    auto run = engine->start({.target = "p", .options = R"({"allow": ["all"]})"});
    REQUIRE(run);
    return *run;
  }

  json run() {
    const Run started = start();
    REQUIRE(started.wait());
    auto outcome = started.result();
    INFO((outcome ? "" : outcome.error().message));
    REQUIRE(outcome);
    return json::parse(outcome->envelope);
  }
};

NativeFunction observes() {
  NativeFunction more;
  more.effect = NativeFunction::Effect::kObserve;
  return more;
}

/// Calls ctx.host.f and gives the error's kind and message as the result.
const char* const kCatch = R"(
  local ok, value = pcall(ctx.host.f, {})
  return ok and { value = value } or { kind = value.kind, message = value.message })";

}  // namespace

TEST_CASE("a preset calls a function of the program") {
  Program program("return ctx.host.add { a = 2, b = { 3, 4 } }");
  NativeFunction more = observes();
  more.schema =
      R"({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})";
  program.provide(
      "add",
      [](const Call& call, const Reply& reply) {
        const json given = json::parse(call.arguments());
        CHECK(call.run() == "R-001");
        CHECK(call.step() == "host.add");
        CHECK(
            reply.result(json({{"sum", given["a"].get<int>() + given["b"][1].get<int>()}}).dump()));
      },
      more);
  const json envelope = program.run();
  CHECK(envelope["result"] == json({{"sum", 6}}));
  CHECK(envelope["run"]["steps"][0]["kind"] == "host");
}

TEST_CASE("a function that misbehaves gives an error value") {
  Program program(kCatch);
  std::deque<Reply> kept;
  std::optional<Run> started;
  std::string kind = "failed", message;
  std::function<void(const Call&, const Reply&)> fn;
  NativeFunction more = observes();
  SECTION("it throws") {
    fn = [](const Call&, const Reply&) { throw std::runtime_error("no such thing"); };
    message = "ctx.host.f threw: no such thing";
  }
  SECTION("it throws what is no exception") {
    fn = [](const Call&, const Reply&) { throw 7; };
    message = "ctx.host.f threw: an exception of an unknown type";
  }
  SECTION("it answers with nonsense") {
    fn = [](const Call&, const Reply& reply) { reply.result("{nonsense"); };
    message = "ctx.host.f answered with text that is not JSON";
  }
  SECTION("its answer does not match its schema") {
    more.result_schema = R"({"type": "integer"})";
    fn = [](const Call&, const Reply& reply) { reply.result("\"seven\""); };
    message = "the answer of ctx.host.f does not match its schema";
  }
  SECTION("it never answers") {
    fn = [](const Call&, const Reply&) {};
    message = "ctx.host.f ended without an answer";
  }
  SECTION("it answers too late") {
    more.timeout_ms = 20;
    fn = [&](const Call&, const Reply& reply) { kept.push_back(reply); };
    kind = "timeout";
    message = "ctx.host.f gave no answer within 20 ms";
  }
  SECTION("it blocks") {
    more.timeout_ms = 20;
    more.blocking = true;
    fn = [](const Call& call, const Reply& reply) {
      while (!call.cancelled()) std::this_thread::yield();
      CHECK_FALSE(reply.result("1"));
    };
    kind = "timeout";
    message = "ctx.host.f gave no answer within 20 ms";
  }
  SECTION("it answers with an error of its own") {
    fn = [](const Call&, const Reply& reply) {
      reply.error({ErrorKind::kDenied, "the ticket is closed", "open it", {}});
    };
    kind = "denied";
    message = "the ticket is closed";
  }
  SECTION("it answers with an error that is the engine's") {
    fn = [](const Call&, const Reply& reply) { reply.error({ErrorKind::kParked, "wait", {}, {}}); };
    message = "wait";
  }
  SECTION("it waits for its own run") {
    fn = [&](const Call&, const Reply& reply) { reply.error(started->wait().error()); };
    kind = "invalid";
    message = "a callback may not drive the engine";
  }
  SECTION("it drives the engine from another thread") {
    more.blocking = true;
    fn = [&](const Call&, const Reply& reply) { reply.error(program.engine->turn().error()); };
    kind = "invalid";
    message = "the engine belongs to another thread";
  }
  SECTION("it drives the engine") {
    fn = [&](const Call&, const Reply& reply) { reply.error(program.engine->turn().error()); };
    kind = "invalid";
    message = "a callback may not drive the engine";
  }
  program.provide("f", fn, more);
  started = program.start();
  REQUIRE(started->wait());
  const json envelope = json::parse(started->result()->envelope);
  CHECK(envelope["run"]["verdict"] == "ok");
  CHECK(envelope["result"]["kind"] == kind);
  CHECK(envelope["result"]["message"].get<std::string>().find(message) == 0);
  // The engine still works.
  REQUIRE(program.engine->add_preset("q", {{"init.lua", "return 2"}}));
  auto next = program.engine->start({.target = "q"});
  REQUIRE(next);
  REQUIRE(next->wait());
  CHECK(next->verdict() == "ok");
}

TEST_CASE("the first of two answers counts, and the second is reported") {
  Program program(kCatch);
  program.provide(
      "f",
      [](const Call&, const Reply& reply) {
        CHECK(reply.result("1"));
        CHECK_FALSE(reply.result("2"));
        CHECK_FALSE(reply.error({}));
      },
      observes());
  CHECK(program.run()["result"]["value"] == 1);
  CHECK(program.logged.find("ctx.host.f answered a second time") != std::string::npos);
}

TEST_CASE("an answer after a cancel is dropped") {
  Program program("return ctx.host.f {}");
  std::optional<Run> run;
  std::optional<Reply> kept;
  program.provide("f", [&](const Call&, const Reply& reply) {
    kept = reply;
    run->cancel();
  });
  run = program.start();
  REQUIRE(run->wait());
  CHECK(run->result()->exit_code == 130);
  CHECK_FALSE(kept->result("1"));
}

TEST_CASE("a function may provide another function and start a run") {
  Program program("return ctx.host.f {}");
  std::optional<Run> other;
  program.provide("f", [&](const Call&, const Reply& reply) {
    program.provide("g", [](const Call&, const Reply& last) { last.result("2"); });
    REQUIRE(program.engine->add_preset("q", {{"init.lua", "return ctx.host.g {}"}}));
    auto started = program.engine->start({.target = "q", .options = R"({"allow": ["all"]})"});
    REQUIRE(started);
    other = *started;
    reply.result("1");
  });
  CHECK(program.run()["result"] == 1);
  REQUIRE(other->wait());
  CHECK(json::parse(other->result()->envelope)["result"] == 2);
}

TEST_CASE("a function may close the engine") {
  Program program("return ctx.host.f {}");
  program.provide("f", [&](const Call&, const Reply& reply) {
    program.engine.reset();
    reply.result("1");
  });
  const Run run = program.start();
  REQUIRE(run.wait());
  CHECK(run.result().error().kind == ErrorKind::kLost);
}

TEST_CASE("an answer may come from another thread, and after the engine is gone") {
  std::optional<Reply> late;
  {
    Program program("return ctx.host.f {}");
    std::thread other;
    program.provide("f", [&](const Call&, const Reply& reply) {
      other = std::thread([reply] { reply.result("\"from afar\""); });
    });
    CHECK(program.run()["result"] == "from afar");
    other.join();
    program.provide("g", [&](const Call&, const Reply& reply) { late = reply; });
    REQUIRE(program.engine->add_preset("h", {{"init.lua", "return ctx.host.g {}"}}));
    auto left = program.engine->start({.target = "h", .options = R"({"allow": ["host=g"]})"});
    while (!late) REQUIRE(program.engine->turn());
  }
  CHECK_FALSE(late->result("1"));
}

TEST_CASE("many calls wait at once, and are answered in any order") {
  Program program(R"(
    local list = {}
    for i = 1, 50 do list[i] = i end
    local answers = ctx:parallel(list, function(c, i) return c.host.f { i = i } end, { limit = 50 })
    local sum = 0
    for _, value in ipairs(answers) do sum = sum + value end
    return sum)");
  std::vector<std::pair<int, Reply>> waiting;
  program.provide(
      "f",
      [&](const Call& call, const Reply& reply) {
        waiting.emplace_back(json::parse(call.arguments())["i"], reply);
        if (waiting.size() % 5 != 0) return;
        for (auto at = waiting.rbegin(); at != waiting.rend(); ++at) {
          at->second.result(std::to_string(at->first));
        }
        waiting.clear();
      },
      observes());
  CHECK(program.run()["result"] == 1275);
}

TEST_CASE("a function is called with a grant only") {
  Program program("return ctx.host.f {}");
  program.provide("f", [](const Call&, const Reply& reply) { reply.result("1"); });
  auto run = program.engine->start({.target = "p"});
  REQUIRE(run);
  REQUIRE(run->wait());
  const json envelope = json::parse(run->result()->envelope);
  CHECK(envelope["error"]["kind"] == "denied");
  CHECK(envelope["error"]["hint"] == "add --allow host=f");
}

TEST_CASE("a preset declares the functions that it needs, and starts only where they are") {
  Folder folder;
  EngineOptions options;
  options.directory = folder.path();
  options.moonlet_program = places::kMoonlet;
  auto engine = Engine::open(std::move(options));
  REQUIRE(engine);
  REQUIRE(engine->add_preset("p", {{"init.lua", R"(
    local m = require "moonlet"
    return m.preset { name = "p", summary = "Calls.", needs = { host = { "f" } },
      run = function(ctx) return ctx.host.f { x = 1 } end })"}}));
  const auto run_it = [&] {
    auto run = engine->start({.target = "p", .options = R"({"allow": "needs"})"});
    REQUIRE(run);
    REQUIRE(run->wait());
    return *run;
  };
  const Run refused = run_it();
  CHECK(refused.result()->exit_code == 2);
  CHECK(refused.result()->envelope.find("does not provide what the run calls: ctx.host.f") !=
        std::string::npos);
  NativeFunction f = observes();
  f.name = "f";
  f.call = [](const Call&, const Reply& reply) { reply.result("1"); };
  REQUIRE(engine->provide(std::move(f)));
  CHECK(run_it().verdict() == "ok");
}

TEST_CASE("wrong arguments never reach the function") {
  Program program(R"(
    local kinds = {}
    for _, given in ipairs { { a = "x" }, { f = print }, { 1, 2 } } do
      local ok, err = pcall(ctx.host.f, given)
      kinds[#kinds + 1] = ok and "called" or err.kind
    end
    local ok, err = pcall(ctx.host.f, "text")
    kinds[#kinds + 1] = ok and "called" or err.kind
    ok, err = pcall(ctx.host.g, {})
    kinds[#kinds + 1] = ok and "called" or err.hint
    return kinds)");
  NativeFunction more = observes();
  more.schema = R"({"type": "object", "properties": {"a": {"type": "integer"}}})";
  int calls = 0;
  program.provide(
      "f",
      [&](const Call&, const Reply& reply) {
        ++calls;
        reply.result("1");
      },
      more);
  const json kinds = program.run()["result"];
  CHECK(calls == 0);
  CHECK(kinds == json({"invalid", "invalid", "invalid", "invalid", "did you mean 'f'?"}));
}

TEST_CASE("a malformed function is refused when it is provided") {
  Program program("return 1");
  const auto provide = [&](NativeFunction function) {
    if (!function.call) function.call = [](const Call&, const Reply&) {};
    return program.engine->provide(std::move(function));
  };
  NativeFunction f;
  f.name = "Upper";
  CHECK(provide(f).error().kind == ErrorKind::kInvalid);
  f.name = "f";
  f.schema = "{";
  CHECK(provide(f).error().kind == ErrorKind::kInvalid);
  f.schema = R"({"type": "nothing"})";
  CHECK(provide(f).error().kind == ErrorKind::kInvalid);
  f.schema.clear();
  REQUIRE(provide(f));
  CHECK(provide(f).error().message == "the function 'f' is provided already");
}

namespace {

/// Drives the preset in a child process that is killed once `dies` is called, then opens an engine
/// in the same folder with the same functions.
struct Killed {
  Folder folder;
  std::string count = folder.path() + "/calls";

  /// Sets the effect of the second function. The first one acts, so its record is on disk.
  Engine open(const std::string& text, bool dies, NativeFunction::Effect effect) {
    EngineOptions options;
    options.directory = folder.path();
    options.moonlet_program = places::kMoonlet;
    auto engine = Engine::open(std::move(options));
    REQUIRE(engine);
    REQUIRE(engine->add_preset("p", {{"init.lua", text}}));
    for (const char* name : {"first", "second"}) {
      NativeFunction f;
      f.name = name;
      if (f.name == "second") f.effect = effect;
      f.call = [this, dies, name = std::string(name)](const Call&, const Reply& reply) {
        std::ofstream(count, std::ios::app) << name << "\n";
        if (dies && name == "second") _exit(9);
        reply.result("\"" + name + "\"");
      };
      REQUIRE(engine->provide(std::move(f)));
    }
    return std::move(*engine);
  }

  void drive_until_death(const std::string& text, NativeFunction::Effect effect) {
    const pid_t child = fork();
    if (child == 0) {
      Engine engine = open(text, true, effect);
      auto run = engine.start({.target = "p", .options = R"({"allow": ["all"]})"});
      (void)run->wait();
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WEXITSTATUS(status) == 9);
  }

  std::string calls() const {
    std::ifstream file(count);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

const char* const kTwoCalls = "return { ctx.host.first {}, ctx.host.second {} }";

}  // namespace

TEST_CASE("a recorded call is not made again by a resume") {
  Killed killed;
  killed.drive_until_death(kTwoCalls, NativeFunction::Effect::kObserve);
  CHECK(killed.calls() == "first\nsecond\n");
  Engine engine = killed.open(kTwoCalls, false, NativeFunction::Effect::kObserve);
  auto run = engine.resume("R-001");
  REQUIRE(run);
  REQUIRE(run->wait());
  CHECK(run->verdict() == "ok");
  // The first call is on record; the second one only looked, so it is repeated.
  CHECK(killed.calls() == "first\nsecond\nsecond\n");
  CHECK(json::parse(run->result()->envelope)["result"] == json({"first", "second"}));
}

TEST_CASE("a call that acts and has no end on record parks the resumed run") {
  Killed killed;
  killed.drive_until_death(kTwoCalls, NativeFunction::Effect::kAct);
  Engine engine = killed.open(kTwoCalls, false, NativeFunction::Effect::kAct);
  auto run = engine.resume("R-001");
  REQUIRE(run);
  REQUIRE(run->wait());
  INFO(run->result()->envelope);
  CHECK(run->verdict() == "needs-human");
  CHECK(killed.calls() == "first\nsecond\n");
  auto answered = engine.answer("R-001", "approve");
  REQUIRE(answered);
  REQUIRE(answered->wait());
  CHECK(answered->verdict() == "ok");
  CHECK(killed.calls() == "first\nsecond\nsecond\n");
}

TEST_CASE("a program that does not provide a recorded function refuses the resume") {
  Killed killed;
  killed.drive_until_death(kTwoCalls, NativeFunction::Effect::kAct);
  EngineOptions options;
  options.directory = killed.folder.path();
  options.moonlet_program = places::kMoonlet;
  auto engine = Engine::open(std::move(options));
  REQUIRE(engine);
  REQUIRE(engine->add_preset("p", {{"init.lua", kTwoCalls}}));
  auto run = engine->resume("R-001");
  REQUIRE(run);
  REQUIRE(run->wait());
  CHECK(run->result()->exit_code == 2);
  CHECK(run->result()->envelope.find("ctx.host.first, ctx.host.second") != std::string::npos);
  CHECK(killed.calls() == "first\nsecond\n");
}
