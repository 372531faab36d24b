// Engine embeds moonlet in a C++ program. It runs presets, scripts and command lines.
// All runs of an engine share the thread that opened the engine. Their Lua code switches at awaits.
// A process may have several engines, each on its own thread.
// An engine does not change the process's directory, environment, locale, umask or signal mask.
// It never becomes a subreaper, and installs signal handlers only for EngineOptions::interactive.
//
// Any thread may call Run::id(), Run::done(), Run::cancel(), and the methods of Call and Reply.
// All other functions fail with kInvalid on a thread other than the engine's.
// A forked child may only destroy its copy of the engine, which does not affect the parent, or
// exec.
//
// moonlet/moonlet.h is the C interface and has a stable ABI. This interface may change with a
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
/// Returns the version with the commit and the options of the build, for people.
MOONLET_API std::string_view version_line();
/// The path of this program's executable, which is the keeper of its runs. Empty if the program has
/// not called moonlet_keeper(), or if the file was replaced meanwhile. Any thread.
MOONLET_API std::string own_program();

struct EngineOptions {
  /// Sets the repository or folder to work in. Empty: the process's working directory.
  std::string directory;
  /// Sets the variables from which children get theirs, as "NAME=value".
  /// Without a value, the process's environment; an empty list: no variables.
  std::optional<std::vector<std::string>> environment;
  /// Sets the config file, an absolute path that exists. Without a value, the user's own file; an
  /// empty text: no config.
  std::optional<std::string> config;
  /// Sets the executable that starts as the keeper of runs.
  /// Empty: this program if it has called moonlet_keeper(), else `moonlet` in its folder or in
  /// PATH.
  std::string moonlet_program;
  /// Limits the Lua memory of a run, in bytes.
  std::size_t lua_memory_bytes = std::size_t{256} << 20;
  /// Limits the time that Lua may run without an await, in milliseconds. 0: no limit.
  std::int64_t lua_run_ms = 10'000;
  /// Selects the signal that interrupts Lua at its time limit. 0: Lua polls the clock instead,
  /// which makes tight loops twice as slow.
  /// The program must have installed Engine::on_interrupt as the handler, with SA_RESTART.
  int interrupt_signal = 0;
  /// Called once, on another thread, if Lua does not stop within a second after a limit.
  /// The engine hangs until Lua stops. All records are on disk, so the program may exit here.
  std::function<void(const std::string& why)> on_stuck;
  /// Receives the output of command lines: stream 1 is the result, stream 2 is for people.
  /// Without `print`, the output is dropped.
  std::function<void(int stream, std::string_view text)> print;
  /// Receives the engine's own warnings, such as a callback that threw or a late answer.
  /// Called on the engine's thread.
  std::function<void(std::string_view text)> log;
  /// Called in the background process that continues a `--background` run, with the path of the
  /// file for all further output. Without on_detached, `--background` is refused.
  std::function<void(const std::string& log)> on_detached;
  /// Allows command lines to use the terminal on descriptors 0 and 2, to ask the user questions
  /// and to show the live view of a run through `print`.
  /// Handles SIGINT or SIGWINCH during a prompt or session, then restores the program's handler.
  bool interactive = false;
  /// Set this if the program does nothing but run this engine.
  /// While a command waits, the engine then returns unused memory of the process to the system.
  bool own_process = false;
};

class MOONLET_API Engine {
 public:
  /// Fails with kInvalid if the directory does not exist or there is no program for the keeper.
  static Result<Engine> open(EngineOptions options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  /// Leaves running runs like a killed host. Their children may continue under the keeper, and
  /// resume() collects their results. In a callback, the destruction waits for the callback's
  /// return.
  ~Engine();

  /// Offers a function to the presets of all runs that start later.
  /// Fails with kInvalid if the name is taken or malformed, or if a schema is invalid.
  Result<void> provide(NativeFunction function);
  /// Adds a preset or script from memory. `files` has the text of "init.lua" and of each module
  /// that it requires, by file name. Takes priority over a preset on disk with the same name.
  /// Fails with kInvalid without an "init.lua".
  Result<void> add_preset(const std::string& name, std::map<std::string, std::string> files);
  /// Calls `fn` for each event of each run, on the engine's thread. An empty `fn` unsubscribes.
  Result<void> on_event(std::function<void(const RunEvent& event)> fn);

  /// Accepts a request without waiting; the run begins in the next turn().
  /// Fails with kInvalid if `arguments` or `options` are not JSON. Run::result() has all other
  /// errors.
  Result<Run> start(Request request);
  /// Continues a run that was killed, is parked, or has failed steps.
  /// `options` is JSON as in Request, with the options of `moonlet resume`.
  Result<Run> resume(const std::string& id, const std::string& options = {});
  /// Answers the gate or question of a parked run, and continues the run.
  /// `options` is JSON as in Request, with the options of `moonlet answer`: {"key": …, "by": …}.
  Result<Run> answer(const std::string& id, const std::string& text,
                     const std::string& options = {});
  /// Runs a command line and waits for its end, like start() and Run::wait().
  Result<Outcome> command(const std::vector<std::string>& words);

  /// Returns a descriptor to poll: readable if turn() has work. The engine keeps ownership.
  int descriptor() const;
  /// Returns the longest time to poll the descriptor before the next turn(), in milliseconds.
  /// 0: do not wait. -1: no limit.
  int timeout() const;
  /// Does all work that needs no waiting. Returns true until all runs and commands have ended.
  Result<bool> turn();

  /// Redraws the live view after SIGCONT, because other programs may have written to the terminal
  /// while the process was stopped. Safe in a signal handler.
  void continued();
  /// Handles EngineOptions::interrupt_signal. Has no effect on a thread that runs no Lua.
  static void on_interrupt(int signal);
  /// Restores the terminal's echo, for a program that exits in a signal handler.
  /// Safe in a signal handler.
  static void restore_terminal();

  class Impl;

 private:
  explicit Engine(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// Formats an error as a JSON envelope, for a command that failed before it made an envelope.
MOONLET_API std::string envelope_of(std::string_view command, const Error& error);
/// Formats an error as `moonlet` prints it. Escapes characters that could control a terminal.
MOONLET_API std::string text_of(const Error& error);

}  // namespace moonlet

extern "C" {
/// Makes the program able to be its own keeper. Call this first in main, before the program
/// starts a thread or opens a file. In a keeper process, returns the exit status, which main must
/// return. In all other processes, returns -1.
MOONLET_API int moonlet_keeper(int argc, char** argv);
}
