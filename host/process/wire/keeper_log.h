// keeper.log records a keeper's actions as JSON lines, before each action is done or reported.
// The worker may be killed, so readers accept torn lines, invalid bytes and other versions.
// keeper.log never contains an environment.
// Unlike the journal, keeper.log records starts and ends while no host lives.
// Without these records, a resumed run would pay for an attempt twice.
// A child writes its pid into a line before its exec; the journal's writer cannot do so.
// On a full disk, lines are written later, while the journal would fail the step.
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
  std::string log_file;  ///< identify_file() of the log
  pid_t guard_pid = 0, worker_pid = 0;
  std::int64_t guard_born_ms = 0, worker_born_ms = 0;  ///< since the boot
  std::uint64_t generation = 0;                        ///< of the present or last host
  /// Only the index of live keepers sets the run's folder, its label, and the machine.
  std::string run_dir, label, machine;
};

std::string keeper_line(const KeeperRecord& record);
/// Records that another host drives the keeper.
std::string host_line(std::uint64_t generation, std::int64_t now_ms);
/// Announces a start before the exec. Truncates `argv` (NUL-terminated strings) to valid UTF-8.
std::string intent_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                        std::string_view argv);
/// StartLine has the two parts of a start record around the pid, see StartRecord in spawn.h.
/// `born_ms` counts from boot, the other times from 1970. A deadline of 0 means none.
struct StartLine {
  std::string prefix, suffix;
};
StartLine start_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                     std::int64_t born_ms, std::int64_t started_ms, std::int64_t deadline_ms);
/// Records that the main process has ended while its streams or its tree continue.
std::string reaped_line(std::uint32_t number, int code, int signal);
/// Records an exit without the captured text.
std::string exit_line(std::uint32_t number, const ChildExit& exit, std::int64_t now_ms);
std::string lost_line(std::uint32_t number, std::string_view why, std::int64_t now_ms);
std::string swept_line(pid_t pid, std::uint32_t number, std::int64_t now_ms);
std::string end_line(std::string_view why, std::int64_t now_ms);
/// Returns a name as the log stores it: truncated, and in valid UTF-8.
std::string logged_name(std::string_view name);

/// Opens or makes keeper.log for appending. With `lock`, takes its lock for a keeper or a sweep.
/// Fails with kDenied if another process holds the lock.
Result<int> open_keeper_log(int run_dir_fd, bool lock);

/// Collects lines and appends them together. flush() retries lines that a full disk refused.
class KeeperLogWriter {
 public:
  /// Borrows `fd`, from open_keeper_log(), and `reserve`, disk space for durable records.
  /// After a killed keeper's partial line, the next record begins on a new line.
  explicit KeeperLogWriter(int fd, Reserve* reserve = nullptr);

  void add(std::string_view line) { waiting_ += line; }
  bool waiting() const { return !waiting_.empty(); }
  /// Writes the pending lines and syncs them if `durable`.
  /// After an error, keeps the last megabyte of unwritten lines.
  Result<void> flush(bool durable);
  /// Writes the pending lines and then `lines`, which are dropped after a failure.
  Result<void> append(std::string_view lines, bool durable);
  /// Begins the next record on a new line, because another writer left a partial line.
  void mark_torn() { torn_ = true; }
  int fd() const { return fd_; }

 private:
  int write_lines(std::string_view lines, std::size_t& written);

  int fd_;
  Reserve* reserve_;
  std::string waiting_;
  bool torn_;
};

/// The step and the attempt of a LoggedChild have the form that logged_name() returns.
struct LoggedChild : ChildRecord {
  enum class State { kIntent, kStarted, kReaped, kExited, kLost };

  State state = State::kIntent;
  std::vector<std::string> argv;
  std::int64_t born_ms = 0;  ///< since the boot
  /// With kExited, everything but the captured text; with kReaped, code and signal; with kLost, the
  /// known parts.
  ChildExit exit;
};

struct LoggedKeeper {
  KeeperRecord record;
  bool copied = false;  ///< this log is a copy of the keeper's log; ignore it
  std::map<std::uint32_t, LoggedChild> children;
  bool ended = false;  ///< the keeper recorded its end; else killed or running

  /// Returns true if the program may have run, seen from the boot `boot_id`.
  /// A start is recorded before its program runs, but only the intent is synced.
  /// After a machine crash, an intent without a start therefore proves nothing.
  bool may_have_started(const LoggedChild& child, std::string_view boot_id) const;
};

/// Identifies a file or folder. A copy gets another id. Returns "" without access.
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

/// KeeperGlance has a few facts about the newest keeper in a log.
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
