// Helpers of core.run that other libraries use. Loop thread only.
#pragma once

#include "host/artifact/run/home.h"
#include "host/driver/registry.h"
#include "lua/vm/bind.h"

namespace moonlet {

/// Returns the repository (`Home`) whose handle is at `index`. Raises an error if the value is not
/// such a handle.
Home& check_home(lua_State* L, int index);

template <>
struct Argument<Home&> {
  static constexpr int kCount = 1;
  static Home& read(lua_State* L, int index) { return check_home(L, index); }
};

}  // namespace moonlet
