// Services: what the primitives of one engine work on. The engine owns them; bound functions
// borrow them through of(). Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/base/clock.h"
#include "host/base/loop.h"
#include "lua/lua_api.h"

namespace moonlet {

struct Run;      // lua/run.h: the run that is being driven

struct Services {
  const Clock& clock;
  Loop& loop;
  std::vector<std::string> environment;  ///< "NAME=value", as the engine was given it
  std::string working_directory;         ///< absolute
  std::string keeper_program;            ///< the executable that has the `keeper` command
  /// Where the result of a command and its live events go.
  std::function<void(int stream, std::string_view text)> print;
  std::unique_ptr<Run> run;

  Services(const Clock& clock_in, Loop& loop_in);
  ~Services();

  static Services& of(lua_State* L);
  static void set(lua_State* L, Services& services);
  /// The value of an environment variable; nullptr when it is not set.
  const char* env(std::string_view name) const;
};

}  // namespace moonlet
