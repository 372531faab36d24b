// keeper.log records the actions of a keeper, one JSON record per line, written before the action
// or its report. The keeper's worker writes it. Readers must accept torn lines, invalid bytes and
// records of other versions, because the writer may have been killed. It never contains an
// environment. It is separate from the journal because the keeper must record starts and ends also
// while no host lives, so that no attempt is paid twice. It does not use the journal's writer: the
// worker has one thread, a child writes its own pid into a line before its exec, and lines are
// retried on a full disk, where the journal would fail the step.
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
  std::string log_file;  ///< identify_file() of the log that it was written into
  pid_t guard_pid = 0, worker_pid = 0;
  std::int64_t guard_born_ms = 0, worker_born_ms = 0;  ///< after boot
  std::uint64_t generation = 0;                        ///< the host that drives, or drove last
  /// Set only in the index of live keepers: the run's folder as identify_file() names it, what runs
  /// there, and the name of the machine.
  std::string run_dir, label, machine;
};

// --- records, each a line with its newline

std::string keeper_line(const KeeperRecord& record);
/// Another host drives the keeper from now on.
std::string host_line(std::uint64_t generation, std::int64_t now_ms);
/// Announces a start, before the exec. `argv` consists of NUL-terminated strings; it is truncated
/// and made valid UTF-8.
std::string intent_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                        std::string_view argv);
/// The start record in two parts; the pid goes between them, see StartRecord in spawn.h. `born_ms`
/// counts from boot, the other times from 1970. A deadline of 0 means none.
struct StartLine {
  std::string prefix, suffix;
};
StartLine start_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                     std::int64_t born_ms, std::int64_t started_ms, std::int64_t deadline_ms);
/// The main process has ended, but its streams are open or its tree still runs.
std::string reaped_line(std::uint32_t number, int code, int signal);
/// The record of an exit: all of `exit` except the captured text.
std::string exit_line(std::uint32_t number, const ChildExit& exit, std::int64_t now_ms);
std::string lost_line(std::uint32_t number, std::string_view why, std::int64_t now_ms);
std::string swept_line(pid_t pid, std::uint32_t number, std::int64_t now_ms);
std::string end_line(std::string_view why, std::int64_t now_ms);
/// A name as the log stores it: valid UTF-8, truncated to what a record may hold.
std::string logged_name(std::string_view name);

// --- writing

/// Opens or makes keeper.log for appending. The lock says that a keeper or a sweep is at work here:
/// kDenied when another holds it.
Result<int> open_keeper_log(int run_dir_fd, bool lock);

/// Collects lines and appends them together. On a full disk, unwritten lines are kept and retried
/// by the next flush().
class KeeperLogWriter {
 public:
  /// `fd`, from open_keeper_log(), is borrowed. So is `reserve`, disk space for durable records. If
  /// a killed keeper left a partial line, the next record begins on a new line.
  explicit KeeperLogWriter(int fd, Reserve* reserve = nullptr);

  void add(std::string_view line) { waiting_ += line; }
  bool waiting() const { return !waiting_.empty(); }
  /// Writes the waiting lines, and syncs them if `durable`. After an error it keeps the last
  /// megabyte of unwritten lines.
  Result<void> flush(bool durable);
  /// Writes the waiting lines and then `lines`, which are forgotten when they cannot be written.
  Result<void> append(std::string_view lines, bool durable);
  /// Another writer left a partial line: begin the next record on a new line.
  void mark_torn() { torn_ = true; }
  int fd() const { return fd_; }

 private:
  int write_lines(std::string_view lines, std::size_t& written);

  int fd_;
  Reserve* reserve_;
  std::string waiting_;
  bool torn_;
};

// --- reading

/// Its names are the results of logged_name().
struct LoggedChild : ChildRecord {
  enum class State { kIntent, kStarted, kReaped, kExited, kLost };

  State state = State::kIntent;
  std::vector<std::string> argv;
  std::int64_t born_ms = 0;  ///< after boot
  /// kExited: all but the captured text; kReaped: code and signal; kLost: the known parts.
  ChildExit exit;
};

struct LoggedKeeper {
  KeeperRecord record;
  bool copied = false;  ///< this log is a copy of the file the keeper wrote; ignore it
  std::map<std::uint32_t, LoggedChild> children;
  bool ended = false;  ///< it recorded its end; else it was killed or still runs

  /// True when the program may have run, as seen from the boot `boot_id`. A start is recorded
  /// before its program runs, but only the intent is synced. So after a crash of the machine, an
  /// intent without a start does not mean "not started".
  bool may_have_started(const LoggedChild& child, std::string_view boot_id) const;
};

/// Identifies a file or folder; a copy gets another id. Empty if it cannot be accessed.
std::string identify_file(int fd);

/// The entry of a keeper in the index of live keepers is a folder, named by the keeper's token. It
/// has a keeper.log and a keeper.sock, as the folder of the run has, and a link to that folder. It
/// is hidden by a dot before its name until it is complete.
inline constexpr const char* kPlaceName = "place";
/// The name of this machine.
std::string machine_name();

/// All keepers that wrote this log, oldest first; empty when there is no log. Records that cannot
/// be read are skipped. `live_only` omits children that exited, which helps with long logs.
Result<std::vector<LoggedKeeper>> read_keeper_log(int run_dir_fd, bool live_only = false);

/// Quickly reads the newest keeper in the log: which host drives it, and whether it exited
/// normally.
struct KeeperGlance {
  std::string token;  ///< empty: there is no record of a keeper
  std::uint64_t generation = 0;
  bool ended = false;
};
/// True when the log is a copy of the one that its newest keeper wrote, as in a copied repository.
bool keeper_log_is_copy(int run_dir_fd);

/// False if the log cannot be read.
KeeperGlance glance_at_keeper_log(int run_dir_fd);

}  // namespace moonlet
