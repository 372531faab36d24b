// Declares the libraries of the table `core`, which C++ provides to the standard library.
// Only modules of the standard library can access `core`. Presets use ctx and m instead.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

int luaopen_core_task(lua_State* L);
int luaopen_core_archive(lua_State* L);
int luaopen_core_json(lua_State* L);
int luaopen_core_lost(lua_State* L);
int luaopen_core_text(lua_State* L);
int luaopen_core_frames(lua_State* L);
int luaopen_core_clock(lua_State* L);
int luaopen_core_file(lua_State* L);
int luaopen_core_host(lua_State* L);
int luaopen_core_run(lua_State* L);
int luaopen_core_runs(lua_State* L);
int luaopen_core_line(lua_State* L);
int luaopen_core_lines(lua_State* L);
int luaopen_core_journal(lua_State* L);
int luaopen_core_ledger(lua_State* L);
int luaopen_core_audit(lua_State* L);
int luaopen_core_tree(lua_State* L);
int luaopen_core_detach(lua_State* L);
int luaopen_core_process(lua_State* L);
int luaopen_core_secret(lua_State* L);
int luaopen_core_session(lua_State* L);
int luaopen_core_event(lua_State* L);
int luaopen_core_system(lua_State* L);
int luaopen_core_terminal(lua_State* L);
int luaopen_core_script(lua_State* L);
int luaopen_core_coroutine(lua_State* L);

/// Opens all libraries above and pushes the table `core` with them.
void push_core(lua_State* L);

}  // namespace moonlet
