// A Lua state with all libraries open, which runs a chunk as the main task and returns its results.
// Its clock stands still until no task can continue, then jumps to the next timer.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/clock.h"
#include "host/base/loop.h"
#include "host/driver/run_driver.h"
#include "lua/engine/script.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"

namespace moonlet {

class LuaFixture {
 public:
  explicit LuaFixture(const LuaLimits& limits = {},
                      std::vector<std::string> environment = {"PATH=/usr/bin:/bin"})
      : loop(clock), state(limits), services(clock, loop, std::move(environment)) {
    services.working_directory = "/";
    Services::set(state.main(), services);
    open_sandbox(state.main());
    open_modules(state.main());
  }

  /// Runs `text` with the environment of an internal module. Returns its results as text, ","
  /// between them; or "error: …".
  std::string run(const std::string& text, const char* chunk_name = "=test") {
    lua_State* L = state.main();
    Scheduler scheduler(state, loop);
    push_module_environment(L, true);
    if (!load_text(L, text.data(), text.size(), chunk_name)) {
      std::string message = lua_tostring(L, -1);
      lua_pop(L, 1);
      return "syntax: " + message;
    }
    auto task = scheduler.start_main(0);
    scheduler.pump();
    while (!task->done() && !scheduler.killed()) {
      if (on_idle) on_idle(scheduler);
      if (!scheduler.has_ready() && !loop.has_timers()) return "stuck";
      clock.advance(1);
      loop.fire_due();
      scheduler.pump();
    }
    if (scheduler.killed()) return "killed: " + state.kill_error().message;
    return describe(*task);
  }

  FakeClock clock;
  Loop loop;
  LuaState state;
  Services services;
  std::function<void(Scheduler&)> on_idle;

 private:
  std::string describe(const Task& task) {
    lua_State* L = state.main();
    lua_rawgeti(L, LUA_REGISTRYINDEX, task.result_ref());
    std::string text;
    if (task.outcome() == Task::Outcome::kReturned) {
      lua_getfield(L, -1, "n");
      const auto count = lua_tointeger(L, -1);
      lua_pop(L, 1);
      for (lua_Integer i = 1; i <= count; ++i) {
        lua_rawgeti(L, -1, i);
        text += (i > 1 ? "," : "") + std::string(luaL_tolstring(L, -1, nullptr));
        lua_pop(L, 2);
      }
    } else {
      lua_rawgeti(L, -1, 1);
      Error error = read_error(L, -1);
      text = "error: " + std::string(to_string(error.kind)) + ": " + error.message;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return text;
  }
};

}  // namespace moonlet
