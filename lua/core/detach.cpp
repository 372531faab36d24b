// core.detach moves a run to a background process, which drives the run after this process has
// ended.
#include <atomic>
#include <string>
#include <utility>

#include "host/process/client/helper.h"
#include "lua/core/core.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/work.h"

namespace moonlet {

namespace {

/// start{word, …} starts `moonlet word…` and returns its first line of output, or nil and an error.
/// Returns "" if the program ended without output.
int detach_start(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  Services& services = Services::of(L);
  if (!services.on_detached) {
    return raise(L, ErrorKind::kInvalid, "this program cannot leave a run to another process",
                 "use the moonlet command for --background");
  }
  auto& request = push_box<HelperCall>(L);
  request.limit_ms = 60'000;
  request.longest = 1 << 20;
  request.argv.push_back(services.keeper_program);
  request.environment = services.environment;
  const lua_Integer count = static_cast<lua_Integer>(lua_rawlen(L, 1));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, 1, i);
    std::size_t size = 0;
    const char* word = luaL_checklstring(L, -1, &size);
    request.argv.emplace_back(word, size);
    lua_pop(L, 1);
  }
  auto& stop = push_box<std::atomic<bool>>(L, false);
  request.stop = &stop;
  push_work(L) = [&request]() -> Result<nlohmann::json> {
    auto line = start_detached(std::move(request));
    if (!line) return line.error();
    return nlohmann::json(std::move(*line));
  };
  return await_work(L, &stop);
}

/// done(log): makes the program redirect all later output to the file `log`. Call it in the
/// background process once the run has an id.
int detach_done(lua_State* L) {
  const char* log = luaL_checkstring(L, 1);
  Services& services = Services::of(L);
  auto& path = push_box<std::string>(L);
  path = log;
  if (services.on_detached) services.on_detached(path);
  services.detached = true;
  return 0;
}

}  // namespace

const luaL_Reg kCoreDetach[] = {
    {"start", guard<detach_start>},
    {"done", guard<detach_done>},
    {nullptr, nullptr},
};

}  // namespace moonlet
