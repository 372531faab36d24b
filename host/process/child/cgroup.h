// A run gets a cgroup (v2) if moonlet may write in its own cgroup. Any thread.
// A process cannot leave its cgroup by setsid, `env -i` or a fork bomb.
// A single write kills all processes of a cgroup. After a keeper's death, a sweep finds the run's
// cgroup by its path.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace moonlet {

/// Makes moonlet-<token> below this process's cgroup. Returns the path, or "" on failure.
/// Also removes old, empty cgroups of killed and deleted runs.
std::string make_run_cgroup(std::string_view token);
/// Makes a cgroup for a step below the run's cgroup. Returns the path, or "" on failure.
std::string make_step_cgroup(const std::string& run_cgroup, unsigned step);
/// Opens the folder of a cgroup, in which a child can start; -1 on failure. The caller closes it.
int open_cgroup(const std::string& cgroup);
/// Like fork(), but starts the child in `cgroup`. Returns -1 on failure.
/// The calling process must be single-threaded.
pid_t fork_into_cgroup(const std::string& cgroup);
/// Moves the calling process into `cgroup`.
bool join_cgroup(const std::string& cgroup);
/// Returns the path of this process's cgroup; "" if it is not writable.
std::string own_cgroup();
/// Kills all processes in `cgroup` and in the cgroups below it.
/// Returns false if `cgroup` is missing or access to it is denied.
bool kill_cgroup(const std::string& cgroup);
/// Removes `cgroup` and the cgroups below. Returns false while a process is inside.
/// A reaped process may still count for a moment, so wait at most `wait_ms`.
bool remove_cgroup(const std::string& cgroup, int wait_ms = 0);
/// Returns true if `cgroup` is the cgroup that make_run_cgroup() makes for `token`.
/// Check the name of a cgroup from a log before killing it.
bool is_run_cgroup(const std::string& cgroup, std::string_view token);

}  // namespace moonlet
