// The processes below this one, as the system shows them, and the step that each belongs to. A
// step's tree is all that descends from its main process, plus the processes that share its session
// or group, plus orphans that carry its mark. Reads only; signals go through end_process(). No
// state but the open /proc; one thread at a time.
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
  std::int64_t born_ms = 0;  ///< after boot; the kernel counts in steps of 10 ms
  bool zombie = false;
};

/// The names that `ps` shows for the two processes of a keeper, where a process can name itself.
inline constexpr const char* kWorkerName = "moonlet-keeper";
inline constexpr const char* kGuardName = "moonlet-guard";

/// Milliseconds since boot on the clock of ProcessInfo::born_ms.
std::int64_t boot_clock_ms();
/// The id of this boot; empty if the system has none.
std::string boot_id();

/// False if there is no such process.
bool read_process(pid_t pid, ProcessInfo& info);
/// Every process that can be seen. Processes that are forked during the scan may be missing.
std::vector<ProcessInfo> list_processes();
/// The newest pid on the whole machine; 0 if the system does not tell.
pid_t newest_pid();
/// Our own children, into `pids`. False where the kernel does not list them.
bool list_own_children(std::vector<pid_t>& pids);

/// The greatest difference between two readings of one process's born_ms.
std::int64_t birth_tolerance_ms();
/// True when `info` is the process that was given `pid` at `born_ms`: a start is recorded just
/// before the fork, and no pid is reused within a second.
bool born_at(const ProcessInfo& info, std::int64_t born_ms);

/// True if `pid` descends from the calling process. Also true if that cannot be decided, because
/// the process exits or its parents change meanwhile: callers refuse on true. False for 0.
bool may_descend_from_us(pid_t pid);

/// True when `pid` is confined (it gains no rights by exec) and belongs to a step of another
/// keeper. Also true if that cannot be decided. False for 0, and on systems without confinement.
bool may_be_confined_elsewhere(pid_t pid);

// --- marks: they identify a process after setsid, a double fork and the death of its parents

inline constexpr std::string_view kMarkName = "MOONLET_STEP";
/// The value of kMarkName for a child: "token/n", then ":" and the mark of this process itself. So
/// the children of a nested moonlet still belong to the outer step.
std::string mark_value(std::string_view token, std::uint32_t step, std::string_view outer);
/// Finds the step number in a mark. False if no part of the mark has `token`.
bool mark_of(std::string_view mark, std::string_view token, std::uint32_t& step);

/// A mark in a resource limit that nothing else uses: its value encodes a run and a step. Every
/// process inherits it. Unlike the environment, it survives `env -i` and can be read from any
/// process.
struct Brand {
  std::uint64_t soft = 0, hard = 0;  ///< 0: leave as it is
};
Brand brand_for(std::string_view token, std::uint32_t step);
/// True for a hard limit that brand_for() made, whatever the run.
bool is_brand(std::uint64_t hard);
/// The resource limit that holds the brand; -1 if the system has none.
int brand_resource();

/// Reads from the marks of `pid` which step of run `token` it belongs to. False if it has no
/// readable mark of that run.
bool read_mark(pid_t pid, std::string_view token, std::uint32_t& step);

// --- which step a process belongs to

struct TreeMember {
  ProcessInfo info;
  std::uint32_t step = 0;  ///< 0: a descendant of this process whose step is unknown
  bool orphan = false;     ///< a direct child of ours that we did not start
};

/// The pids whose step is known.
struct TreeOwners {
  std::unordered_map<pid_t, std::uint32_t> mains;   ///< main processes that live, to their step
  std::unordered_map<pid_t, std::uint32_t> groups;  ///< sessions and groups of steps, to their step
  /// Asked for each orphan outside all groups; 0 means no step.
  std::function<std::uint32_t(const ProcessInfo&)> attribute;
};

/// All that descends from `self`, parents before children.
std::vector<TreeMember> find_tree(const std::vector<ProcessInfo>& processes, pid_t self,
                                  const TreeOwners& owners);

/// True if the process that `info` describes still runs, and its pid was not reused.
bool same_process(const ProcessInfo& info);
/// Sends `signal` to the process that `info` describes, unless its pid was reused. False if the
/// process has exited.
bool signal_process(const ProcessInfo& info, int signal);

/// Kills all that descends from the calling process and reaps it, until nothing is left or
/// `limit_ms` have passed. Returns how many were left. Only for a process that may reap all its
/// children: the guard, and the worker at its end.
std::size_t end_all_descendants(std::int64_t limit_ms);

}  // namespace moonlet
