// The C interface under wrong calls: each one is an error or an empty value, never a crash.
#include <string>
#include <thread>
#include <utility>

#include "moonlet/moonlet.h"
#include "tests/catch.h"
#include "tests/lua/engine/folder.h"
#include "tests/places.h"

using moonlet::Folder;

namespace {

const char* const kPreset = R"(
local m = require "moonlet"
return m.preset { name = "p", summary = "s", run = function(ctx) ctx:write("a.txt", "a") return 1 end }
)";

/// Returns the kind of the error and frees the error; "" for success.
std::string kind_of(moonlet_error* error) {
  const std::string kind = moonlet_error_kind(error);
  moonlet_error_free(error);
  return kind;
}

void count(void* data) { ++*static_cast<int*>(data); }

struct Opened {
  Folder folder;
  moonlet_engine* engine = nullptr;
  moonlet_run* run = nullptr;

  Opened() {
    moonlet_options options;
    moonlet_options_init(&options);
    options.directory = folder.path().c_str();
    options.program = moonlet::places::kMoonlet;
    options.flags = MOONLET_NO_CONFIG;
    REQUIRE(kind_of(moonlet_engine_open(&options, &engine)).empty());
    const moonlet_file file{"init.lua", kPreset};
    REQUIRE(kind_of(moonlet_engine_add_preset(engine, "p", &file, 1)).empty());
    REQUIRE(kind_of(moonlet_engine_start(engine, "p", nullptr, nullptr, &run)).empty());
  }
  ~Opened() {
    moonlet_run_free(run);
    moonlet_engine_free(engine);
  }
};

}  // namespace

TEST_CASE("c: a missing engine, run, call or result pointer is an error", "[engine]") {
  int busy = 0, exit_code = 0, fd = 0, destroyed = 0;
  const char* text = nullptr;
  auto* run = reinterpret_cast<moonlet_run*>(&busy);
  const moonlet_file file{"init.lua", "return 1"};
  moonlet_function function = MOONLET_FUNCTION_INIT;
  function.data = &destroyed;
  function.destroy = count;
  CHECK(kind_of(moonlet_engine_open(nullptr, nullptr)) == "invalid");
  CHECK(kind_of(moonlet_engine_turn(nullptr, &busy)) == "invalid");
  CHECK(kind_of(moonlet_engine_on_event(nullptr, nullptr, &destroyed, count)) == "invalid");
  CHECK(kind_of(moonlet_engine_provide(nullptr, &function)) == "invalid");
  CHECK(destroyed == 2);
  CHECK(kind_of(moonlet_engine_provide(nullptr, nullptr)) == "invalid");
  CHECK(kind_of(moonlet_engine_add_preset(nullptr, "p", &file, 1)) == "invalid");
  CHECK(kind_of(moonlet_engine_start(nullptr, "p", nullptr, nullptr, &run)) == "invalid");
  CHECK(kind_of(moonlet_engine_resume(nullptr, "R-001", nullptr, &run)) == "invalid");
  CHECK(kind_of(moonlet_engine_answer(nullptr, "R-001", "yes", nullptr, &run)) == "invalid");
  CHECK(kind_of(moonlet_run_wait(nullptr, 0)) == "invalid");
  CHECK(kind_of(moonlet_run_result(nullptr, &text, &exit_code)) == "invalid");
  CHECK(kind_of(moonlet_run_artifacts(nullptr, &text)) == "invalid");
  CHECK(kind_of(moonlet_run_open_artifact(nullptr, "a.txt", &fd)) == "invalid");
  CHECK(moonlet_engine_descriptor(nullptr) == -1);
  CHECK(moonlet_engine_timeout(nullptr) == 0);
  CHECK(std::string(moonlet_run_verdict(nullptr)).empty());
  CHECK(std::string(moonlet_run_steps(nullptr)) == "[]");
  CHECK(moonlet_run_id(nullptr, nullptr, 8) == 0);
  CHECK(moonlet_run_done(nullptr) == 0);
  moonlet_run_cancel(nullptr);
  moonlet_run_free(nullptr);
  moonlet_engine_free(nullptr);
  moonlet_options_init(nullptr);
  moonlet_function_init(nullptr);
  CHECK(moonlet_call_cancelled(nullptr) == 1);
  CHECK(moonlet_call_result(nullptr, "1") == 0);
  CHECK(moonlet_call_error(nullptr, nullptr, nullptr, nullptr) == 0);
  CHECK(moonlet_call_keep(nullptr) == nullptr);
  moonlet_call_free(nullptr);
  for (auto* get :
       {moonlet_call_function, moonlet_call_arguments, moonlet_call_run, moonlet_call_step}) {
    CHECK(std::string(get(nullptr)).empty());
  }
  for (auto* get :
       {moonlet_error_kind, moonlet_error_message, moonlet_error_hint, moonlet_error_at}) {
    CHECK(std::string(get(nullptr)).empty());
  }
}

