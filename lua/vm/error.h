// Converts host errors to Lua tables {kind, message, hint, at, step, retryable, cause} and back.
// Any value that a script raises is accepted. Loop thread only.
#pragma once

#include "host/base/result.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

void push_error(lua_State* L, const Error& error);

/// Makes the table at `index` an error table, which prints as its message.
/// A table that has a metatable stays unchanged.
void make_error(lua_State* L, int index);

/// Raises `error`, which lies in a box. The caller owns no other C++ object outside of boxes.
int raise_error(lua_State* L, const Error& error);

/// Raises {kind, message, hint} from plain text, which is static or on the Lua stack.
int raise(lua_State* L, ErrorKind kind, const char* message, const char* hint = "");

/// Turns a raised value into an Error. Reads error tables by raw access, without metamethods.
/// A string becomes kFailed with its "file:line" as the place; any other value gets a fixed text.
Error read_error(lua_State* L, int index);

/// Pushes "file:line" of the innermost running script and returns true.
/// Pushes nothing and returns false if only the standard library runs.
bool push_place(lua_State* L);

/// Registers the metatable of error tables. Call it once for each Lua state.
void open_errors(lua_State* L);

}  // namespace moonlet
