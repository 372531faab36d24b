// The environments that Lua code runs in. Three kinds: internal modules see `core`, public modules
// of the standard library see only its harmless part, and scripts (presets) see neither, and no
// library that could reach the system. Loop thread only.
#pragma once

#include <cstddef>

#include "lua/lua_api.h"

namespace moonlet {

/// Opens the base libraries in a fresh state (never io, os, package or debug), replaces what a
/// script could use to get out, and builds the environments of the standard library.
void open_sandbox(lua_State* L);

/// Pushes a new environment for a script: an own table of globals over shared, frozen libraries.
void push_script_environment(lua_State* L);

/// Pushes the environment of standard library modules.
void push_module_environment(lua_State* L, bool internal);

/// Loads a text chunk with the environment at the top of the stack (popped). Pushes the function
/// and returns true, or pushes the message. Bytecode is refused.
bool load_text(lua_State* L, const char* text, std::size_t size, const char* chunk_name);

/// coroutine, wrapped so that awaits inside a script's coroutines reach the scheduler.
int luaopen_sandbox_coroutine(lua_State* L);

}  // namespace moonlet