TEST_CASE("c: a missing text or result pointer of a good engine is an error", "[engine]") {
  Opened with;
  auto* run = with.run;
  const moonlet_file nameless{nullptr, "return 1"}, textless{"init.lua", nullptr};
  CHECK(kind_of(moonlet_engine_add_preset(with.engine, nullptr, &textless, 0)) == "invalid");
  CHECK(kind_of(moonlet_engine_add_preset(with.engine, "q", nullptr, 1)) == "invalid");
  CHECK(kind_of(moonlet_engine_add_preset(with.engine, "q", &nameless, 1)) == "invalid");
  CHECK(kind_of(moonlet_engine_add_preset(with.engine, "q", &textless, 1)) == "invalid");
  CHECK(kind_of(moonlet_engine_start(with.engine, "p", nullptr, nullptr, nullptr)) == "invalid");
  CHECK(kind_of(moonlet_engine_start(with.engine, nullptr, nullptr, nullptr, &run)) == "invalid");
  CHECK(run == nullptr);
  CHECK(kind_of(moonlet_engine_answer(with.engine, "R-1", nullptr, nullptr, &run)) == "invalid");
  CHECK(moonlet_run_id(with.run, nullptr, 8) == 0);
  REQUIRE(kind_of(moonlet_run_wait(with.run, -1)).empty());
  CHECK(kind_of(moonlet_run_artifacts(with.run, nullptr)) == "invalid");
  CHECK(kind_of(moonlet_run_open_artifact(with.run, nullptr, nullptr)) == "invalid");
  CHECK(kind_of(moonlet_run_result(with.run, nullptr, nullptr)).empty());
}

TEST_CASE("c: a callback may free the run that moonlet_run_wait waits for", "[engine]") {
  Opened with;
  const auto free_run = [](void* data, const moonlet_event*) {
    moonlet_run_free(std::exchange(static_cast<Opened*>(data)->run, nullptr));
  };
  REQUIRE(kind_of(moonlet_engine_on_event(with.engine, free_run, &with, nullptr)).empty());
  CHECK(kind_of(moonlet_run_wait(with.run, -1)).empty());
  CHECK(with.run == nullptr);
}

TEST_CASE("c: the results of an ended run belong to the engine's thread", "[engine]") {
  Opened with;
  REQUIRE(kind_of(moonlet_run_wait(with.run, -1)).empty());
  const char* verdict = moonlet_run_verdict(with.run);
  REQUIRE(std::string(verdict) == "ok");
  std::string kinds[4], other;
  std::thread([&] {
    const char* text = nullptr;
    int fd = 0;
    kinds[0] = kind_of(moonlet_run_wait(with.run, 0));
    kinds[1] = kind_of(moonlet_run_result(with.run, &text, nullptr));
    kinds[2] = kind_of(moonlet_run_artifacts(with.run, &text));
    kinds[3] = kind_of(moonlet_run_open_artifact(with.run, "a.txt", &fd));
    other = moonlet_run_verdict(with.run);
  }).join();
  for (const std::string& kind : kinds) CHECK(kind == "invalid");
  CHECK(other.empty());
  CHECK(std::string(verdict) == "ok");
}
