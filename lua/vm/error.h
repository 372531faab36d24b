// Converts errors of the host to Lua tables {kind, message, hint, at, step, retryable, cause} and
// back. Accepts any value that a script has raised. Loop thread only.
#pragma once

#include "host/base/result.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

void push_error(lua_State* L, const Error& error);

/// Gives the table at `index` the metatable of errors, so that tostring() returns its message. Does
/// nothing if the table already has a metatable.
void make_error(lua_State* L, int index);

/// Raises `error`, which must be in a box. All other C++ objects of the caller must be in boxes,
/// too.
int raise_error(lua_State* L, const Error& error);

/// Raises the error {kind, message, hint}. `message` and `hint` must be static or on the Lua stack.
int raise(lua_State* L, ErrorKind kind, const char* message, const char* hint = "");

/// Converts a raised value to an Error. Reads error tables without calling metamethods.
/// A string becomes a kFailed error, with its "file:line" as the place. Any other value gets a
/// fixed message.
Error read_error(lua_State* L, int index);

/// Pushes "file:line" of the innermost running script and returns true.
/// Pushes nothing and returns false if only the standard library runs.
bool push_place(lua_State* L);

/// Registers the metatable of error tables. Call it once for each Lua state.
void open_errors(lua_State* L);

}  // namespace moonlet
