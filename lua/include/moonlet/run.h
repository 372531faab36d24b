// Requests, runs and events, which a program exchanges with an Engine.
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
  /// Names a preset, the path of a Lua file, or a packet ("T-001").
  std::string target;
  /// The arguments as JSON: an object by name, or a list of texts for a script. Empty: none.
  std::string arguments;
  /// The options of `moonlet run` as a JSON object, named without dashes. A repeated option has a
  /// list: {"runner": "codex", "allow": ["needs"], "budget": "usd=2"}. Empty: none.
  std::string options;
  /// A command line without the program's name, such as {"list", "--json"}.
  /// Replaces the fields above. The output goes to EngineOptions::print.
  std::vector<std::string> words;
  /// "run", "resume", "answer" or "command". The Engine and command() set this field.
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
  int exit_code = 0;     ///< 0 ok, 1 failed, 2 usage, 3 needs-human, 4 degraded, 5 budget, …
  std::string envelope;  ///< the JSON that --json prints: ok, command, run, result, error
};

/// RunEvent is an event of a run. Its texts are valid only during the callback.
struct RunEvent {
  EventType type;
  std::string_view name;  ///< "step.finished"
  std::string_view run;   ///< "R-007"; empty until the run is recorded
  std::string_view step;  ///< the key of the step; empty if the event concerns no step
  std::uint64_t number;   ///< from 1 in each run; 0 for an event without a run
  std::int64_t wall_ms;   ///< milliseconds since 1970
  std::string_view json;  ///< the whole event as in events.jsonl
};

/// Artifact is a file that a run has written into its folder.
struct Artifact {
  std::string name;  ///< "output.md", "steps/review/output.md"
  std::uint64_t bytes = 0;
};

struct RunState;

/// Run is a handle of a run or command. Copies refer to the same run. Destroying a handle does
/// not affect the run. A handle may outlive its engine.
/// Any thread may call id(), done() and cancel(); only the engine's thread may call the rest.
class MOONLET_API Run {
 public:
  explicit Run(std::shared_ptr<RunState> state) : state_(std::move(state)) {}
  /// Returns "R-007"; empty until the run is recorded, and for a command that starts no run.
  std::string id() const;
  /// Returns true if the run has ended and result() has its outcome.
  bool done() const;
  /// Ends the run and its children, with the verdict `cancelled`. Also works before the run has
  /// begun. Safe in a signal handler.
  void cancel() const;
  /// Drives the engine with all its runs until this run has ended or a callback has closed the
  /// engine. Fails with kTimeout after `timeout_ms` (negative: no limit), and does not end the run.
  Result<void> wait(std::int64_t timeout_ms = -1) const;
  /// Returns the outcome. Fails with kInvalid before the end of the run.
  /// Fails with kLost if the engine was destroyed before the end; Engine::resume() then continues
  /// the run. Fails also if Lua could not be loaded.
  Result<Outcome> result() const;
  /// Returns the verdict of the ended run: "ok", "failed", …; empty if there is none.
  std::string verdict() const;
  /// Returns the steps of the ended run as a JSON list, as in the envelope; "[]" if there are none.
  std::string steps() const;
  /// Lists the files in the run's folder, also before the end.
  /// Fails with kInvalid until the run is recorded.
  Result<std::vector<Artifact>> artifacts() const;
  /// Opens an artifact for reading. The caller closes the descriptor.
  Result<int> open_artifact(const std::string& name) const;

 private:
  std::shared_ptr<RunState> state_;
};

}  // namespace moonlet
