// Starts a program in a new session. Does not fork, which would be slow for a large host.
// spawn() changes neither the caller's descriptors nor its signal mask. Any thread.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

/// StartRecord is prefix + pid + suffix, appended to `fd` before the program runs.
/// Thus a kill -9 cannot leave a running program without a record.
/// On systems other than Linux, the record follows right after the start.
struct StartRecord {
  int fd = -1;
  std::string_view prefix, suffix;
  bool required = false;  ///< do not run the program if the record cannot be written
};

struct SpawnRequest {
  const char* path = nullptr;     ///< resolved, see find_program()
  char* const* argv = nullptr;    ///< ends with a null pointer
  char* const* envp = nullptr;    ///< ends with a null pointer
  const char* cwd = nullptr;      ///< null: the caller's working directory
  std::vector<int> fds{0, 1, 2};  ///< fds[i] becomes descriptor i; the child gets no other
  bool die_with_parent = false;   ///< kill the child at its parent's death, if supported
  bool on_terminal = false;       ///< make descriptor 0 the session's terminal
  int cgroup_fd = -1;             ///< the folder of the cgroup to start in; -1: the caller's cgroup
  std::vector<std::pair<int, rlimit>> limits;
  /// ruleset_fd is a Landlock ruleset from make_ruleset(), or -1.
  /// A confined child loses the capabilities by which root could bypass Landlock.
  /// If confining fails, the program does not run.
  int ruleset_fd = -1;
  /// Forbids socket() to the child and its descendants, but not socketpair().
  /// Landlock covers neither UDP nor Unix sockets with a path.
  bool no_sockets = false;
  /// read_only lists absolute paths that the child sees read-only, by mounts in its own namespace.
  /// If the system refuses read-only mounts, as in a container, the program does not run.
  /// Read-only mounts need `ruleset_fd`, because the child could undo the mounts otherwise.
  std::vector<std::string> read_only;
  StartRecord record;
  /// Bit s-1 of reset_signals resets signal s to its default.
  /// Asking the kernel for each signal would double the preparation time.
  std::uint64_t reset_signals = ~std::uint64_t{0};
};

/// Returns pointers into `texts`, as an `argv` or `envp`.
inline std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

struct Spawned {
  pid_t pid = 0;
  bool recorded = false;  ///< the whole record was written
};

/// Starts a program that leads a new session and process group, with an empty signal mask. On
/// success, the program already runs when spawn() returns. An error names the failed step and the
/// errno. The log may have the start record, or a part of it, even if the program did not run, so
/// the caller must log the failure.
Result<Spawned> spawn(const SpawnRequest& request);

/// Makes a close-on-exec pipe whose reading end does not block. On failure, returns false with
/// errno.
bool make_output_pipe(int& read_end, int& write_end);

}  // namespace moonlet
