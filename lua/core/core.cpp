#include "lua/core/core.h"

namespace moonlet {

namespace {

// The libraries "script" and "host" are defined in lua/engine, and "coroutine" in lua/sandbox.
constexpr luaL_Reg kLibraries[] = {
    {"task", luaopen_core_task},           {"json", luaopen_core_json},
    {"text", luaopen_core_text},           {"clock", luaopen_core_clock},
    {"file", luaopen_core_file},           {"run", luaopen_core_run},
    {"detach", luaopen_core_detach},       {"runs", luaopen_core_runs},
    {"lines", luaopen_core_lines},         {"journal", luaopen_core_journal},
    {"process", luaopen_core_process},     {"event", luaopen_core_event},
    {"system", luaopen_core_system},       {"script", luaopen_core_script},
    {"coroutine", luaopen_core_coroutine}, {"terminal", luaopen_core_terminal},
    {"ledger", luaopen_core_ledger},       {"audit", luaopen_core_audit},
    {"secret", luaopen_core_secret},       {"lost", luaopen_core_lost},
    {"frames", luaopen_core_frames},       {"line", luaopen_core_line},
    {"session", luaopen_core_session},     {"archive", luaopen_core_archive},
    {"tree", luaopen_core_tree},           {"host", luaopen_core_host},
};

}  // namespace

void push_core(lua_State* L) {
  lua_newtable(L);
  for (const luaL_Reg& library : kLibraries) {
    lua_pushcfunction(L, library.func);
    lua_call(L, 0, 1);
    lua_setfield(L, -2, library.name);
  }
}

}  // namespace moonlet
