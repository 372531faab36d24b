// Errors on the Lua side are tables {kind, message, hint, at, step, retryable, cause}. This file
// makes them from host errors and reads them back, whatever a script raised. Loop thread only.
#pragma once

#include "host/base/result.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// Pushes the error table of `error`.
void push_error(lua_State* L, const Error& error);

/// Makes the table at `index` an error table, which prints as its message; one with a metatable
/// stays as it is.
void make_error(lua_State* L, int index);

/// Raises `error`. The caller owns no C++ object beyond boxes; `error` itself lives in a box.
int raise_error(lua_State* L, const Error& error);

/// Raises {kind, message, hint} from plain text (static or on the Lua stack).
int raise(lua_State* L, ErrorKind kind, const char* message, const char* hint = "");

/// Turns a raised value into an Error: error tables field by field (raw access, no metamethods),
/// strings as kFailed with their "file:line" as the place, anything else by a fixed text.
Error read_error(lua_State* L, int index);

/// Pushes "file:line" of the script that is running, innermost first, and gives true; where only
/// the standard library runs it pushes nothing.
bool push_place(lua_State* L);

/// Registers the metatable of error tables. Call it once for each Lua state.
void open_errors(lua_State* L);

}  // namespace moonlet
