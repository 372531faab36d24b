// Services holds the objects that the primitives of one command share.
// The engine owns Services; bound functions borrow them through of(). Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/clock.h"
#include "host/base/loop.h"
#include "host/base/worker_pool.h"
#include "host/process/client/live_index.h"
#include "host/telemetry/live/terminal.h"
#include "host/telemetry/secret/redact.h"
#include "host/telemetry/sink.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

class HostFunctions;
class RunDriver;

struct Services {
  const Clock& clock;
  Loop& loop;
  const std::vector<std::string> environment;  ///< "NAME=value", as the engine was given it
  const Redactor redactor;                     ///< covers the secrets in the environment
  std::string working_directory;               ///< absolute
  std::string keeper_program;                  ///< the executable that has the `keeper` command
  std::optional<std::string> config;           ///< the config file; "": none; unset: the user's own
  HostFunctions* host = nullptr;               ///< the program's functions; null if it has none
  /// Writes the result of a command (stream 1) or messages for a person (stream 2).
  std::function<void(int stream, std::string_view text)> print;
  std::function<void(const std::string& log)> on_detached;  ///< see EngineOptions
  bool detached = false;                                    ///< output goes to a file of the run
  bool interactive = false;              ///< a person may be asked on descriptors 0 and 2
  std::function<bool()> take_continued;  ///< true once after SIGCONT resumed the process
  std::function<void()> request_cancel;  ///< ends the running command like ^C by the user
  std::function<void()> close_prompt;    ///< ends an open prompt (core.line); may be empty
  std::unique_ptr<Bus> bus;
  std::unique_ptr<RunDriver> run;  ///< the current run; null without a run
  std::size_t logged_bytes = 0;    ///< bytes that scripts have printed and logged
  std::vector<Event> early;        ///< output of a script before its run existed
  /// Counts the folders that Lua has open. Above the limit, a garbage collection closes some.
  std::shared_ptr<std::size_t> open_folders = std::make_shared<std::size_t>(0);
  std::size_t most_open_folders = 0;
  WorkerPool workers;  ///< for slow functions of C++ (lua/vm/work.h)

  Services(const Clock& clock_in, Loop& loop_in, std::vector<std::string> environment_in);
  ~Services();

  /// Passes every later event to `fn` instead of the previous function. nullptr drops events.
  void show(std::function<void(const Event&)> fn);
  /// Shows events as a live view on descriptor 2, with printed text above the view.
  /// Returns false without a terminal. The view ignores events for which `prints` returns true.
  /// With `watches`, the help of the view says that ^C does not stop the run.
  bool show_live(std::function<bool(const Event&)> prints = nullptr, bool watches = false);
  std::weak_ptr<LiveTerminal> live() const { return live_; }
  static Services& of(lua_State* L);
  static void set(lua_State* L, Services& services);
  /// Returns an environment variable; nullptr if unset. Services owns the text.
  const char* env(std::string_view name) const;
  /// Returns moonlet's state folder of this user, for data that outlives a repository.
  /// Returns an empty path if neither XDG_STATE_HOME nor HOME is absolute.
  std::string state_dir() const;
  /// Returns the index of the live keepers of this user.
  LiveIndex live_keepers() const { return LiveIndex(state_dir()); }

 private:
  void print_beside_view(int stream, std::string_view text);

  std::unique_ptr<CallbackSink> display_;
  std::shared_ptr<LiveTerminal> live_;
  std::function<void(int, std::string_view)> print_itself_;  // while the view replaces `print`
};

/// Returns the current run. Raises an error without a run.
RunDriver& check_run(lua_State* L);

/// Counts the output of a script. Raises the error `limit` if the output is too long.
void count_output(lua_State* L, std::size_t bytes);

}  // namespace moonlet
