// Declares the requests, runs and events that a program and an Engine exchange.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <moonlet/event_types.h>
#include <moonlet/result.h>

namespace moonlet {

/// Request is the input of Engine::start(): a preset to run, or a whole command line.
struct Request {
  /// The name of a preset, the path of a Lua file, or the id of a packet, such as "T-001".
  std::string target;
  /// The arguments as JSON: an object by name, or an array of strings for a script. Empty: none.
  std::string arguments;
  /// A JSON object with the options of `moonlet run`, named without dashes. A repeated option has
  /// an array: {"runner": "codex", "allow": ["needs"], "budget": "usd=2"}. Empty: none.
  std::string options;
  /// A command line without the program's name, such as {"list", "--json"}.
  /// If set, the engine ignores the fields above. The output goes to EngineOptions::print.
  std::vector<std::string> words;
  /// The kind of request: "run", "resume", "answer" or "command". Engine's methods and command()
  /// set it.
  std::string verb = "run";

  static Request command(std::vector<std::string> words) {
    Request request;
    request.words = std::move(words);
    request.verb = "command";
    return request;
  }
};

/// Outcome is the result of an ended run or command.
struct Outcome {
  int exit_code = 0;     ///< such as 0 ok, 1 failed, 2 usage, 3 needs-human, 4 degraded, 5 budget
  std::string envelope;  ///< the JSON object of --json: ok, command, run, result, error
};

/// RunEvent is an event of a run. Its strings are valid only during the callback.
struct RunEvent {
  EventType type;
  std::string_view name;  ///< "step.finished"
  std::string_view run;   ///< such as "R-007"; empty until the run is recorded
  std::string_view step;  ///< the key of the step; empty if the event concerns no step
  std::uint64_t number;   ///< counts from 1 in each run; 0 for an event without a run
  std::int64_t wall_ms;   ///< milliseconds since 1970
  std::string_view json;  ///< the whole event as in events.jsonl
};

/// Artifact is a file that a run has written into its folder.
struct Artifact {
  std::string name;  ///< such as "output.md" or "steps/review/output.md"
  std::uint64_t bytes = 0;
};

struct RunState;

/// Run is a handle of a run or command. Copies refer to the same run. Destroying a handle does not
/// affect the run. A handle may outlive its engine.
/// Any thread may call id(), done() and cancel(). Only the engine's thread may call the other
/// methods.
class MOONLET_API Run {
 public:
  explicit Run(std::shared_ptr<RunState> state) : state_(std::move(state)) {}
  /// Returns the id, such as "R-007". It is empty until the run is recorded, and for a command that
  /// starts no run.
  std::string id() const;
  /// Returns true if the run has ended, so that result() returns its outcome.
  bool done() const;
  /// Cancels the run, which ends its children and gives it the verdict `cancelled`. Also works
  /// before the run has begun. Safe in a signal handler.
  void cancel() const;
  /// Drives the engine with all its runs until this run has ended or a callback has destroyed the
  /// engine. Fails with kTimeout after `timeout_ms` (negative: no limit); the run then continues in
  /// later turns.
  Result<void> wait(std::int64_t timeout_ms = -1) const;
  /// Returns the outcome. Fails with kInvalid before the end of the run.
  /// Fails with kLost if the engine was destroyed before the end; Engine::resume() then continues
  /// the run. Also fails if the engine could not load its Lua code.
  Result<Outcome> result() const;
  /// Returns the verdict of the ended run: "ok", "failed", …; empty if there is none.
  std::string verdict() const;
  /// Returns the steps of the ended run as a JSON array, as in the envelope; "[]" if there are
  /// none.
  std::string steps() const;
  /// Lists the files in the run's folder, even while the run is active.
  /// Fails with kInvalid until the run is recorded.
  Result<std::vector<Artifact>> artifacts() const;
  /// Opens an artifact for reading. The caller closes the descriptor.
  Result<int> open_artifact(const std::string& name) const;

 private:
  std::shared_ptr<RunState> state_;
};

}  // namespace moonlet
