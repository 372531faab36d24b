// Tests the runs of an engine: requests, handles, events, an event loop of the embedder, and
// sources from memory.
#include <locale.h>
#include <poll.h>
#include <signal.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "moonlet/engine.h"
#include "tests/catch.h"
#include "tests/lua/engine/folder.h"
#include "tests/places.h"

using namespace moonlet;
using nlohmann::json;

namespace {

Engine open_in(const Folder& folder, EngineOptions options = {}) {
  options.directory = folder.path();
  options.moonlet_program = places::kMoonlet;
  auto engine = Engine::open(std::move(options));
  REQUIRE(engine);
  return std::move(*engine);
}

json envelope_of_run(const Run& run) {
  auto outcome = run.result();
  INFO((outcome ? "" : outcome.error().message));
  REQUIRE(outcome);
  return json::parse(outcome->envelope);
}

Run start(Engine& engine, Request request) {
  auto run = engine.start(std::move(request));
  INFO((run ? "" : run.error().message));
  REQUIRE(run);
  return *run;
}

Request script(const std::string& name) {
  return {.target = name, .options = R"({"allow": ["all"]})"};
}

}  // namespace

TEST_CASE("a request returns at once, and its run begins with a turn of the engine") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("two", {{"init.lua", "return 1 + 1"}}));
  const Run run = start(engine, script("two"));
  CHECK_FALSE(run.done());
  CHECK(run.id().empty());
  CHECK(run.result().error().kind == ErrorKind::kInvalid);
  REQUIRE(run.wait());
  CHECK(run.done());
  CHECK(run.id() == "R-001");
  CHECK(run.verdict() == "ok");
  CHECK(envelope_of_run(run)["result"] == 2);
  CHECK(envelope_of_run(run)["command"] == "run");
}

TEST_CASE("arguments are values, and are checked as those of the command line") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("add", {{"init.lua", R"(
    local m = require "moonlet"
    return m.preset { name = "add", summary = "Adds.",
      args = { one = m.arg.integer { required = true }, more = m.arg.list {} },
      run = function(_, args) return { one = args.one, more = #args.more } end })"}}));
  const Run run =
      start(engine, {.target = "add", .arguments = R"({"one": 4, "more": ["a,b", "c"]})"});
  REQUIRE(run.wait());
  CHECK(envelope_of_run(run)["result"] == json({{"one", 4}, {"more", 2}}));
  for (const char* wrong : {R"({"one": "four"})", R"({"won": 4})", "{}", R"(["4"])"}) {
    INFO(wrong);
    const Run refused = start(engine, {.target = "add", .arguments = wrong});
    REQUIRE(refused.wait());
    CHECK(refused.result()->exit_code == 2);
    CHECK(envelope_of_run(refused)["error"]["kind"] == "invalid");
  }
  CHECK(engine.start({.target = "add", .arguments = "{"}).error().kind == ErrorKind::kInvalid);
  CHECK(engine.start({.target = "add", .options = "[]"}).error().kind == ErrorKind::kInvalid);
  CHECK(engine.start({}).error().kind == ErrorKind::kInvalid);
}

TEST_CASE("an unknown option of a request is refused with the near name") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("two", {{"init.lua", "return 2"}}));
  const Run run = start(engine, {.target = "two", .options = R"({"runer": "mock"})"});
  REQUIRE(run.wait());
  CHECK(run.result()->exit_code == 2);
  CHECK(envelope_of_run(run)["error"]["hint"] == "did you mean '--runner'?");
}

TEST_CASE("runs of one engine take turns, and each has its own result") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("slow", {{"init.lua", R"(
    local sum = 0
    for i = 1, 3 do ctx:sleep("5ms") sum = sum + i end
    return { sum = sum, who = args[1] })"}}));
  std::vector<Run> runs;
  for (int i = 0; i < 8; ++i) {
    Request request = script("slow");
    request.arguments = json::array({std::to_string(i)}).dump();
    runs.push_back(start(engine, request));
  }
  for (const Run& run : runs) REQUIRE(run.wait());
  std::map<std::string, int> ids;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    CHECK(envelope_of_run(runs[i])["result"] == json({{"sum", 6}, {"who", std::to_string(i)}}));
    ++ids[runs[i].id()];
  }
  CHECK(ids.size() == runs.size());
}

TEST_CASE("events are typed, numbered and complete") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(
      engine.add_preset("talk", {{"init.lua", "ctx:log('hello') ctx:exec { 'true' } return 1"}}));
  std::vector<std::string> names;
  std::uint64_t last = 0;
  REQUIRE(engine.on_event([&](const RunEvent& event) {
    names.emplace_back(event.name);
    CHECK(event.run == "R-001");
    CHECK(event.number == last + 1);
    last = event.number;
    CHECK(json::parse(event.json)["type"] == std::string(event.name));
    if (event.type == EventType::kStepFinished) CHECK(event.step == "exec");
  }));
  const Run run = start(engine, script("talk"));
  REQUIRE(run.wait());
  REQUIRE(names.size() > 4);
  CHECK(names.front() == "run.started");
  CHECK(names.back() == "run.finished");
  CHECK(std::count(names.begin(), names.end(), "log") == 1);
  CHECK(std::count(names.begin(), names.end(), "step.finished") == 1);
}

TEST_CASE("a callback that throws is reported, and the run goes on") {
  Folder folder;
  std::string logged;
  EngineOptions options;
  options.log = [&](std::string_view text) { logged += text; };
  Engine engine = open_in(folder, std::move(options));
  REQUIRE(engine.add_preset("two", {{"init.lua", "ctx:log('x') return 2"}}));
  REQUIRE(engine.on_event([](const RunEvent&) { throw std::runtime_error("no"); }));
  const Run run = start(engine, script("two"));
  REQUIRE(run.wait());
  CHECK(run.verdict() == "ok");
  CHECK(logged.find("the event callback threw: no") != std::string::npos);
}

TEST_CASE("a callback may start and cancel runs, but not drive the engine") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("two", {{"init.lua", "ctx:log('x') return 2"}}));
  std::vector<Run> more;
  REQUIRE(engine.on_event([&](const RunEvent& event) {
    if (event.type != EventType::kLog || !more.empty()) return;
    CHECK(engine.turn().error().kind == ErrorKind::kInvalid);
    more.push_back(start(engine, script("two")));
    CHECK(more[0].wait().error().kind == ErrorKind::kInvalid);
  }));
  const Run run = start(engine, script("two"));
  REQUIRE(run.wait());
  REQUIRE(more.size() == 1);
  REQUIRE(more[0].wait());
  CHECK(more[0].verdict() == "ok");
}

