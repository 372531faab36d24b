// Tests moonlet.h from C++: which call frees which object, error objects, and callbacks that throw
// or break the rules.
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "moonlet/moonlet.h"
#include "tests/catch.h"
#include "tests/lua/engine/folder.h"
#include "tests/places.h"

using moonlet::Folder;
namespace places = moonlet::places;

namespace {

/// Returns the kind of the error, or "" for none, and frees the error.
std::string kind_of(moonlet_error* error) {
  const std::string kind = error == nullptr ? "" : moonlet_error_kind(error);
  moonlet_error_free(error);
  return kind;
}

void count(void* number) { ++*static_cast<int*>(number); }
void answer_one(void*, moonlet_call* call) { moonlet_call_result(call, "1"); }
void ignore_event(void*, const moonlet_event*) {}

/// An engine in a folder of its own, with a preset `p` of the given text.
struct Program {
  Folder folder;
  moonlet_engine* engine = nullptr;

  explicit Program(const char* text = "return 1") {
    moonlet_options options = MOONLET_OPTIONS_INIT;
    options.directory = folder.path().c_str();
    options.program = places::kMoonlet;
    REQUIRE(kind_of(moonlet_engine_open(&options, &engine)).empty());
    const moonlet_file file{"init.lua", text};
    REQUIRE(kind_of(moonlet_engine_add_preset(engine, "p", &file, 1)).empty());
  }
  ~Program() { moonlet_engine_free(engine); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::string provide(const char* name, moonlet_function_fn call, void* data = nullptr,
                      moonlet_destroy_fn destroy = nullptr, uint32_t flags = MOONLET_OBSERVES) {
    moonlet_function function = MOONLET_FUNCTION_INIT;
    function.flags = flags;
    function.name = name;
    // Give only blocking functions a time limit. Others could exceed it on a slow machine.
    function.timeout_ms = (flags & MOONLET_BLOCKS) != 0 ? 20 : 0;
    function.call = call;
    function.data = data;
    function.destroy = destroy;
    return kind_of(moonlet_engine_provide(engine, &function));
  }

  moonlet_run* start() const {
    moonlet_run* run = nullptr;
    REQUIRE(
        kind_of(moonlet_engine_start(engine, "p", nullptr, R"({"allow": ["all"]})", &run)).empty());
    return run;
  }
};

/// Returns the kind and message of the error that ctx.host.f raises, or its value.
const char* const kCatch = R"(
  local ok, value = pcall(ctx.host.f, {})
  return ok and value or value.kind .. ": " .. value.message)";

/// Runs kCatch with the function as ctx.host.f, and returns the run's result envelope.
std::string envelope_with(moonlet_function_fn call, uint32_t flags = MOONLET_OBSERVES) {
  Program program(kCatch);
  REQUIRE(program.provide("f", call, &program, nullptr, flags).empty());
  moonlet_run* run = program.start();
  const char* envelope = nullptr;
  REQUIRE(kind_of(moonlet_run_wait(run, -1)).empty());
  REQUIRE(kind_of(moonlet_run_result(run, &envelope, nullptr)).empty());
  const std::string text = envelope;
  CHECK(std::string(moonlet_run_verdict(run)) == "ok");
  moonlet_run_free(run);
  return text;
}

}  // namespace

TEST_CASE("a callback's data is destroyed once, also when its registration fails") {
  int unnamed = 0, twice = 0, kept = 0, replaced = 0, last = 0, log = 0;
  {
    Program program;
    CHECK(program.provide("No Name", answer_one, &unnamed, count) == "invalid");
    CHECK(unnamed == 1);
    CHECK(program.provide("f", answer_one, &kept, count).empty());
    CHECK(program.provide("f", answer_one, &twice, count) == "invalid");
    CHECK(twice == 1);
    moonlet_engine_on_event(program.engine, ignore_event, &replaced, count);
    CHECK(replaced == 0);
    moonlet_engine_on_event(program.engine, ignore_event, &last, count);
    CHECK(replaced == 1);
    CHECK(kept == 0);
  }
  CHECK(kept == 1);
  CHECK(last == 1);
  moonlet_options options = MOONLET_OPTIONS_INIT;
  options.directory = "/no such folder";
  options.log = [](void*, const char*) {};
  options.log_data = &log;
  options.log_destroy = count;
  moonlet_engine* engine = nullptr;
  CHECK(kind_of(moonlet_engine_open(&options, &engine)) == "invalid");
  CHECK(log == 1);
  CHECK(engine == nullptr);
}

