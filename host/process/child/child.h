// ChildSpec describes a child to start, and ChildExit describes how it ended.
// Host and keeper exchange these plain values, which own no process or descriptor. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.h"
#include "host/process/child/confine.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet {

/// OutputSpec says where an output stream of a child goes.
/// Every stream is read to its end, so that a child with much output never blocks.
struct OutputSpec {
  enum class Target {
    kInline,  ///< returned in ChildExit
    kFile,    ///< a file below the output directory; an existing file is emptied
  };
  static constexpr std::uint64_t kDefaultInlineCap = 1 << 20;
  static constexpr std::uint64_t kDefaultFileCap = 64 << 20;

  Target target = Target::kInline;
  std::string path;  ///< only kFile: relative to the output directory; its folder must exist
  /// The number of bytes to keep, head and tail together. 0 means kDefaultInlineCap for kInline,
  /// and kDefaultFileCap for kFile.
  std::uint64_t cap = 0;

  static OutputSpec to_inline(std::uint64_t cap = 0) { return {Target::kInline, {}, cap}; }
  static OutputSpec to_file(std::string path, std::uint64_t cap = 0) {
    return {Target::kFile, std::move(path), cap};
  }
};

/// ChildRecord identifies a child for the keeper, its log and every host.
struct ChildRecord {
  std::uint32_t number = 0;  ///< the child's number in keeper.log; 0: unknown
  std::int32_t pid = 0;      ///< pid of the main process; 0 if it never ran or the pid is unknown
  std::string step, attempt;
  std::int64_t started_ms = 0;   ///< milliseconds since 1970; 0: not running, or unknown
  std::int64_t deadline_ms = 0;  ///< milliseconds since 1970; 0: none
};

struct ChildSpec {
  static constexpr std::size_t kAttemptLimit = 512;

  std::string step;               ///< the step's key, for keeper.log and `moonlet ps`
  std::string attempt;            ///< the caller's name for this attempt of the step
  std::vector<std::string> argv;  ///< argv[0] without a '/' is searched in the PATH of `env`
  /// redacted_argv is for logs. It is empty if argv and `cwd` contain no secret.
  std::vector<std::string> redacted_argv;
  std::vector<std::string> env;  ///< the whole environment; the keeper adds MOONLET_STEP
  std::string cwd;               ///< absolute; empty: the host's working directory at spawn()
  int stdin_fd = -1;             ///< borrowed until spawn() returns; -1 is /dev/null
  /// Sets the size of the child's terminal. A size of 0 means that the child has no terminal.
  /// A terminal's log and last screen go to the keeper's output directory.
  /// With a terminal, `out.cap` limits the log and `err` is unused.
  /// With a terminal, `stdin_fd` is not read. It stays open while the child lives, to keep a lock.
  std::uint16_t terminal_rows = 0, terminal_cols = 0;
  OutputSpec out, err;

  std::int64_t wall_ms = 0;      ///< longest run time of the child; 0: no limit
  std::int64_t idle_ms = 0;      ///< longest time without a byte on stdout or stderr; 0: no limit
  std::int64_t grace_ms = 3000;  ///< time from SIGTERM to SIGKILL after a limit or a cancel
  /// Processes may keep the streams open for this long after the exit, and are then ended.
  std::int64_t drain_ms = 2000;

  /// If true, keeper.log is synced before the exec, and before the host is notified of the exit.
  /// If the log cannot be written, the child is not started (kNotStarted).
  /// The child's output files are not synced: readers must do that.
  bool durable = false;
  /// If true and the host dies, this child continues under the keeper until its end or a limit.
  /// Keeper::adopt() can take it over. Other children end with their host.
  /// A normal exit of the host ends every child.
  bool outlives_host = false;
  /// Gives the child its own cgroup if possible, so that a kill also ends processes that fork fast.
  /// This costs up to 10 ms per start. If false, the child runs in the run's cgroup.
  bool own_cgroup = false;
  /// Restricts the child's access to files and networks. If the kernel cannot enforce this, the
  /// child is not started (kNotStarted). If empty, the child may access all that the user may.
  std::optional<Confinement> confinement;
  std::vector<Secret> secrets;  ///< these are redacted in the output before it is stored or sent
};

struct Captured {
  std::string text;         ///< the output of a kInline stream; a note marks omitted bytes
  std::uint64_t total = 0;  ///< bytes that the child wrote
  std::uint64_t kept = 0;   ///< number of stored bytes, without the note about omitted bytes
  bool cut = false;         ///< true if output was omitted
  int write_errno = 0;      ///< the first error of writing the file; 0 without an error
};

struct ChildExit {
  enum class Why {
    kExited,      ///< the process exited with status `code`
    kSignalled,   ///< killed by `signal`, which moonlet did not send
    kWall,        ///< ended by the wall-clock limit
    kIdle,        ///< ended by the idle limit
    kCancelled,   ///< ended because the host asked
    kFinished,    ///< ended by the host, which had already received the child's result
    kLost,        ///< the host lost its keeper, so the child's end is unknown; see `error`
    kNotStarted,  ///< never ran; `error` says why
  };

  Why why = Why::kNotStarted;
  int code = -1;   ///< the exit status; -1 unless the process itself exited
  int signal = 0;  ///< the signal that ended the child; 0 without a signal
  Error error;     ///< set if the child was lost, not started or cancelled, or failed otherwise
  Captured out, err;
  bool drained = true;  ///< both streams reached their end before the drain deadline
  int stragglers = 0;   ///< processes of the tree that were killed after the exit
  /// The number of bytes on stdout before a time limit ended the child; 0 if no limit ended it.
  std::uint64_t out_in_time = 0;
  std::int64_t duration_ms = 0;  ///< run time of the main process
  std::int64_t cpu_ms = 0;       ///< CPU time of the main process and its reaped children
  std::int64_t max_rss_kb = 0;
  int pid = 0;  ///< pid of the main process; 0 if the child never ran

  bool success() const { return why == Why::kExited && code == 0; }
};

/// Returns "exited", "signalled", "wall", "idle", "cancelled", "finished", "lost" or "not_started".
std::string_view to_string(ChildExit::Why why);
/// Parses a reason that to_string() has formatted.
std::optional<ChildExit::Why> why_from(std::string_view text);

}  // namespace moonlet
