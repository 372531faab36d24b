// Builds the environments of Lua code. Internal modules see `core`.
// Public modules of the standard library see only the harmless part of `core`.
// Scripts (presets) see neither `core` nor a library that could access the system.
#pragma once

#include <cstddef>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Opens the base libraries in a fresh state, but never io, package or debug.
/// Replaces functions by which a script could escape from the sandbox or block the host.
void open_sandbox(lua_State* L);

/// Pushes a new environment for a script: its own globals over shared, frozen libraries.
void push_script_environment(lua_State* L);

void push_module_environment(lua_State* L, bool internal);

/// Loads a text chunk with the environment at the top of the stack, which is popped.
/// Pushes the function and returns true, or pushes the error message.
/// Bytecode and chunks over 1 MB are refused. A kill also stops the parser.
bool load_text(lua_State* L, const char* text, std::size_t size, const char* chunk_name);

/// Replaces the table at the top by a read-only view, which pairs can walk.
void push_frozen_view(lua_State* L, const char* name);

/// Each function pushes a library of the sandbox as a table.
int luaopen_sandbox_base(lua_State* L);       ///< the globals of scripts, except `load`
int luaopen_sandbox_coroutine(lua_State* L);  ///< coroutines in which await works
int luaopen_sandbox_string(lua_State* L);
int luaopen_sandbox_table(lua_State* L);
int luaopen_sandbox_utf8(lua_State* L);
int luaopen_sandbox_os(lua_State* L);     ///< time, clock and date by the run's clock
int luaopen_sandbox_debug(lua_State* L);  ///< traceback

/// Marks the metatable at `index` as the host's. Scripts get no raw access to its tables.
void mark_host_metatable(lua_State* L, int index);
/// Returns true for tables that are handles of the host: frozen views, ctx, tasks.
bool is_host_object(lua_State* L, int index);
void check_not_host_object(lua_State* L, int index);

/// Pushes the text of any value, without an address. May call __tostring.
/// The text "table: 3" means the third object whose text was requested.
const char* push_text_of(lua_State* L, int index, std::size_t* size);
lua_Integer object_number(lua_State* L, int index);

/// Puts the module versions of the base functions into the table at the top.
void set_module_base(lua_State* L);

/// ordered_pairs and ordered_next are pairs and next with an order that every run repeats.
/// Numbers come first, then texts bytewise, then false, true and other keys by first appearance.
int ordered_pairs(lua_State* L);
int ordered_next(lua_State* L);
/// Pushes an iterator over the keys of the table at `index`, in the order of pairs.
/// The iterator of push_ordered_iterator() ignores its arguments.
void push_ordered_iterator(lua_State* L, int index);

}  // namespace moonlet
