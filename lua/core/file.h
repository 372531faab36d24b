// Helpers of core.file that other libraries use. Loop thread only.
#pragma once

#include "host/artifact/file/dir.h"
#include "lua/vm/bind.h"

namespace moonlet {

/// Returns the folder whose handle is at `index`. Raises an error if the value is not a folder's
/// handle.
const Dir& check_dir(lua_State* L, int index);

template <>
struct Argument<const Dir&> {
  static constexpr int kCount = 1;
  static const Dir& read(lua_State* L, int index) { return check_dir(L, index); }
};
template <>
struct Argument<Durable> {
  static constexpr int kCount = 1;
  static Durable read(lua_State* L, int index) {
    return lua_toboolean(L, index) != 0 ? Durable::kYes : Durable::kNo;
  }
};

}  // namespace moonlet