TEST_CASE("a struct with an unknown version is refused") {
  moonlet_options options = MOONLET_OPTIONS_INIT;
  options.version = 99;
  moonlet_engine* engine = nullptr;
  CHECK(kind_of(moonlet_engine_open(&options, &engine)) == "invalid");
  Program program;
  int destroyed = 0;
  moonlet_function function = MOONLET_FUNCTION_INIT;
  function.version = 99;
  function.data = &destroyed;
  function.destroy = count;
  CHECK(kind_of(moonlet_engine_provide(program.engine, &function)) == "invalid");
  CHECK(destroyed == 1);
}

TEST_CASE("a C function that misbehaves gives an error value") {
  const auto has = [](const std::string& envelope, const char* message) {
    INFO(envelope);
    CHECK(envelope.find(message) != std::string::npos);
  };
  has(envelope_with([](void*, moonlet_call*) {}), "failed: ctx.host.f ended without an answer");
  has(envelope_with([](void*, moonlet_call* call) { moonlet_call_result(call, nullptr); }),
      "failed: ctx.host.f answered with text that is not JSON");
  has(envelope_with([](void*, moonlet_call* call) {
        moonlet_call_error(call, "nonsense", nullptr, nullptr);
      }),
      "failed: ctx.host.f failed and gave no reason");
  has(envelope_with([](void*, moonlet_call* call) {
        CHECK(moonlet_call_result(call, "2") == 1);
        CHECK(moonlet_call_result(call, "3") == 0);
        CHECK(moonlet_call_error(call, "denied", "no", nullptr) == 0);
      }),
      R"("result":2)");
  has(envelope_with(
          [](void*, moonlet_call* call) {
            while (moonlet_call_cancelled(call) == 0) std::this_thread::yield();
            CHECK(moonlet_call_result(call, "1") == 0);
          },
          MOONLET_OBSERVES | MOONLET_BLOCKS),
      "timeout: ctx.host.f gave no answer within 20 ms");
  has(envelope_with([](void* data, moonlet_call* call) {
        moonlet_error* error = moonlet_engine_turn(static_cast<Program*>(data)->engine, nullptr);
        REQUIRE(error != nullptr);
        moonlet_call_error(call, moonlet_error_kind(error), moonlet_error_message(error), nullptr);
        moonlet_error_free(error);
      }),
      "invalid: a callback may not drive the engine");
}

TEST_CASE("a kept call may be answered after its run was cancelled and its engine freed") {
  std::vector<moonlet_call*> kept;
  {
    Program program("return ctx.host.f {}");
    moonlet_function function = MOONLET_FUNCTION_INIT;
    function.name = "f";
    function.data = &kept;
    function.call = [](void* data, moonlet_call* call) {
      static_cast<std::vector<moonlet_call*>*>(data)->push_back(moonlet_call_keep(call));
    };
    REQUIRE(kind_of(moonlet_engine_provide(program.engine, &function)).empty());
    moonlet_run* run = program.start();
    while (kept.empty()) REQUIRE(kind_of(moonlet_engine_turn(program.engine, nullptr)).empty());
    CHECK(moonlet_call_cancelled(kept[0]) == 0);
    moonlet_run_cancel(run);
    REQUIRE(kind_of(moonlet_run_wait(run, -1)).empty());
    CHECK(moonlet_call_cancelled(kept[0]) == 1);
    CHECK(moonlet_call_result(kept[0], "1") == 0);
    CHECK(std::string(moonlet_run_verdict(run)) == "cancelled");
    moonlet_run_free(run);
  }
  CHECK(moonlet_call_result(kept[0], "1") == 0);
  CHECK(std::string(moonlet_call_function(kept[0])) == "f");
  moonlet_call_free(kept[0]);
}
