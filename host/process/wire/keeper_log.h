// keeper.log records a keeper's actions as JSON lines. A line is written before its action is done
// or reported. The worker may be killed at any time, so readers accept incomplete lines. They also
// accept invalid bytes and records of other versions. keeper.log never contains an environment.
// Unlike the journal, keeper.log also records the starts and ends of children while no host runs.
// Without these records, a resumed run would pay for an attempt twice. A child adds its own pid to
// keeper.log before its exec, which the journal does not allow. If the disk is full, lines for
// keeper.log wait in memory, whereas a failed write to the journal would fail the step.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/reserve.h"
#include "host/base/result.h"
#include "host/process/child/child.h"

namespace moonlet {

inline constexpr const char* kKeeperLogName = "keeper.log";

struct KeeperRecord {
  std::string version, run_id, token, boot_id, cgroup;
  std::string log_file;  ///< identifies the log, see identify_file()
  pid_t guard_pid = 0, worker_pid = 0;
  std::int64_t guard_born_ms = 0, worker_born_ms = 0;  ///< since the boot
  std::uint64_t generation = 0;                        ///< number of the newest host, see kAdopt
  /// These are only set in the index of live keepers. `run_dir` is an id from identify_file().
  std::string run_dir, label, machine;
};

std::string keeper_line(const KeeperRecord& record);
/// Records that a new host has taken over the keeper.
std::string host_line(std::uint64_t generation, std::int64_t now_ms);
/// Records that a program will be started. Masks likely credentials in `argv` (NUL-terminated
/// strings), truncates it, and makes it valid UTF-8.
std::string intent_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                        std::string_view argv);
/// StartLine has the text of a start record before the pid and after it, see StartRecord.
/// `born_ms` counts from boot, the other times from 1970. A deadline of 0 means none.
struct StartLine {
  std::string prefix, suffix;
};
StartLine start_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                     std::int64_t born_ms, std::int64_t started_ms, std::int64_t deadline_ms);
/// Records that the main process has ended, but its streams are open or its descendants still run.
std::string reaped_line(std::uint32_t number, int code, int signal);
/// Records an exit without the captured text.
std::string exit_line(std::uint32_t number, const ChildExit& exit, std::int64_t now_ms);
std::string lost_line(std::uint32_t number, std::string_view why, std::int64_t now_ms);
std::string swept_line(pid_t pid, std::uint32_t number, std::int64_t now_ms);
std::string end_line(std::string_view why, std::int64_t now_ms);
/// Returns a name as the log stores it: truncated, and in valid UTF-8.
std::string logged_name(std::string_view name);

/// Opens keeper.log for appending, and makes it if it is missing. With `lock`, also locks it, as a
/// keeper does while it runs. Fails with kDenied if another process holds the lock.
Result<int> open_keeper_log(int run_dir_fd, bool lock);

/// Collects lines and appends them together. flush() retries lines that a full disk refused.
class KeeperLogWriter {
 public:
  /// Borrows `fd`, which open_keeper_log() has returned, and `reserve`, whose disk space is used
  /// for durable records when the disk is full. If a killed process has left a partial last line,
  /// the next record begins on a new line.
  explicit KeeperLogWriter(int fd, Reserve* reserve = nullptr) : fd_(fd), reserve_(reserve) {}

  void add(std::string_view line) { waiting_ += line; }
  bool waiting() const { return !waiting_.empty(); }
  /// Writes the pending lines and syncs them if `durable`.
  /// After an error, keeps the last megabyte of unwritten lines.
  Result<void> flush(bool durable);
  /// Writes the pending lines and then `lines`. If that fails, does not write `lines` later.
  Result<void> append(std::string_view lines, bool durable);
  int fd() const { return fd_; }

 private:
  int fd_;
  Reserve* reserve_;
  std::string waiting_;
};

/// The names of a LoggedChild's step and attempt are as the log stores them, see logged_name().
struct LoggedChild : ChildRecord {
  enum class State { kIntent, kStarted, kReaped, kExited, kLost };

  State state = State::kIntent;
  std::vector<std::string> argv;
  std::int64_t born_ms = 0;  ///< since the boot
  /// `exit` has only code and signal for kReaped, and only an error for kLost. For kExited, it has
  /// everything but the captured text.
  ChildExit exit;
};

struct LoggedKeeper {
  KeeperRecord record;
  bool copied = false;  ///< this log is a copy of the keeper's log; ignore it
  std::map<std::uint32_t, LoggedChild> children;
  /// The log records the keeper's end. If false, the keeper was killed or is still running.
  bool ended = false;

  /// Returns true if the child's program may have run. `boot_id` is the id of the current boot. A
  /// start is recorded before the program runs, but only the intent is synced to disk. So after a
  /// reboot, the program may have run even if the log has only the intent.
  bool may_have_started(const LoggedChild& child, std::string_view boot_id) const;
};

/// Returns an id of a file or folder; "" if fstat() fails. A copy has another id.
std::string identify_file(int fd);

/// A keeper's entry in the index of live keepers is a folder, named by the keeper's token.
/// The entry has a keeper.log, a keeper.sock, and a link to the run's folder.
/// A leading dot hides an incomplete entry.
inline constexpr const char* kPlaceName = "place";
/// Returns the name of this machine.
std::string machine_name();

/// Returns all keepers that wrote this log, oldest first. Skips unreadable records.
/// `live_only` omits exited children, because a log may be long.
Result<std::vector<LoggedKeeper>> read_keeper_log(int run_dir_fd, bool live_only = false);

/// KeeperGlance is what glance_at_keeper_log() returns about the newest keeper in a log.
struct KeeperGlance {
  std::string token;  ///< empty if the log has no keeper
  std::uint64_t generation = 0;
  bool ended = false;
};
/// Returns true if the log is a copy, as in a copied repository.
bool keeper_log_is_copy(int run_dir_fd);

/// Reads a few facts about the newest keeper, fast even from a long log. They are empty if the log
/// cannot be read.
KeeperGlance glance_at_keeper_log(int run_dir_fd);

}  // namespace moonlet
