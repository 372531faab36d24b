#include "lua/vm/state.h"

#include <signal.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "lua/vm/guard.h"
#include "tests/catch.h"
#include "tests/leap_clock.h"
#include "tests/lua/fixture.h"
#include "tests/places.h"

using namespace moonlet;

namespace {

/// Runs the text of a script in an environment of its own, as for a preset.
std::string run_script(LuaFixture& lua, const std::string& text) {
  return lua.run("local f = assert(core.script.load([==[" + text +
                 "]==], '@script', {})) return f()");
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

LuaLimits limits_of(std::int64_t run_ms, std::size_t megabytes) {
  LuaLimits limits;
  limits.run_ms = run_ms;
  limits.memory_bytes = megabytes << 20;
  return limits;
}

bool is_killed(const std::string& result) { return result.rfind("killed: ", 0) == 0; }

void define(LuaFixture& lua, const char* name, lua_CFunction function, void* object = nullptr) {
  lua_State* L = lua.state.main();
  push_module_environment(L, true);
  lua_pushlightuserdata(L, object);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

/// Computes long enough for the watchdog to check the thread, whose CPU time it measures.
int compute_for_a_while(lua_State*) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
  return 0;
}

int work_for_a_while(lua_State* L) {
  const LuaState::HostWork work(L);
  return compute_for_a_while(L);
}

int be_stopped(lua_State* L) {
  static_cast<test::LeapClock*>(lua_touserdata(L, lua_upvalueindex(1)))->leap(20'000);
  return 0;
}

/// A clock that runs `times` faster than real time, so that CPU time is a small part of it.
class BusyClock final : public Clock {
 public:
  explicit BusyClock(std::int64_t times) : times_(times), since_(clock_.monotonic_ms()) {}
  std::int64_t monotonic_ms() const override { return (clock_.monotonic_ms() - since_) * times_; }
  std::int64_t wall_ms() const override { return clock_.wall_ms(); }

 private:
  const SystemClock clock_;
  const std::int64_t times_, since_;
};

int throw_from_cpp(lua_State*) { throw std::runtime_error("from C++"); }

int raise_from_lua(lua_State* L) {
  push_box<std::string>(L, std::size_t{1000}, 'x');
  return luaL_error(L, "from Lua");
}

}  // namespace

TEST_CASE("no memory bomb gets beyond the cap by more than a tenth") {
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(places::kTests) / "sandbox")) {
    const std::string text = entry.is_regular_file() ? read_file(entry.path()) : "";
    if (text.find("-- expect: killed memory") == std::string::npos) continue;
    INFO(entry.path());
    LuaFixture lua(limits_of(60'000, 16));
    CHECK(run_script(lua, text).find("killed: the script used more than 16 MB") == 0);
    CHECK(lua.state.memory_peak() <= (std::size_t{16} << 20) * 11 / 10);
  }
}

TEST_CASE("a kill names the line of the script") {
  LuaFixture lua(limits_of(50, 256));
  CHECK(is_killed(run_script(lua, "local function f()\n  while true do end\nend\nf()")));
  CHECK(std::string(lua.state.killed_at()) == "script:2");
}

TEST_CASE("after a kill the state is whole again for the host") {
  for (const char* text :
       {"while true do pcall(error) end", "local t = {} while true do t[#t + 1] = {} end",
        "table.sort({ 1, 2, 3 }, function() while true do end end)",
        "coroutine.wrap(function() while true do end end)()"}) {
    INFO(text);
    LuaFixture lua(limits_of(100, 16));
    CHECK(is_killed(run_script(lua, text)));
    lua_settop(lua.state.main(), 0);
    lua.state.revive();
    CHECK(lua.run("local n = 0 for i = 1, 1e4 do n = n + i end return n") == "50005000");
    CHECK(lua.run("return #('x'):rep(1 << 20)") == "1048576");
    CHECK_FALSE(lua.state.is_killed());
  }
}

TEST_CASE("a script that computes too long gets an error first, which it cannot catch") {
  const char* const texts[] = {"while true do pcall(function() while true do end end) end",
                               ("while true do xpcall(function() while true do end end, function() "
                                "while true do end end) end"),
                               "coroutine.wrap(function() while true do end end)()",
                               "table.sort({ 1, 2, 3 }, function() while true do end end)",
                               // A longer text raises the limit on a pattern's steps. Here the
                               // interrupt must come before that limit.
                               "return ('a'):rep(30000000):find(('a*'):rep(30) .. 'b')"};
  for (const bool asked : {false, true}) {
    for (const char* text : texts) {
      INFO(text);
      LuaFixture lua(limits_of(asked ? 60'000 : 100, 256));
      lua.state.interrupt_first(true);
      if (asked) lua.state.ask_interrupt();
      const std::string result =
          lua.run("local ok, err = pcall(assert(core.script.load([==[" + std::string(text) +
                  "]==], '@script', {}))) core.task.sleep(1) return ok, err.kind, err.stopped");
      CHECK(result == (asked ? "false,cancelled,true" : "false,limit,true"));
      CHECK(lua.state.take_interrupted() == asked);
      CHECK(lua.run("local n = 0 for i = 1, 1e4 do n = n + i end return n") == "50005000");
    }
  }
}

TEST_CASE("code of the library that computes too long is killed all the same") {
  LuaFixture lua(limits_of(100, 256));
  lua.state.interrupt_first(true);
  CHECK(is_killed(lua.run("while true do end")));
}

TEST_CASE("time that Lua waits is not time that it runs") {
  LuaFixture lua(limits_of(100, 256));
  // Only the time between two awaits counts, and the fixture's clock jumps while the task waits.
  CHECK(lua.run("for i = 1, 50 do core.task.sleep(60000) end return 'done'") == "done");
}

TEST_CASE("a task may end with the memory full to the brim") {
  LuaFixture lua(limits_of(60'000, 16));
  const std::string result = lua.run(R"(
    local keep, size = {}, 1 << 20
    while size > 16 do
      -- As full as can be without the second refusal, which is the kill.
      if collectgarbage("count") * 1024 + size < (16 << 20) - 4096 then
        keep[#keep + 1] = ("x"):rep(size - #keep)
      else
        size = size // 2
      end
    end
    return 'full', table.unpack({ 1, 2, 3 }))");
  CHECK((result == "full,1,2,3" || is_killed(result)));
}

TEST_CASE("errors of C++ become errors of Lua, as often as you like") {
  LuaFixture lua;
  lua_State* L = lua.state.main();
  lua_CFunction throws = guard<throw_from_cpp>;
  lua_CFunction raises = guard<raise_from_lua>;
  for (int i = 0; i < 1000; ++i) {
    lua_pushcfunction(L, throws);
    REQUIRE(lua_pcall(L, 0, 0, 0) == LUA_ERRRUN);
    CHECK(std::string(lua_tostring(L, -1)) == "internal error: from C++");
    lua_pushcfunction(L, raises);
    REQUIRE(lua_pcall(L, 0, 0, 0) == LUA_ERRRUN);
    CHECK(std::string(lua_tostring(L, -1)) == "from Lua");
    lua_pop(L, 2);
  }
}

TEST_CASE("a script that cannot be stopped is reported once, from the watchdog") {
  static std::atomic<int> told;
  told = 0;
  LuaLimits limits = limits_of(20, 256);
  limits.on_stuck = [](const std::string& why) {
    if (why.find("20 ms") != std::string::npos) ++told;
  };
  LuaFixture lua(limits);
  define(lua, "stubborn", [](lua_State*) {
    while (told == 0) std::this_thread::yield();  // a C function that never checks for a kill
    return 0;
  });
  CHECK(is_killed(lua.run("stubborn() return 'went on'")));
  CHECK(told == 1);
}

TEST_CASE("the host's work is not Lua's time, and does not extend it") {
  LuaFixture lua(limits_of(50, 256));
  define(lua, "work", work_for_a_while);
  CHECK(lua.run("work() work() return 'went on'") == "went on");
  CHECK(is_killed(lua.run("work() while true do end")));
}

TEST_CASE("time for which the process is stopped is not Lua's, whatever goes on after it") {
  for (const char* script : {"stop() compute()", "work() stop() work() compute() work()"}) {
    INFO(script);
    test::LeapClock clock;
    LuaLimits limits = limits_of(500, 256);
    limits.clock = &clock;
    LuaFixture lua(limits);
    define(lua, "stop", be_stopped, &clock);
    define(lua, "work", work_for_a_while);
    define(lua, "compute", compute_for_a_while);
    CHECK(lua.run(std::string(script) + " return 'went on'") == "went on");
    CHECK(is_killed(lua.run(std::string(script) + " while true do end")));
  }
}

TEST_CASE("a machine that has little time for Lua kills no script, until far more has passed") {
  BusyClock clock(4);
  LuaLimits limits = limits_of(300, 256);
  limits.clock = &clock;
  LuaFixture lua(limits);
  define(lua, "compute", compute_for_a_while);  // 400 ms by the clock
  CHECK(lua.run("compute() return 'went on'") == "went on");
  test::LeapClock leaping;
  limits.clock = &leaping;
  limits.run_ms = 1'000;
  LuaFixture starved(limits);
  define(
      starved, "wait",
      [](lua_State* L) {
        static_cast<test::LeapClock*>(lua_touserdata(L, lua_upvalueindex(1)))->leap(800);
        return compute_for_a_while(L);
      },
      &leaping);
  // The hook that kills a script runs once per many instructions. The loop executes more of them
  // than the call does.
  CHECK(is_killed(starved.run("while true do wait() for i = 1, 10000 do end end")));
}

TEST_CASE("states on two threads are killed apart from each other") {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = LuaState::on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGURG, &action, &before);
  LuaLimits limits = limits_of(100, 64);
#if defined(__SANITIZE_THREAD__)
  limits.interrupt_signal = 0;  // delayed signals would miss the loop
#else
  limits.interrupt_signal = SIGURG;
#endif
  std::string bad, good;
  std::thread other([&] {
    LuaFixture lua(limits);
    bad = lua.run("while true do pcall(error) end");
  });
  {
    LuaLimits patient = limits;
    patient.run_ms = 60'000;
    LuaFixture lua(patient);
    good = lua.run("local n = 0 for i = 1, 3e7 do n = n + i % 3 end return n");
  }
  other.join();
  sigaction(SIGURG, &before, nullptr);
  CHECK(is_killed(bad));
  CHECK(good == "30000000");
}

// Times depend on the machine: run by name, on a quiet one.
TEST_CASE("each kill falls within a tenth of a second of its limit", "[.timing]") {
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(places::kTests) / "sandbox")) {
    const std::string text = entry.is_regular_file() ? read_file(entry.path()) : "";
    if (text.find("-- expect: killed time") == std::string::npos) continue;
    if (text.find("ctx") != std::string::npos) continue;  // needs a run
    for (int signal : {0, SIGURG}) {
      LuaLimits limits = limits_of(200, 512);
      limits.interrupt_signal = signal;
      ::signal(SIGURG, LuaState::on_signal);
      LuaFixture lua(limits);
      const auto start = std::chrono::steady_clock::now();
      const std::string result = run_script(lua, text);
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::steady_clock::now() - start);
      WARN(entry.path().filename().string()
           << (signal ? " signal " : " hook ") << took.count() << " ms, peak "
           << (lua.state.memory_peak() >> 20) << " MB");
      CHECK(is_killed(result));
      CHECK(took.count() <= 300);
    }
  }
}
