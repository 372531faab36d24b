// Services are the objects that all core libraries of a command use. The engine owns them; C++
// functions that Lua calls get them from of(). Loop thread only.
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
  const std::vector<std::string> environment;  ///< "NAME=value", from EngineOptions
  const Redactor redactor;                     ///< redacts the environment's secrets in texts
  std::string working_directory;               ///< an absolute path
  std::string keeper_program;                  ///< path of the executable that starts as a keeper
  std::optional<std::string> config;           ///< EngineOptions::config; "" means no config file
  HostFunctions* host = nullptr;               ///< the embedding program's functions; null if none
  /// Prints the result of a command (stream 1) or messages for people (stream 2).
  std::function<void(int stream, std::string_view text)> print;
  std::function<void(const std::string& log)> on_detached;  ///< see EngineOptions
  bool detached = false;                                    ///< the output goes to a log file
  bool interactive = false;              ///< moonlet can ask the user on descriptors 0 and 2
  std::function<bool()> take_continued;  ///< returns true once after SIGCONT
  std::function<void()> request_cancel;  ///< cancels the command like ^C
  std::function<void()> close_prompt;    ///< set by core.line: closes its open prompt
  std::unique_ptr<Bus> bus;
  std::unique_ptr<RunDriver> run;  ///< the current run; null if there is none
  std::size_t logged_bytes = 0;    ///< how much scripts have printed and logged
  std::vector<Event> early;        ///< events from before the run had an id
  /// Number of folders that Lua has open. When it reaches `most_open_folders`, garbage is collected
  /// to close some.
  std::shared_ptr<std::size_t> open_folders = std::make_shared<std::size_t>(0);
  std::size_t most_open_folders = 0;
  WorkerPool workers;  ///< runs slow C++ functions; see lua/vm/work.h

  Services(const Clock& clock_in, Loop& loop_in, std::vector<std::string> environment_in);
  ~Services();

  /// Passes later events to `fn`, which replaces the previous function. nullptr ignores events.
  void show(std::function<void(const Event&)> fn);
  /// Shows events in a live view on descriptor 2, and prints other text above the view.
  /// Returns false if there is no suitable terminal. The view ignores events for which `prints`
  /// returns true. If `watches` is true, the view's last line says that ^C does not stop the run.
  bool show_live(std::function<bool(const Event&)> prints = nullptr, bool watches = false);
  std::weak_ptr<LiveTerminal> live() const { return live_; }
  static Services& of(lua_State* L);
  static void set(lua_State* L, Services& services);
  /// Returns the value of an environment variable, or nullptr if it is not set. The string belongs
  /// to this object.
  const char* env(std::string_view name) const;
  /// Returns moonlet's state folder of this user, for data that does not belong to a repository.
  /// Returns "" if neither XDG_STATE_HOME nor HOME is an absolute path.
  std::string state_dir() const;
  /// Returns the index of the live keepers of this user.
  LiveIndex live_keepers() const { return LiveIndex(state_dir()); }

 private:
  void print_beside_view(int stream, std::string_view text);

  std::unique_ptr<CallbackSink> display_;
  std::shared_ptr<LiveTerminal> live_;
  std::function<void(int, std::string_view)> print_itself_;  // prints without redrawing the view
};

/// Returns the current run. Raises an error if there is none.
RunDriver& check_run(lua_State* L);

/// Adds `bytes` to the size of the script's output. Raises the error `limit` if the output is too
/// large.
void count_output(lua_State* L, std::size_t bytes);

}  // namespace moonlet
