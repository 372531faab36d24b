// The control group of a run, where the machine permits one (cgroup v2, a writable group of its
// own). No process can leave it by setsid, a cleared environment or a fork bomb, and one write
// kills all of it. Moonlet works without it, too. Owns no descriptor; the paths outlive processes,
// so that a later sweep can use them. Any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace moonlet {

/// Makes moonlet-<token> below the cgroup of this process. Returns its path, or "" on failure. Also
/// removes old empty ones whose runs were killed and deleted.
std::string make_run_cgroup(std::string_view token);
/// Makes a cgroup for one step below the run's. Returns its path, or "" on failure.
std::string make_step_cgroup(const std::string& run_cgroup, unsigned step);
/// Opens the folder of a cgroup, so that a child can start in it; -1 on failure. The caller closes
/// it.
int open_cgroup(const std::string& cgroup);
/// Like fork(), but the child starts in `cgroup`; -1 if that is not possible. Only for a process
/// with one thread.
pid_t fork_into_cgroup(const std::string& cgroup);
/// Moves the calling process into `cgroup`.
bool join_cgroup(const std::string& cgroup);
/// The path of the cgroup of this process; "" if it is not writable.
std::string own_cgroup();
/// Kills all processes in `cgroup` and below it. False if it does not exist or permission is
/// missing.
bool kill_cgroup(const std::string& cgroup);
/// Removes `cgroup` and the groups beneath it. False if a process is still in one of them. A
/// process that was just reaped may count as left for a moment, so the call waits up to `wait_ms`.
bool remove_cgroup(const std::string& cgroup, int wait_ms = 0);
/// True when `cgroup` has the name that make_run_cgroup() gives for `token`, and lies in the cgroup
/// file system: a group named by a log is checked before it is killed.
bool is_run_cgroup(const std::string& cgroup, std::string_view token);

}  // namespace moonlet