TEST_CASE("the engine may be destroyed in a callback") {
  Folder folder;
  auto engine = std::make_unique<Engine>(open_in(folder));
  REQUIRE(engine->add_preset("two", {{"init.lua", "ctx:log('x') ctx:sleep('1s') return 2"}}));
  REQUIRE(engine->on_event([&](const RunEvent& event) {
    if (event.type == EventType::kLog) engine.reset();
  }));
  const Run run = start(*engine, script("two"));
  while (engine && engine->turn()) {
  }
  CHECK(run.done());
  CHECK(run.result().error().kind == ErrorKind::kLost);
}

TEST_CASE("a cancel before the start counts") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("act", {{"init.lua", "ctx:exec { 'touch', 'done' } return 2"}}));
  const Run run = start(engine, script("act"));
  run.cancel();
  REQUIRE(run.wait());
  CHECK(run.result()->exit_code == 130);
  CHECK(access((folder.path() + "/done").c_str(), F_OK) != 0);
}

TEST_CASE("wait gives up in time, and the run goes on") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("slow", {{"init.lua", "ctx:sleep('200ms') return 2"}}));
  const Run run = start(engine, script("slow"));
  CHECK(run.wait(1).error().kind == ErrorKind::kTimeout);
  REQUIRE(run.wait());
  CHECK(run.verdict() == "ok");
}

