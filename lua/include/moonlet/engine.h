// Engine embeds moonlet in a C++ program. It runs presets, scripts and command lines.
// All runs of an engine share the thread that opened it. Another run may continue whenever a run's
// Lua code awaits something.
// A process may have several engines, each on its own thread.
// An engine does not change the process's directory, environment, locale, umask or signal mask.
// It never becomes a subreaper, and installs signal handlers only for EngineOptions::interactive.
//
// Any thread may call Run::id(), Run::done(), Run::cancel(), and the methods of Call and Reply.
// All other functions fail with kInvalid on a thread other than the engine's.
// After fork(), the child may only call exec() or destroy its copy of the engine, which does not
// affect the parent.
//
// moonlet/moonlet.h is the C interface and has a stable ABI. The C++ interface may change in any
// release.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <moonlet/native.h>
#include <moonlet/result.h>
#include <moonlet/run.h>
#include <moonlet/version.h>

namespace moonlet {

/// Returns the version of the linked library; MOONLET_VERSION is the version of the headers.
MOONLET_API std::string_view version();
/// Returns the version, commit and build options as one line for people.
MOONLET_API std::string_view version_line();
/// Returns the path of this program's executable, which can serve as the keeper of its runs.
/// Returns "" if the program has not called moonlet_keeper(), or if the executable was replaced or
/// removed since the program started. Any thread.
MOONLET_API std::string own_program();

struct EngineOptions {
  /// The repository or folder to work in; if empty, the process's working directory.
  std::string directory;
  /// The variables ("NAME=value") from which the environment of each child process is made. If it
  /// has no value, moonlet uses the process's environment. If the list is empty, there are no
  /// variables.
  std::optional<std::vector<std::string>> environment;
  /// The config file, an absolute path that exists. If it has no value, moonlet reads the user's
  /// config file. If it is an empty string, moonlet reads no config file.
  std::optional<std::string> config;
  /// The executable that the engine starts as the keeper of a run.
  /// Empty: this program if it has called moonlet_keeper(), else `moonlet` in the program's folder
  /// or in PATH.
  std::string moonlet_program;
  /// Limits the Lua memory of a run, in bytes.
  std::size_t lua_memory_bytes = std::size_t{256} << 20;
  /// Limits how long Lua may run without an await, in milliseconds. 0: no limit.
  std::int64_t lua_run_ms = 10'000;
  /// The signal that interrupts Lua at its time limit. The program must have installed
  /// Engine::on_interrupt as its handler, with SA_RESTART.
  /// 0: Lua instead checks every 1000 instructions whether it must stop, which makes tight loops
  /// twice as slow.
  int interrupt_signal = 0;
  /// Called once, on another thread, if Lua still runs a second after it reached a limit.
  /// The engine hangs until Lua stops. All records are on disk, so this function may exit the
  /// process.
  std::function<void(const std::string& why)> on_stuck;
  /// Receives the output of command lines: stream 1 is the result, stream 2 has messages for
  /// people.
  /// Without `print`, the output is discarded.
  std::function<void(int stream, std::string_view text)> print;
  /// Receives the engine's own warnings, such as a callback that threw or an answer that came too
  /// late. Called on the engine's thread.
  std::function<void(std::string_view text)> log;
  /// Called in the background process that continues a run started with `--background`. `log` is
  /// the path of the file that receives all further output. If on_detached is not set, the engine
  /// refuses `--background`.
  std::function<void(const std::string& log)> on_detached;
  /// Lets command lines use the terminal on descriptors 0 and 2 to ask the user questions, and show
  /// the live view of a run through `print`.
  /// The engine handles SIGINT and SIGWINCH during a prompt or session, then restores the program's
  /// handlers.
  bool interactive = false;
  /// Set this if the process exists only to run this engine. The engine then returns unused memory
  /// of the whole process to the system while a command waits.
  bool own_process = false;
};

class MOONLET_API Engine {
 public:
  /// Fails with kInvalid if the directory does not exist or no keeper program is found.
  static Result<Engine> open(EngineOptions options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  /// Abandons running runs as if the process had been killed. Their children may continue under the
  /// keeper, and resume() collects their results.
  /// If a callback destroys the engine, the engine ends after the callback returns.
  ~Engine();

  /// Offers a function to the presets of all runs that start later.
  /// Fails with kInvalid if the name is taken or malformed, or if a schema is invalid.
  Result<void> provide(NativeFunction function);
  /// Adds a preset or script from memory. `files` maps a file name to its text: "init.lua" and each
  /// module that it requires. The preset takes priority over one on disk with the same name.
  /// Fails with kInvalid without an "init.lua".
  Result<void> add_preset(const std::string& name, std::map<std::string, std::string> files);
  /// Calls `fn` for every event of all runs, on the engine's thread. An empty `fn` unsubscribes.
  Result<void> on_event(std::function<void(const RunEvent& event)> fn);

  /// Accepts a request without waiting. The run begins in the next turn().
  /// Fails with kInvalid if `arguments` or `options` are not JSON. Run::result() reports all other
  /// errors.
  Result<Run> start(Request request);
  /// Continues a run that was killed, is parked, or has failed steps.
  /// `options` is a JSON object with the options of `moonlet resume`, in the format of
  /// Request::options.
  Result<Run> resume(const std::string& id, const std::string& options = {});
  /// Answers the gate or question of a parked run, and continues the run.
  /// `options` is a JSON object with the options of `moonlet answer`: {"key": …, "by": …}.
  Result<Run> answer(const std::string& id, const std::string& text,
                     const std::string& options = {});
  /// Runs a command line and waits until it ends. Equals start() followed by Run::wait().
  Result<Outcome> command(const std::vector<std::string>& words);

  /// Returns a descriptor to poll. It is readable when turn() has work. The engine keeps ownership.
  int descriptor() const;
  /// Returns how long the program may poll the descriptor before it calls turn(), in milliseconds.
  /// 0: do not wait. -1: no limit.
  int timeout() const;
  /// Does all work that is ready, without waiting. Returns false once all runs and commands have
  /// ended.
  Result<bool> turn();

  /// Tells the engine to redraw the live view after SIGCONT, because other programs may have
  /// written to the terminal while the process was stopped. Safe in a signal handler.
  void continued();
  /// The handler for EngineOptions::interrupt_signal. Has no effect on a thread that runs no Lua.
  static void on_interrupt(int signal);
  /// Turns the terminal's echo on again, for a program that exits in a signal handler.
  /// Safe in a signal handler.
  static void restore_terminal();

  class Impl;

 private:
  explicit Engine(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// Formats an error as the JSON envelope of `command`. Use it if the command failed before it could
/// make an envelope.
MOONLET_API std::string envelope_of(std::string_view command, const Error& error);
/// Formats an error as `moonlet` prints it. Escapes characters that could control a terminal.
MOONLET_API std::string text_of(const Error& error);

}  // namespace moonlet

extern "C" {
/// Lets this program serve as the keeper of its own runs. Call this first in main, before the
/// program starts a thread or opens a file. In a keeper process, returns the exit status, which
/// main must return. In any other process, returns -1.
MOONLET_API int moonlet_keeper(int argc, char** argv);
}
