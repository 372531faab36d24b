// Builds the environments of Lua code. Internal modules of the standard library can access all of
// `core`, and public modules only its harmless parts. Scripts (presets) can access neither `core`
// nor a library that could access the system.
#pragma once

#include <cstddef>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Opens the base libraries in a new Lua state, except for io, package and debug. Replaces the
/// functions with which a script could escape from the sandbox or block the host.
void open_sandbox(lua_State* L);

/// Pushes a new environment for a script. It has globals of its own; the libraries in it are shared
/// and read-only.
void push_script_environment(lua_State* L);

void push_module_environment(lua_State* L, bool internal);

/// Compiles a text with the environment at the top of the stack, which is popped.
/// Pushes the main function and returns true, or pushes an error message and returns false.
/// Refuses bytecode and texts over 1 MB. A kill stops the parser, too.
bool load_text(lua_State* L, const char* text, std::size_t size, const char* chunk_name);

/// Replaces the table at the top of the stack by a read-only view. pairs() works on the view.
void push_frozen_view(lua_State* L, const char* name);

/// Each of these functions pushes a library of the sandbox.
int luaopen_sandbox_base(lua_State* L);       ///< the globals of scripts, except `load`
int luaopen_sandbox_coroutine(lua_State* L);  ///< coroutines that may await
int luaopen_sandbox_string(lua_State* L);
int luaopen_sandbox_table(lua_State* L);
int luaopen_sandbox_utf8(lua_State* L);
int luaopen_sandbox_os(lua_State* L);     ///< only `time` and `date`; neither can read a clock
int luaopen_sandbox_debug(lua_State* L);  ///< only traceback

/// Marks the metatable at `index` as the host's. Scripts then have no raw access to its tables.
void mark_host_metatable(lua_State* L, int index);
/// Returns true if the value is an object of the host, such as a frozen view, ctx or a task.
bool is_host_object(lua_State* L, int index);
void check_not_host_object(lua_State* L, int index);

/// Pushes any value as text, without a memory address. May call __tostring.
/// "table: 3" is the third object whose text was requested in this Lua state.
const char* push_text_of(lua_State* L, int index, std::size_t* size);
lua_Integer object_number(lua_State* L, int index);
/// Pushes the table with weak keys that the registry has under `key`. The first call creates it.
void push_weak_table(lua_State* L, const void* key);

/// Adds the base functions for modules of the standard library to the table at the top of the
/// stack.
void set_module_base(lua_State* L);

/// Lua's pairs and next, but with an order of keys that is the same in every run: numbers, then
/// strings by their bytes, then false, true, and other keys in the order of their first appearance.
int ordered_pairs(lua_State* L);
int ordered_next(lua_State* L);
/// Pushes an iterator over the keys of the table at `index`, in the order of `pairs`. The iterator
/// ignores its arguments.
void push_ordered_iterator(lua_State* L, int index);

}  // namespace moonlet
