#include "lua/services.h"

#include "lua/run.h"

namespace moonlet {

namespace {
const char kServicesKey = 0;
}

Services::Services(const Clock& clock_in, Loop& loop_in) : clock(clock_in), loop(loop_in) {}
Services::~Services() = default;

Services& Services::of(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kServicesKey);
  auto* self = static_cast<Services*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return *self;
}

void Services::set(lua_State* L, Services& services) {
  lua_pushlightuserdata(L, &services);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kServicesKey);
}

const char* Services::env(std::string_view name) const {
  for (const std::string& entry : environment) {
    if (entry.size() > name.size() && entry[name.size()] == '=' &&
        entry.compare(0, name.size(), name) == 0) {
      return entry.c_str() + name.size() + 1;
    }
  }
  return nullptr;
}

}  // namespace moonlet
