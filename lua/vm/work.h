// Runs a slow C++ function, such as a hash, on a worker thread while the event loop continues.
// The function's time does not count for the script's limit. The function must not touch Lua.
// Borrowed values must outlive the await; values on the Lua stack do. Loop thread only.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>

#include "host/base/result.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

using WorkFunction = std::function<Result<nlohmann::json>()>;

/// Pushes a box with an empty function. The caller fills the box.
WorkFunction& push_work(lua_State* L);

/// Runs the function in the box at the top of the stack and waits for its end.
/// Returns the value, or nil and an error. Use `return await_work(L);` without a live C++ object.
/// A cancel does not interrupt the function, but sets `stop`; so does the scheduler's end.
/// `stop` must live as long as the values that the function borrows.
int await_work(lua_State* L, std::atomic<bool>* stop = nullptr);

}  // namespace moonlet
