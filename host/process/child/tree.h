// Lists the descendants of this process and the step of each. Single-threaded.
// A step's tree has the descendants of its main process, and the members of its session or group.
// Orphans that carry the step's mark also belong to the tree.
// Only signal_process() and end_all_descendants() send signals.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moonlet {

struct ProcessInfo {
  pid_t pid = 0, ppid = 0, pgid = 0, sid = 0;
  std::int64_t born_ms = 0;  ///< start time after boot, in steps of 10 ms
  bool zombie = false;
};

/// `ps` shows these names for a keeper's two processes, if the system lets a process name itself.
inline constexpr const char* kWorkerName = "moonlet-keeper";
inline constexpr const char* kGuardName = "moonlet-guard";

/// Returns milliseconds since boot, on the clock of ProcessInfo::born_ms.
std::int64_t boot_clock_ms();
/// Returns the id of this boot; "" if the system has none.
std::string boot_id();

/// Returns false if the process does not exist.
bool read_process(pid_t pid, ProcessInfo& info);
/// Lists every visible process. Processes that are forked during the scan may be missing.
std::vector<ProcessInfo> list_processes();
/// Returns the newest pid of the machine; 0 if unknown.
pid_t newest_pid();
/// Lists the caller's children in `pids`. Returns false if the kernel does not list children.
bool list_own_children(std::vector<pid_t>& pids);

/// Returns the greatest difference between two readings of a process's born_ms.
std::int64_t birth_tolerance_ms();
/// Returns true if `info` is the process that was recorded with this pid and `born_ms`.
/// A start is recorded just before the fork, and no pid is reused within a second.
bool born_at(const ProcessInfo& info, std::int64_t born_ms);

/// Returns true if `pid` descends from the calling process. Returns false for 0.
/// Also returns true if an ancestor exits during the check, because callers must then refuse.
bool may_descend_from_us(pid_t pid);

/// Returns true if `pid` is confined (no_new_privs) in a step of another keeper, or if this cannot
/// be determined. Returns false for 0, and always on systems without confinement.
bool may_be_confined_elsewhere(pid_t pid);

// Marks identify a process after setsid, a double fork and the death of its parents.

inline constexpr std::string_view kMarkName = "MOONLET_STEP";
/// Returns a child's mark: "token/n", followed by ":" and `outer`, the mark of this process, if
/// any. Thus the children of a nested moonlet also belong to the outer step.
std::string mark_value(std::string_view token, std::uint32_t step, std::string_view outer);
/// Finds the step number in a mark. Returns false if no part of the mark has `token`.
bool mark_of(std::string_view mark, std::string_view token, std::uint32_t& step);

/// Brand is a mark in an unused resource limit, whose value encodes a run and a step.
/// Every descendant inherits the brand. Unlike the environment, it survives `env -i`.
struct Brand {
  std::uint64_t soft = 0, hard = 0;  ///< 0: no change
};
Brand brand_for(std::string_view token, std::uint32_t step);
/// Returns true if the hard limit `hard` belongs to a brand of any run.
bool is_brand(std::uint64_t hard);
/// Returns the number of the resource limit (RLIMIT_…) whose value marks our processes; -1 if the
/// system has no unused resource limit.
int brand_resource();

/// Reads the step of run `token` from the marks of `pid`.
/// Returns false if `pid` has no readable mark of that run.
bool read_mark(pid_t pid, std::string_view token, std::uint32_t& step);

struct TreeMember {
  ProcessInfo info;
  std::uint32_t step = 0;  ///< the step to which the process belongs; 0: unknown
};

/// TreeOwners maps known processes, sessions and process groups to their steps.
struct TreeOwners {
  std::unordered_map<pid_t, std::uint32_t> mains;   ///< the step of each live main process
  std::unordered_map<pid_t, std::uint32_t> groups;  ///< the step of each session and process group
  /// Returns the step that started an orphan whose session and process group are not in `groups`,
  /// or 0 if no step started it.
  std::function<std::uint32_t(const ProcessInfo&)> attribute;
};

/// Returns all descendants of `self`, parents before children.
std::vector<TreeMember> find_tree(const std::vector<ProcessInfo>& processes, pid_t self,
                                  const TreeOwners& owners);

/// Returns true if the process still runs and its pid was not reused.
bool same_process(const ProcessInfo& info);
/// Sends `signal` to the process unless its pid was reused. Returns false if it has exited.
bool signal_process(const ProcessInfo& info, int signal);

/// Kills and reaps all descendants of the caller, for at most `limit_ms`.
/// Only the guard and an ending worker call this. Returns the number of remaining processes.
std::size_t end_all_descendants(std::int64_t limit_ms);

}  // namespace moonlet
