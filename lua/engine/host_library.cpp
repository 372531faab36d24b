// core.host gives a run access to the embedding program's native functions, presets and config.
#include <memory>

#include "host/driver/run_driver.h"
#include "lua/core/core.h"
#include "lua/engine/host_functions.h"
#include "lua/vm/bind.h"
#include "lua/vm/scheduler.h"

namespace moonlet {

namespace {

/// functions() returns the native functions as {name = {effect, summary}}
int host_functions(lua_State* L) {
  const HostFunctions* host = Services::of(L).host;
  if (host == nullptr) {
    lua_newtable(L);
  } else {
    push_value(L, host->functions());
  }
  return 1;
}

int push_answer(lua_State* L, Operation& operation) {
  const auto& result = static_cast<HostCall&>(operation).result();
  if (!result) return raise_error(L, result.error());
  push_value(L, *result);
  return 1;
}

struct CallBox {
  nlohmann::json arguments;
  std::string name, run, step;
  Result<std::shared_ptr<HostCall>> made = Error{};
};

/// call(name, arguments, step) calls a native function. Returns its result or raises its error.
int host_call(lua_State* L) {
  const std::string_view name = check_text(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  const std::string_view step = check_text(L, 3);
  Services& services = Services::of(L);
  if (services.host == nullptr) return luaL_error(L, "no program provides functions");
  auto& box = push_box<CallBox>(L);
  read_value(L, 2, box.arguments);
  box.name = name;
  box.step = step;
  if (services.run) box.run = services.run->id();
  Pending& pending = Scheduler::of(L).prepare(L, push_answer);  // may raise an error
  box.made = services.host->call(box.name, std::move(box.arguments), box.run, box.step);
  if (!box.made) return raise_error(L, box.made.error());
  pending.operation = *box.made;
  return Scheduler::of(L).await(L);
}

/// presets() returns the presets that the program has added from memory, as {name = {file = text}}
int host_presets(lua_State* L) {
  lua_newtable(L);
  const HostFunctions* host = Services::of(L).host;
  if (host == nullptr) return 1;
  for (const auto& [name, files] : host->presets()) {
    lua_newtable(L);
    for (const auto& [file, text] : files) set_text(L, file.c_str(), text);
    lua_setfield(L, -2, name.c_str());
  }
  return 1;
}

/// config() returns the path of the config file, "" if there is to be none, or no value for the
/// user's config file
std::optional<std::string> host_config(const Services& services) { return services.config; }

}  // namespace

const luaL_Reg kCoreHost[] = {
    {"functions", guard<host_functions>},
    {"call", guard<host_call>},
    {"presets", guard<host_presets>},
    {"config", raising<host_config>},
    {nullptr, nullptr},
};

}  // namespace moonlet