TEST_CASE("a foreign loop drives runs by descriptor, timeout and turn") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("work", {{"init.lua", R"(
    ctx:sleep("20ms")
    return ctx:parallel({ 1, 2, 3 }, function(c, i) return c:exec { "echo", tostring(i) }.stdout end))"}}));
  CHECK(engine.timeout() == -1);
  const Run run = start(engine, script("work"));
  CHECK(engine.timeout() == 0);
  int rounds = 0;
  for (bool busy = true; busy; ++rounds) {
    pollfd ready{engine.descriptor(), POLLIN, 0};
    REQUIRE(poll(&ready, 1, std::min<unsigned>(engine.timeout(), 60'000)) >= 0);
    auto turned = engine.turn();
    REQUIRE(turned);
    busy = *turned;
  }
  CHECK(envelope_of_run(run)["result"] == json({"1\n", "2\n", "3\n"}));
  // The loop waits for the engine's descriptor instead of spinning.
  CHECK(rounds < 1000);
}

TEST_CASE("only the thread of an engine may use it") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("two", {{"init.lua", "return 2"}}));
  const Run run = start(engine, script("two"));
  std::thread([&] {
    CHECK(engine.start(script("two")).error().kind == ErrorKind::kInvalid);
    CHECK(engine.turn().error().message == "the engine belongs to another thread");
    CHECK(engine.on_event(nullptr).error().kind == ErrorKind::kInvalid);
    CHECK(run.wait().error().kind == ErrorKind::kInvalid);
    CHECK_FALSE(run.done());
    CHECK(run.id().empty());
  }).join();
  REQUIRE(run.wait());
}

TEST_CASE("a fork leaves the parent's engine and its runs alone") {
  Folder folder;
  auto engine = std::make_unique<Engine>(open_in(folder));
  REQUIRE(engine->add_preset("slow", {{"init.lua", R"(
    local answer = ctx:exec { "sh", "-c", "sleep 0.3; echo done" }.stdout
    return answer)"}}));
  const Run run = start(*engine, script("slow"));
  CHECK(run.wait(100).error().kind == ErrorKind::kTimeout);
  const pid_t child = fork();
  if (child == 0) {
    const bool refused = !engine->turn() && !engine->start(script("slow"));
    engine.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  REQUIRE(run.wait());
  CHECK(envelope_of_run(run)["result"] == "done\n");
}

TEST_CASE("artifacts of a run are listed and opened by name") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("write", {{"init.lua", "ctx:write('notes.md', 'kept') return 1"}}));
  const Run run = start(engine, script("write"));
  CHECK(run.artifacts().error().kind == ErrorKind::kInvalid);
  REQUIRE(run.wait());
  auto found = run.artifacts();
  REQUIRE(found);
  const auto is_notes = [](const Artifact& file) {
    return file.name == "notes.md" && file.bytes == 4;
  };
  CHECK(std::count_if(found->begin(), found->end(), is_notes) == 1);
  auto file = run.open_artifact("notes.md");
  REQUIRE(file);
  char text[8] = "";
  CHECK(read(*file, text, sizeof text) == 4);
  CHECK(std::string(text) == "kept");
  close(*file);
  CHECK_FALSE(run.open_artifact("../../runs"));
  CHECK_FALSE(run.open_artifact("/etc/passwd"));
}

TEST_CASE("steps of an ended run are a list") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("work", {{"init.lua", "ctx:exec { 'true' } return 1"}}));
  const Run run = start(engine, script("work"));
  CHECK(run.steps() == "[]");
  REQUIRE(run.wait());
  const json steps = json::parse(run.steps());
  REQUIRE(steps.size() == 1);
  CHECK(steps[0]["key"] == "exec");
  CHECK(steps[0]["status"] == "ok");
}

TEST_CASE("a preset from memory requires its own modules, and goes before a file") {
  Folder folder;
  (void)std::system(("mkdir " + folder.path() + "/presets").c_str());
  folder.write("presets/two.lua", "return 'from the disk'");
  Engine engine = open_in(folder);
  CHECK(engine.add_preset("two", {{"other.lua", "return 1"}}).error().kind == ErrorKind::kInvalid);
  REQUIRE(engine.add_preset("two", {{"init.lua", "return require('part').value"},
                                    {"part.lua", "return { value = 'from memory' }"}}));
  const Run run = start(engine, script("two"));
  REQUIRE(run.wait());
  CHECK(envelope_of_run(run)["result"] == "from memory");
}

TEST_CASE("a parked run is answered and goes on") {
  Folder folder;
  Engine engine = open_in(folder);
  REQUIRE(engine.add_preset("ask", {{"init.lua", "return ctx:question { text = 'Which?' }"}}));
  const Run run = start(engine, script("ask"));
  REQUIRE(run.wait());
  CHECK(run.verdict() == "needs-human");
  auto answered = engine.answer(run.id(), "-the second one", R"({"by": "a program"})");
  REQUIRE(answered);
  REQUIRE(answered->wait());
  CHECK(answered->verdict() == "ok");
  CHECK(answered->id() == run.id());
  CHECK(envelope_of_run(*answered)["result"] == "-the second one");
  auto again = engine.resume(run.id());
  REQUIRE(again);
  REQUIRE(again->wait());
  CHECK(again->result()->exit_code == 0);
}

TEST_CASE("an empty environment and no config are what a run gets") {
  Folder folder;
  EngineOptions options;
  options.environment.emplace();
  options.config = "";
  Engine engine = open_in(folder, std::move(options));
  REQUIRE(engine.add_preset("env", {{"init.lua", "return ctx:exec { '/usr/bin/env' }.stdout"}}));
  setenv("SECRET_OF_THE_PROCESS", "value", 1);
  const Run run = start(engine, script("env"));
  REQUIRE(run.wait());
  unsetenv("SECRET_OF_THE_PROCESS");
  const std::string seen = envelope_of_run(run)["result"];
  CHECK(seen.find("SECRET_OF_THE_PROCESS") == std::string::npos);
  CHECK(seen.find("HOME=") == std::string::npos);
}

TEST_CASE("a config that is named is the one that is read") {
  Folder folder;
  EngineOptions options;
  options.config = folder.write("mine.lua", "return { nonsense = true }");
  Engine engine = open_in(folder, std::move(options));
  REQUIRE(engine.add_preset("two", {{"init.lua", "return 2"}}));
  const Run run = start(engine, script("two"));
  REQUIRE(run.wait());
  CHECK(run.result()->exit_code == 2);
  CHECK(run.result()->envelope.find("mine.lua") != std::string::npos);
}

TEST_CASE("a config that is named and missing is an error") {
  Folder folder;
  for (const std::string path : {"mine.lua", "/no/such/mine.lua"}) {
    EngineOptions options;
    options.config = path;
    Engine engine = open_in(folder, std::move(options));
    REQUIRE(engine.add_preset("two", {{"init.lua", "return 2"}}));
    const Run run = start(engine, script("two"));
    REQUIRE(run.wait());
    CHECK(run.result()->exit_code == 2);
    CHECK(run.result()->envelope.find("there is no config " + path) != std::string::npos);
  }
}

namespace {

/// Returns, as text, the process-wide state that an engine must not change.
std::string process_state() {
  json state;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0) continue;
    state["signals"].push_back({sigismember(&mask, signal), action.sa_flags,
                                reinterpret_cast<std::uintptr_t>(action.sa_handler)});
  }
  char path[4096];
  state["cwd"] = getcwd(path, sizeof path);
  state["locale"] = setlocale(LC_ALL, nullptr);
  const mode_t mode = umask(0);
  umask(mode);
  state["umask"] = mode;
  for (const int limit : {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_AS, RLIMIT_FSIZE}) {
    struct rlimit now {};
    getrlimit(limit, &now);
    state["limits"].push_back({now.rlim_cur, now.rlim_max});
  }
#ifdef __linux__
  int is_subreaper = 0;
  prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper);
  state["subreaper"] = is_subreaper;
#endif
  for (char** entry = environ; *entry != nullptr; ++entry) state["environment"].push_back(*entry);
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat file {};
    if (fstat(fd, &file) == 0) state["descriptors"].push_back({fd, file.st_dev, file.st_ino});
  }
  return state.dump();
}

}  // namespace

TEST_CASE("an engine changes nothing that its process shares") {
  Folder folder;
  // libuv opens a pipe for signals with the first loop of a process, and keeps it.
  { Engine first = open_in(folder); }
  const std::string before = process_state();
  {
    Engine engine = open_in(folder);
    NativeFunction blocking;
    blocking.name = "f";
    blocking.blocking = true;
    blocking.call = [](const Call&, const Reply& reply) { reply.result("1"); };
    REQUIRE(engine.provide(std::move(blocking)));
    REQUIRE(engine.add_preset("work", {{"init.lua", R"(
      ctx:write("a.md", "x")
      ctx.host.f {}
      return ctx:parallel({ 1, 2, 3 }, function(c, i) return c:exec { "echo", tostring(i) }.stdout end))"}}));
    std::vector<Run> runs;
    for (int i = 0; i < 3; ++i) runs.push_back(start(engine, script("work")));
    for (const Run& run : runs) REQUIRE(run.wait());
    for (const Run& run : runs) CHECK(run.verdict() == "ok");
  }
  CHECK(process_state() == before);
}
