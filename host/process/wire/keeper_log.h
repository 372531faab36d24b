// keeper.log: the acts of a keeper, one JSON record a line, appended before the act or its report.
// The writer belongs to the keeper's worker. A reader comes after a kill -9, so it
// takes torn lines, strange bytes and records of another version. No environment is ever written.
// It is a log beside the journal because the keeper records starts and ends while no host lives: so
// no attempt is paid twice. Its writer is not the journal's: the worker has one thread, a child
// writes its own pid into a line before its exec, and lines that a full disk refused are tried
// again, where the journal fails the step.
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
  /// Only in the keeper's entry in the index of live keepers: the folder of its run by
  /// identify_file(), what runs there, and the name of the machine.
  std::string run_dir, label, machine;
};

// --- records, each a line with its newline

std::string keeper_line(const KeeperRecord& record);
/// Another host drives the keeper from now on.
std::string host_line(std::uint64_t generation, std::int64_t now_ms);
/// Before the exec. `argv` is NUL-ended strings; it is capped and made valid UTF-8.
std::string intent_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                        std::string_view argv);
/// The start record in two parts, between which the pid belongs; see StartRecord in spawn.h.
/// `born_ms` is after boot, the others since 1970; a deadline of 0 is none.
struct StartLine {
  std::string prefix, suffix;
};
StartLine start_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                     std::int64_t born_ms, std::int64_t started_ms, std::int64_t deadline_ms);
/// The main process has ended, its streams or its tree have not.
std::string reaped_line(std::uint32_t number, int code, int signal);
/// All of `exit` but the captured text.
std::string exit_line(std::uint32_t number, const ChildExit& exit, std::int64_t now_ms);
std::string lost_line(std::uint32_t number, std::string_view why, std::int64_t now_ms);
std::string swept_line(pid_t pid, std::uint32_t number, std::int64_t now_ms);
std::string end_line(std::string_view why, std::int64_t now_ms);
/// A name as the log has it: valid UTF-8 and no longer than a record may carry.
std::string logged_name(std::string_view name);

// --- writing

/// Opens or makes keeper.log for appending. The lock says that a keeper or a sweep is at work here:
/// kDenied when another holds it.
Result<int> open_keeper_log(int run_dir_fd, bool lock);

/// Collects lines and appends them together. A full disk loses no line that can still be written
/// later: unwritten lines are tried again with the next flush().
class KeeperLogWriter {
 public:
  /// `fd` is borrowed: of open_keeper_log(). So is `reserve`, for what is to be durable. A part of
  /// a line at the end of the log, of a keeper that was killed, stays on a line of its own.
  explicit KeeperLogWriter(int fd, Reserve* reserve = nullptr);

  void add(std::string_view line) { waiting_ += line; }
  bool waiting() const { return !waiting_.empty(); }
  /// Writes the waiting lines, and with `durable` brings them to the disk. On an error the lines
  /// that were not written stay (those of the last megabyte).
  Result<void> flush(bool durable);
  /// Writes the waiting lines and then `lines`, which are forgotten when they cannot be written.
  Result<void> append(std::string_view lines, bool durable);
  /// Another writer left a part of a line: the next one begins on a line of its own.
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

/// Its names are as logged_name() gives them.
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
  bool ended = false;  ///< it said so itself; else it was killed or still runs

  /// True when the program may have run, as seen from the boot `boot_id`. A start is on record
  /// before its program runs, but only the intent is on the disk for certain: after a crash of the
  /// machine an intent without a start no longer means "not started".
  bool may_have_started(const LoggedChild& child, std::string_view boot_id) const;
};

/// Identifies a file or folder, so that a copy of it differs; empty where it cannot be looked at.
std::string identify_file(int fd);

/// The entry of a keeper in the index of live keepers is a folder, named by the keeper's token. It
/// has a keeper.log and a keeper.sock, as the folder of the run has, and a link to that folder. It
/// is hidden by a dot before its name until it is complete.
inline constexpr const char* kPlaceName = "place";
/// The name of this machine.
std::string machine_name();

/// All keepers that wrote this log, oldest first; empty when there is no log. Records that cannot
/// be read are skipped. With `live_only` children that exited are left out, for long logs.
Result<std::vector<LoggedKeeper>> read_keeper_log(int run_dir_fd, bool live_only = false);

/// A quick look at the newest keeper on record: the host that drives it, and whether it ended in
/// order.
struct KeeperGlance {
  std::string token;  ///< empty: there is no record of a keeper
  std::uint64_t generation = 0;
  bool ended = false;
};
/// True when the log is a copy of the one that its newest keeper wrote, as in a copied repository.
bool keeper_log_is_copy(int run_dir_fd);

/// An unreadable log counts as none.
KeeperGlance glance_at_keeper_log(int run_dir_fd);

}  // namespace moonlet
