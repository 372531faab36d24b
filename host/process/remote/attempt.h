// RemoteAttempt is the folder of an attempt on a machine without a host: DIR/attempts/NONCE.
// The nonce identifies the attempt. Only the process that creates the file `claim` may start the
// attempt, so it starts at most once.
// Owns the folder's descriptor. Blocking, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/child/child.h"

namespace moonlet {

/// This file in an attempt's folder names the submission to which the attempt belongs.
inline constexpr const char* kMapFileName = "map";

class RemoteAttempt {
 public:
  enum class State {
    kNone,     ///< no process has claimed the attempt, or its folder is missing
    kClaimed,  ///< the attempt may be starting
    kRunning,  ///< the attempt's keeper is alive
    kEnded,    ///< exit.json exists
    kGone,     ///< claimed, but without a keeper and without a recorded end
  };

  /// `root` is DIR, an absolute path. A nonce has 8 to 64 lower-case letters and digits.
  static Result<RemoteAttempt> make(const std::string& root, const std::string& nonce);
  static Result<RemoteAttempt> open(const std::string& root, const std::string& nonce);

  int fd() const { return dir_.get(); }
  const std::string& nonce() const { return nonce_; }
  /// Returns the absolute path of the folder.
  const std::string& path() const { return path_; }

  /// Claims the attempt. Returns true only for the first claim by any process.
  Result<bool> claim();
  bool is_claimed() const;
  /// Returns true if the attempt was prepared for a scheduler's job.
  bool has_job() const;
  /// Returns the state. Set `here` if the keeper can only run on this machine: state() then ends a
  /// dead keeper's processes, and publishes the end in exit.json.
  State state(bool here);
  /// Returns up to `most` bytes of a regular file from the offset `from`; empty if it is missing.
  std::string read(const char* name, std::uint64_t from, std::uint64_t most) const;
  /// Returns the content of exit.json; empty if it does not exist.
  std::string exit_text() const;
  /// Publishes in exit.json that the attempt was never started.
  Result<void> publish_not_started(Error why);
  /// Prevents the start, or ends the process tree of a running attempt. Blocks up to ten seconds.
  Result<void> end();
  /// Prevents the start of an unclaimed attempt, and publishes in exit.json that it never started.
  /// Does nothing to a claimed attempt.
  Result<void> fence();
  /// Like end(), for an attempt in a scheduler's job, which may run on another machine.
  /// The job reads the request and ends the attempt soon. Returns true if the attempt was never
  /// started and never will be.
  Result<bool> revoke();
  bool is_revoked() const;
  /// Writes a heartbeat of the attempt's job for hosts on other machines; see last_beat().
  void beat();
  /// Returns a number that changes with each heartbeat, or 0 without one. Clocks may differ, so
  /// compare it only with an earlier value.
  std::int64_t last_beat() const;
  /// Returns the ms from the submission to a scheduler until the claim; nullopt for other attempts.
  std::optional<std::int64_t> queued_ms() const;
  /// Writes a small file with mode 0600. `name` is a path relative to the folder.
  Result<void> write(const std::string& name, std::string_view text);
  Result<void> make_folders(const std::string& name);

 private:
  RemoteAttempt(Fd dir, std::string nonce, std::string path)
      : dir_(std::move(dir)), nonce_(std::move(nonce)), path_(std::move(path)) {}

  Fd dir_;
  std::string nonce_, path_;
};

/// Returns the state's name: "none", "claimed", "running", "ended" or "gone".
std::string_view to_string(RemoteAttempt::State state);

}  // namespace moonlet
