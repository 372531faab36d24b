// Session stores a task's conversation in a JSON file, which it replaces after each step. If the
// process is killed at any moment, the file has the last complete step. Session holds the task's
// lock, so that a second process is refused. Single-threaded.
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
/// Returns the token counts as a session file and the events name them.
nlohmann::json to_json(const Usage& usage);

struct SessionData {
  std::string task_id;
  std::string root;
  std::string model;
  std::string api;          ///< "chat" or "responses"; empty until the server has answered
  std::string description;  ///< the description that the task began with
  std::string plan_sha256;
  std::string forked_from;
  Status status = Status::kRunning;
  int iterations = 0;  ///< number of answers of the model
  Usage usage;
  nlohmann::json items = nlohmann::json::array();  ///< the conversation
  std::string started_call;  ///< id of a begun tool call that has side effects and no output yet
  nlohmann::json outcome;    ///< the result that repeat() prints for an ended task
};

class Session {
 public:
  /// Locks the task `id` in the folder `state` and reads its session.
  /// Writes the pid `owner`, by which the caller identifies this executor, into the lock file.
  /// If another process holds the lock, fails with kFailed and names that owner's pid. If that
  /// owner has ended, first waits up to ten seconds until its worker has ended.
  static Result<Session> open(const Dir& state, const std::string& id, const Redactor& redactor,
                              pid_t owner = ::getpid());
  /// Returns the stored data of a task without locking it, or no value if there is none.
  static Result<std::optional<SessionData>> read(const Dir& state, const std::string& id);

  /// Returns true if the task already had a session when it was opened.
  bool existed() const { return existed_; }
  SessionData& data() { return data_; }
  /// Replaces the session file and redacts secrets in it. With Durable::kYes, waits for the disk.
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

/// Opens the folder for sessions. Creates it with a .gitignore if it does not exist.
/// Fails with kInvalid if the folder is `root`, contains `root`, or has files of other programs.
Result<Dir> open_state_dir(const std::string& path, const Dir& root);

}  // namespace moonlet::executor
