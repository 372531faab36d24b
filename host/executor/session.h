// Session is the conversation of a task in a JSON file, rewritten after each step.
// A kill at any moment leaves the last complete step.
// Session holds the task's lock, so a second process is refused. Single-threaded.
#pragma once

#include <unistd.h>

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "host/artifact/file/dir.h"
#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/executor/http/turn.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet::executor {

enum class Status { kRunning, kQuestion, kBlocked, kComplete };
const char* to_string(Status status);

struct SessionData {
  std::string task_id;
  std::string root;
  std::string model;
  std::string api;          ///< "chat" or "responses", once the server has answered
  std::string description;  ///< the text that the task began with
  std::string plan_sha256;
  std::string forked_from;
  Status status = Status::kRunning;
  int iterations = 0;  ///< answers of the model
  Usage usage;
  nlohmann::json items = nlohmann::json::array();  ///< the conversation
  std::string started_call;  ///< the id of a call with side effects that has started and not ended
  nlohmann::json outcome;    ///< the final result of a finished task
};

class Session {
 public:
  /// Takes the lock of the task `id` in `state`. A caller knows this process as `owner`.
  /// Fails with kFailed and the holder's pid if the lock is taken.
  /// If the holder's owner was killed, waits some seconds for the holder's end.
  static Result<Session> open(const Dir& state, const std::string& id, const Redactor& redactor,
                              pid_t owner = ::getpid());
  /// Returns the current data of another task.
  static Result<std::optional<SessionData>> read(const Dir& state, const std::string& id);

  /// Returns true if the task had begun before.
  bool existed() const { return existed_; }
  SessionData& data() { return data_; }
  /// Replaces the file. Redacts secrets. Durable::kYes waits for the disk.
  Result<void> save(Durable durable = Durable::kYes);

 private:
  Session(Dir state, Fd lock, const Redactor& redactor)
      : state_(std::move(state)), lock_(std::move(lock)), redactor_(&redactor) {}

  Dir state_;
  Fd lock_;
  const Redactor* redactor_;
  bool existed_ = false;
  SessionData data_;
};

/// Redacts all texts in `value`, at any depth.
void redact(nlohmann::json& value, const Redactor& redactor);

/// Makes the folder of the sessions with a .gitignore.
/// Fails with kInvalid for the `root`, a folder above, or a folder with foreign files.
Result<Dir> open_state_dir(const std::string& path, const Dir& root);

}  // namespace moonlet::executor
