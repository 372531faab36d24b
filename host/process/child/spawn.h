// Starting one program in a session of its own. The keeper forks its worker itself, and an
// editor that a person uses stays in the terminal's session (lua/core/terminal.cpp). It never forks
// the caller (a 500 MB host starts a child as fast as a small one), closes nothing of the caller's
// and leaves the caller's signal mask as it was. The caller reaps. Any thread.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

/// The record of a start: prefix + pid + suffix, appended to `fd` by one write before the program
/// runs. So a kill -9 cannot leave a program that runs without a record.
struct StartRecord {
  int fd = -1;
  std::string_view prefix, suffix;
  bool required = false;  ///< the program is not run when the record cannot be written
};

struct SpawnRequest {
  const char* path = nullptr;     ///< resolved, see find_program()
  char* const* argv = nullptr;    ///< ends with a null pointer
  char* const* envp = nullptr;    ///< ends with a null pointer
  const char* cwd = nullptr;      ///< null: the caller's own
  std::vector<int> fds{0, 1, 2};  ///< fds[i] becomes descriptor i; the child gets no other
  bool die_with_parent = false;   ///< a death signal, where the system has one
  bool on_terminal = false;       ///< descriptor 0 becomes the terminal of its session
  int cgroup_fd = -1;             ///< the folder of the cgroup that it begins in; -1: ours
  std::vector<std::pair<int, rlimit>> limits;
  /// A Landlock ruleset from make_ruleset(), or -1. The child is confined by it and loses the root
  /// capabilities that could break it. If this fails, the program is not run.
  int ruleset_fd = -1;
  /// Forbids socket() to the child and its descendants; socketpair() still works. Landlock alone
  /// covers neither UDP nor Unix sockets with a path.
  bool no_sockets = false;
  /// Absolute paths of files and folder trees that the child sees read-only, by mounts in its own
  /// namespace. If the system allows no such mounts (in a container or another confinement), the
  /// program is not run. Needs `ruleset_fd`, because the child could undo the mounts otherwise.
  std::vector<std::string> read_only;
  StartRecord record;
  /// Bit s-1 set: signal s is put back to its default. The caller must know them: to ask the kernel
  /// for each signal costs more than the rest of the preparation.
  std::uint64_t reset_signals = ~std::uint64_t{0};
};

/// The texts as an `argv` or `envp`; it points into them.
inline std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

struct Spawned {
  pid_t pid = 0;
  bool recorded = false;  ///< the whole record was written
  bool torn = false;      ///< a part of it was: the next record must begin with a newline
};

/// The new process leads a session and a process group of its own, has an empty signal mask and
/// runs the program when this returns. Errors name the step that failed and the errno. If the
/// program did not run after its record was written, the record stays: the caller must log the
/// failure.
struct SpawnFailure {
  Error error;
  pid_t pid = 0;  ///< not 0: a process had been made; it is reaped already
  bool recorded = false;
  bool torn = false;
};
using SpawnResult = std::variant<Spawned, SpawnFailure>;
SpawnResult spawn(const SpawnRequest& request);

/// A pipe of two close-on-exec ends, the reading one non-blocking. False with errno.
bool make_output_pipe(int& read_end, int& write_end);

}  // namespace moonlet
