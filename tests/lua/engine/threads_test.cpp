// Drives three engines in three threads with many runs at once. The ThreadSanitizer build finds
// races.
#include <atomic>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "moonlet/engine.h"
#include "tests/catch.h"
#include "tests/lua/engine/folder.h"
#include "tests/places.h"

using namespace moonlet;
using nlohmann::json;

namespace {

const char* const kWork = R"(
  local number = ctx.host.number {}
  ctx:sleep("1ms")
  ctx:log(tostring(number))
  return number)";

/// Opens an engine and drives `count` runs at once to their end. Returns the number of runs whose
/// status is `ok` and whose result is their own number.
int drive(int number, int count, std::atomic<int>& events) {
  Folder folder;
  EngineOptions options;
  options.directory = folder.path();
  options.moonlet_program = places::kMoonlet;
  auto engine = Engine::open(std::move(options));
  if (!engine || !engine->add_preset("work", {{"init.lua", kWork}})) return -1;
  NativeFunction function;
  function.name = "number";
  function.effect = NativeFunction::Effect::kObserve;
  function.blocking = true;
  function.call = [number](const Call&, const Reply& reply) {
    reply.result(std::to_string(number));
  };
  if (!engine->provide(std::move(function))) return -1;
  if (!engine->on_event([&](const RunEvent&) { ++events; })) return -1;
  std::vector<Run> runs;
  for (int i = 0; i < count; ++i) {
    auto run = engine->start({.target = "work", .options = R"({"allow": "host=number"})"});
    if (!run) return -1;
    runs.push_back(*run);
  }
  // A second thread queries all runs while this thread drives them.
  std::atomic<bool> over{false};
  std::thread watcher([&] {
    while (!over) {
      for (const Run& run : runs) (void)(run.done() ? run.id() : std::string());
    }
  });
  int right = 0;
  for (const Run& run : runs) {
    if (!run.wait() || !run.result()) continue;
    const json envelope = json::parse(run.result()->envelope);
    right += envelope["ok"] == true && envelope["result"] == number;
  }
  over = true;
  watcher.join();
  return right;
}

}  // namespace

TEST_CASE("three engines in three threads drive their runs at once") {
  const bool is_long = std::getenv("MOONLET_SOAK") != nullptr;
  const int count = is_long ? 67 : 5;
  std::atomic<int> events{0};
  int right[3] = {};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] { right[i] = drive(i, count, events); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int done : right) CHECK(done == count);
  CHECK(events > 3 * count * 4);
}
