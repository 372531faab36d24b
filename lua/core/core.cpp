#include "lua/core/core.h"

#include <unistd.h>

#include "host/process/wire/protocol.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

// The libraries "script" and "host" are defined in lua/engine, and "coroutine" in lua/sandbox.
constexpr struct {
  const char* name;
  const luaL_Reg* functions;
} kLibraries[] = {
    {"archive", kCoreArchive},     {"audit", kCoreAudit},     {"clock", kCoreClock},
    {"coroutine", kCoreCoroutine}, {"detach", kCoreDetach},   {"event", kCoreEvent},
    {"file", kCoreFile},           {"file", kCoreFileSwap},   {"frames", kCoreFrames},
    {"host", kCoreHost},           {"journal", kCoreJournal}, {"json", kCoreJson},
    {"ledger", kCoreLedger},       {"line", kCoreLine},       {"lines", kCoreLines},
    {"lost", kCoreLost},           {"process", kCoreProcess}, {"run", kCoreRun},
    {"runs", kCoreRuns},           {"script", kCoreScript},   {"secret", kCoreSecret},
    {"session", kCoreSession},     {"system", kCoreSystem},   {"task", kCoreTask},
    {"terminal", kCoreTerminal},   {"text", kCoreText},       {"tree", kCoreTree},
};

}  // namespace

void push_core(lua_State* L) {
  lua_newtable(L);
  for (const auto& library : kLibraries) {
    luaL_getsubtable(L, -1, library.name);
    luaL_setfuncs(L, library.functions, 0);
    lua_pop(L, 1);
  }
  lua_getfield(L, -1, "json");
  lua_pushlightuserdata(L, nullptr);
  lua_setfield(L, -2, "null");
  lua_getfield(L, -2, "process");
  set_number(L, "default_cap", OutputSpec::kDefaultInlineCap);
  set_number(L, "largest_cap", kInlineLimit);
  lua_getfield(L, -3, "system");
  set_text(L, "version", MOONLET_VERSION);
  set_number(L, "pid", getpid());
  lua_pop(L, 3);
}

}  // namespace moonlet
