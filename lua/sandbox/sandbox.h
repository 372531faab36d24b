// The environments that Lua code runs in. There are three kinds. Internal modules see `core`,
// public modules of the standard library see only its harmless part, and scripts (presets) see
// neither, nor any library that could access the system. Loop thread only.
#pragma once

#include <cstddef>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Opens the base libraries in a fresh state (never io, package or debug), replaces the functions
/// by which a script could escape or block the host, and builds the environments of the standard
/// library.
void open_sandbox(lua_State* L);

/// Pushes a new environment for a script: its own table of globals over shared, frozen libraries.
void push_script_environment(lua_State* L);

/// Pushes the environment of standard library modules.
void push_module_environment(lua_State* L, bool internal);

/// Loads a text chunk with the environment at the top of the stack (popped). Pushes the function
/// and returns true, or pushes the message. Bytecode and chunks over 1 MB are refused, and a kill
/// also stops the parser.
bool load_text(lua_State* L, const char* text, std::size_t size, const char* chunk_name);

/// Replaces the table at the top by a read-only view of it, which pairs can walk.
void push_frozen_view(lua_State* L, const char* name);

/// The libraries of the sandbox, each left as one table on the stack.
int luaopen_sandbox_base(lua_State* L);       ///< the globals of scripts, except `load`
int luaopen_sandbox_coroutine(lua_State* L);  ///< awaits in coroutines reach the scheduler
int luaopen_sandbox_string(lua_State* L);
int luaopen_sandbox_table(lua_State* L);
int luaopen_sandbox_utf8(lua_State* L);
int luaopen_sandbox_os(lua_State* L);     ///< time, clock and date by the run's clock
int luaopen_sandbox_debug(lua_State* L);  ///< traceback

// --- helpers of these libraries ---

/// Marks the metatable at `index` as the host's: scripts get no raw access to tables that have it.
void mark_host_metatable(lua_State* L, int index);
/// True for tables that are handles of the host: frozen views, ctx, tasks.
bool is_host_object(lua_State* L, int index);
/// Raises if the table at `index` is such a handle.
void check_not_host_object(lua_State* L, int index);

/// Pushes the text of any value, without an address in it: "table: 3" is the third object whose
/// text was requested. May call __tostring.
const char* push_text_of(lua_State* L, int index, std::size_t* size);
/// The number of an object in such texts.
lua_Integer object_number(lua_State* L, int index);

/// Puts the module's versions of base functions into the table at the top.
void set_module_base(lua_State* L);

/// pairs and next, in an order that is the same in every run: numbers, then texts bytewise, then
/// false, true and the rest by first appearance.
int ordered_pairs(lua_State* L);
int ordered_next(lua_State* L);
/// Pushes an iterator over the keys of the table at `index`, as pairs does. It always reads that
/// table and ignores its arguments.
void push_ordered_iterator(lua_State* L, int index);

}  // namespace moonlet
