// The control group of a run, where the machine permits one (cgroup v2, a writable group of its
// own): a fence that setsid, a cleared environment and a storm of forks do not get over, and that
// is emptied by one write. Moonlet works without it, too. Owns no descriptor; the paths outlive
// processes, so that a later sweep can use them. Any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace moonlet {

/// Makes moonlet-<token> beneath the group we are in; its path, or "" where that cannot be done.
/// Old empty ones there, whose runs were killed and then deleted, are removed.
std::string make_run_cgroup(std::string_view token);
/// Makes a group for one step beneath the run's; its path or "".
std::string make_step_cgroup(const std::string& run_cgroup, unsigned step);
/// The folder of a group, for a child to begin in, or -1. The caller closes it.
int open_cgroup(const std::string& cgroup);
/// Forks like fork(), the child being in `cgroup` from its first moment; -1 where that cannot be
/// done. Only for a process with one thread.
pid_t fork_into_cgroup(const std::string& cgroup);
/// Moves the calling process into `cgroup`.
bool join_cgroup(const std::string& cgroup);
/// The group we are in, as a path; "" where there is none that can be written.
std::string own_cgroup();
/// Kills all that is in `cgroup` and beneath it. False when there is no such group or no such
/// right.
bool kill_cgroup(const std::string& cgroup);
/// Removes `cgroup` and the groups beneath it. False when a process is left in one of them. A
/// process that was just reaped may count as left for a moment, so the call waits up to `wait_ms`.
bool remove_cgroup(const std::string& cgroup, int wait_ms = 0);
/// True when `cgroup` has the name that make_run_cgroup() gives for `token`, and lies in the cgroup
/// file system: a group named by a log is checked before it is killed.
bool is_run_cgroup(const std::string& cgroup, std::string_view token);

}  // namespace moonlet
