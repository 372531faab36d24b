// Runs a slow C++ function, such as a hash, on a worker thread, while the event loop continues. The
// function's time does not count for the script's limit. The function must not use Lua. It may
// borrow values on the Lua stack; other values that it borrows must outlive the await. Loop thread
// only.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>

#include "host/base/result.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

using WorkFunction = std::function<Result<nlohmann::json>()>;

/// Pushes a box with an empty function, and returns a reference to the function. The caller must
/// set the function.
WorkFunction& push_work(lua_State* L);

/// Runs the function that push_work() pushed, which must be at the top of the stack, on another
/// thread, and waits until it has returned.
/// Returns its value, or nil and an error. Use it only as `return await_work(L);`, with no live C++
/// object.
/// If the await is cancelled or the scheduler ends, sets `stop` and waits until the function
/// returns. `stop` must live as long as the values that the function borrows.
int await_work(lua_State* L, std::atomic<bool>* stop = nullptr);

}  // namespace moonlet
