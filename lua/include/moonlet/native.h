// A native function is a C++ function that presets call as ctx.host.NAME{…}.
// Arguments and results are JSON text. The run's journal records each result, so a resumed run does
// not repeat a call that has a recorded result.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <moonlet/result.h>

namespace moonlet {

struct CallState;

/// Call is a call of a native function. Copies refer to the same call. Usable on any thread.
class MOONLET_API Call {
 public:
  explicit Call(std::shared_ptr<CallState> state) : state_(std::move(state)) {}
  /// Returns a JSON object that matches the function's schema. The string lives as long as the
  /// Call.
  const std::string& arguments() const;
  const std::string& function() const;
  const std::string& run() const;   ///< "R-007"
  const std::string& step() const;  ///< the step's key, unique in the run
  /// Returns true if no answer is needed any more, because the run was cancelled or the call timed
  /// out.
  bool cancelled() const;

 private:
  std::shared_ptr<CallState> state_;
};

/// Reply answers a call, on any thread, now or later. Only the first answer counts.
/// If all copies of a Reply are destroyed without an answer, the call fails.
class MOONLET_API Reply {
 public:
  explicit Reply(std::shared_ptr<void> last, std::shared_ptr<CallState> state)
      : last_(std::move(last)), state_(std::move(state)) {}
  /// Answers with a JSON value. If `json` is not JSON or does not match the result schema, the call
  /// fails. If the call has already ended, ignores the answer and returns false.
  bool result(std::string json) const;
  /// Answers with an error, which the preset may catch with pcall.
  /// The kinds kCancelled, kParked, kBudget and kLimit become kFailed, because they control the
  /// engine.
  bool error(Error error) const;

 private:
  std::shared_ptr<void> last_;  // if the last copy is destroyed without an answer, the call fails
  std::shared_ptr<CallState> state_;
};

struct NativeFunction {
  enum class Effect {
    kObserve,  ///< only reads; a resumed run repeats a call that has no recorded result
    kAct,      ///< has side effects; if the host dies during a call, a resumed run asks a person
  };

  std::string name;           ///< matches ^[a-z][a-z0-9_]{0,39}$
  std::string summary;        ///< a one-sentence description for users
  std::string schema;         ///< JSON Schema (draft-07) of the arguments; empty: any object
  std::string result_schema;  ///< JSON Schema of the result; empty: any value
  Effect effect = Effect::kAct;
  std::int64_t timeout_ms = 0;  ///< time until the call fails with kTimeout; 0: no limit
  /// If true, a thread pool calls the function, so the function may block.
  /// If false, turn() or wait() calls it on the engine's thread, and all runs wait until it
  /// returns.
  bool blocking = false;
  /// Must answer `reply`, now or later. If it throws an exception, the call fails.
  /// turn() and wait() fail inside this function.
  std::function<void(const Call& call, const Reply& reply)> call;
};

}  // namespace moonlet
