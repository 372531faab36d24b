// The engine: moonlet inside a C++ program. An Engine runs presets and scripts, one at a time; a
// program may open several. It owns a keeper process a run and no process-wide state: it changes
// neither directory nor environment, becomes no subreaper, and installs no signal handler unless
// EngineOptions::interactive lets it. One engine belongs to one thread, cancel() apart. It runs
// command lines: functions of the program for scripts, typed events and handles of runs are not
// part of it yet.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <moonlet/result.h>

namespace moonlet {

struct EngineOptions {
  /// The repository (or folder) to work in; empty is the process's working directory.
  std::string directory;
  /// The environment, "NAME=value" each, that children get their part of; empty is the process's.
  std::vector<std::string> environment;
  /// The `moonlet` executable, which is also the keeper; empty looks beside this program, then in
  /// PATH.
  std::string moonlet_program;
  /// Memory that the Lua side of one run may use, in bytes.
  std::size_t lua_memory_bytes = std::size_t{256} << 20;
  /// How long Lua may run without waiting for anything, in milliseconds; 0 is without limit.
  std::int64_t lua_run_ms = 10'000;
  /// A signal that reaches Lua when its time is up. The program must have installed
  /// Engine::on_interrupt as its handler, with SA_RESTART. 0 is none: Lua then looks at the clock
  /// by itself, which makes tight loops take twice as long.
  int interrupt_signal = 0;
  /// Called once, on another thread, when Lua could not be stopped within a second after a limit:
  /// command() will not return before Lua does. Everything that matters is on disk; a program that
  /// can end itself may do so.
  std::function<void(const std::string& why)> on_stuck;
  /// Called with the output of a command: stream 1 is the result, 2 is for a person to read.
  /// Without it the output is dropped.
  std::function<void(int stream, std::string_view text)> print;
  /// Called in the process that a `--background` command left to drive its run, with the file that
  /// takes the output from then on. Without it `--background` is refused.
  std::function<void(const std::string& log)> on_detached;
  /// Lets the engine use descriptors 0 and 2 where they are a terminal: to ask a person, and to
  /// show the live view of a run, by way of `print`. While it reads a line, or shows a session, it
  /// handles SIGINT or SIGWINCH and restores the program's handler afterwards.
  bool interactive = false;
  /// The program has no other purpose than this engine: while a command waits, the engine gives
  /// unused memory of the whole process back to the system.
  bool own_process = false;
};

/// The end of a command.
struct Outcome {
  int exit_code = 0;     ///< 0 ok, 1 failed, 2 usage, 3 needs-human, 4 degraded, 5 budget, …
  std::string envelope;  ///< the JSON envelope: ok, command, run, result, error
};

class Engine {
 public:
  /// kInvalid when the directory does not exist or the moonlet program is not found.
  static Result<Engine> open(EngineOptions options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  /// Runs one command line, as `moonlet` would: {"run", "precommit-classifier"}. Returns when
  /// everything has ended. The end of a run is in the outcome; an Error means that there was no
  /// outcome at all.
  Result<Outcome> command(const std::vector<std::string>& words);

  /// run() of a preset (a name or a path of a Lua file) with its arguments: {"--need", "2"}.
  Result<Outcome> run(const std::string& preset, const std::vector<std::string>& arguments = {});

  /// Ends the running command as if the user had asked: its children are ended and it returns with
  /// the verdict `cancelled`. Safe from any thread and from a signal handler; has no effect while
  /// no command runs.
  void cancel();

  /// Reports that the process was stopped and goes on (SIGCONT): other programs have written to the
  /// terminal meanwhile, and the live view begins anew beneath. Safe from a signal handler.
  void continued();

  /// The handler of EngineOptions::interrupt_signal. It has no effect while no Lua runs on the
  /// thread.
  static void on_interrupt(int signal);

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moonlet
