// ChildSpec describes a child to start, ChildExit its end: the vocabulary that the host and its
// keeper share. Plain values; they own no process and no descriptor. Any thread.
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

/// The target of one output stream of a child. The stream is always read to its end, whatever the
/// target, so that a flood never blocks the child.
struct OutputSpec {
  enum class Target {
    kInline,  ///< the bytes come back in ChildExit
    kFile,    ///< a file under the keeper's output directory, created or emptied
    kNull,    ///< /dev/null: the stream is neither read nor counted
  };
  static constexpr std::uint64_t kDefaultInlineCap = 1 << 20;
  static constexpr std::uint64_t kDefaultFileCap = 64 << 20;

  Target target = Target::kInline;
  std::string path;       ///< kFile: relative to that directory; its folder must exist
  std::uint64_t cap = 0;  ///< bytes kept (head and tail); 0 is the default of the target

  static OutputSpec to_inline(std::uint64_t cap = 0) { return {Target::kInline, {}, cap}; }
  static OutputSpec to_file(std::string path, std::uint64_t cap = 0) {
    return {Target::kFile, std::move(path), cap};
  }
  static OutputSpec to_null() { return {Target::kNull, {}, 0}; }
};

/// The facts by which the keeper, its log and every host know a child. Structs with more facts
/// about one child derive from it.
struct ChildRecord {
  std::uint32_t number = 0;  ///< in the log of its keeper; 0: unknown
  std::int32_t pid = 0;      ///< 0: it never ran, or unknown
  std::string step, attempt;
  std::int64_t started_ms = 0;   ///< since 1970; 0: it does not run, or unknown
  std::int64_t deadline_ms = 0;  ///< since 1970; 0: none
};

struct ChildSpec {
  static constexpr std::size_t kAttemptLimit = 512;

  std::string step;               ///< the step's key, for keeper.log and `moonlet ps`
  std::string attempt;            ///< which try of the step this is, the caller's own name for it
  std::vector<std::string> argv;  ///< argv[0] is looked up in the PATH of `env` unless it has a '/'
  /// The redacted argv for logs. Empty when argv and `cwd` hold no secret and can be logged as they
  /// are.
  std::vector<std::string> redacted_argv;
  std::vector<std::string> env;  ///< complete, NAME=value; MOONLET_STEP is added by the keeper
  std::string cwd;               ///< absolute; empty is the host's own at the time of spawn()
  int stdin_fd = -1;             ///< borrowed until spawn() returns; -1 is /dev/null
  /// Not 0: it runs on a terminal of this size, whose log and last screen are put into the keeper's
  /// output directory. `out.cap` is that of the log then, `err` means nothing, and `stdin_fd` is
  /// held, unread, for as long as the child lives: a lock, for one.
  std::uint16_t terminal_rows = 0, terminal_cols = 0;
  OutputSpec out, err;

  std::int64_t wall_ms = 0;      ///< from the start; 0: no limit
  std::int64_t idle_ms = 0;      ///< without a byte on stdout or stderr; 0: no limit
  std::int64_t grace_ms = 3000;  ///< from TERM to KILL, for limits and cancel
  std::int64_t drain_ms = 2000;  ///< from exit to end of file on its pipes, then the rest is killed

  /// Its start is on disk before the exec, and its exit is on disk before the host hears of it; a
  /// log that cannot be written is kNotStarted. The reader of its output files syncs them.
  bool durable = false;
  /// Runs on when the host dies, under the same keeper and to its own limits, and can be taken over
  /// by the next host (Keeper::adopt). Without it the keeper ends the child as soon as its host is
  /// gone. A host that ends in order ends it all the same.
  bool outlives_host = false;
  /// A cgroup of its own, where the machine allows one: no fork can outrun the kill, at the price
  /// of up to 10 ms at the start. All steps are in the run's cgroup anyway.
  bool own_cgroup = false;
  /// The files and networks it may touch; kNotStarted where that cannot be enforced. Empty:
  /// everything that the user may touch.
  std::optional<Confinement> confinement;
  std::vector<Secret> secrets;  ///< values that never reach a file or the host
};

/// The output of one stream.
struct Captured {
  std::string text;         ///< kInline only: head, a note of the cut, tail
  std::uint64_t total = 0;  ///< bytes that the child wrote
  std::uint64_t kept = 0;   ///< bytes kept, the note not counted
  bool cut = false;         ///< total exceeded the cap
  int write_errno = 0;      ///< the first error of writing the file; 0 when all of it is there
};

struct ChildExit {
  enum class Why {
    kExited,      ///< by itself; `code` holds
    kSignalled,   ///< by a signal that was not ours; `signal` holds
    kWall,        ///< ended by its wall-clock limit
    kIdle,        ///< ended by its idle limit
    kCancelled,   ///< ended because the host asked
    kFinished,    ///< the same, for it had all that was wanted of it
    kLost,        ///< the keeper vanished; the outcome cannot be known, `error` has the known part
    kNotStarted,  ///< never ran; `error` says why
  };

  Why why = Why::kNotStarted;
  int code = -1;   ///< exit status, -1 unless the process itself exited
  int signal = 0;  ///< the signal that ended it, else 0
  Error error;     ///< for kLost and kNotStarted; also a further failure, or the reason of a cancel
  Captured out, err;
  bool drained = true;  ///< both streams reached their end before the drain deadline
  int stragglers = 0;   ///< processes of its tree that had to be killed after it had exited
  /// Bytes of `out` that had come when a limit ended it; 0 for other ends.
  std::uint64_t out_in_time = 0;
  std::int64_t duration_ms = 0;  ///< from exec to the end of the main process
  std::int64_t cpu_ms = 0;       ///< the main process and the children it waited for
  std::int64_t max_rss_kb = 0;
  int pid = 0;  ///< 0 when it never ran

  bool success() const { return why == Why::kExited && code == 0; }
};

/// "exited", "signalled", "wall", "idle", "cancelled", "finished", "lost", "not_started".
std::string_view to_string(ChildExit::Why why);
/// The value for a text of to_string(); empty for any other text.
std::optional<ChildExit::Why> why_from(std::string_view text);

}  // namespace moonlet
