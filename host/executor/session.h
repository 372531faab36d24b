// Session is the conversation of one task, kept as one JSON file: written as a whole after each
// step, so that a kill at any moment leaves the last completed one. It holds the task's lock while
// it lives: a second process of the same id is refused. One thread.
#pragma once

#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

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
  std::string started_call;  ///< the call that changes something and has not ended
  nlohmann::json outcome;    ///< the facts of the last lines of a task that is over
};

class Session {
 public:
  /// Takes the lock of `id` in `state`, for the process that a caller knows as `owner`. kFailed
  /// with the holder's pid where it is held; a holder whose own owner was killed has some seconds
  /// to end.
  static Result<Session> open(const Dir& state, const std::string& id, const Redactor& redactor,
                              pid_t owner = ::getpid());
  /// The data of another task, as it is at the moment.
  static Result<std::optional<SessionData>> read(const Dir& state, const std::string& id);

  /// True when the task had begun before.
  bool existed() const { return existed_; }
  SessionData& data() { return data_; }
  /// Replaces the file by the data; with kYes it is on the disk on return. Secrets are taken out.
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

/// Takes secrets out of all texts in `value`, however deep.
void redact(nlohmann::json& value, const Redactor& redactor);

/// Makes the folder of the sessions, where git ignores all. kInvalid for the `root` of the
/// repository, a folder above it, and a folder that holds files of others.
Result<Dir> open_state_dir(const std::string& path, const Dir& root);

}  // namespace moonlet::executor
