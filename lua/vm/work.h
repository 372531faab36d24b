// Work: a slow C++ function (hashing, a database) on a thread of its own. The event loop keeps
// running, and the time does not count against the script's limit on computing. Borrowed values
// must outlive the await: values on the Lua stack do. The function touches no Lua. Loop thread
// only, but for the function.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>

#include "host/base/result.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

using WorkFunction = std::function<Result<nlohmann::json>()>;

/// Pushes an empty function in a box, to be filled.
WorkFunction& push_work(lua_State* L);

/// Runs the function in the box at the top of the stack and waits for it: returns its value, or nil
/// and an error. Use as `return await_work(L);` with no owning C++ object alive. A cancelled task
/// does not interrupt it, but then `stop`, which lives as long as the function's borrowed values,
/// becomes true; also when the scheduler ends.
int await_work(lua_State* L, std::atomic<bool>* stop = nullptr);

}  // namespace moonlet
