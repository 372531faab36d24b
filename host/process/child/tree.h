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
/// Differs after each boot; empty where the system has no such thing.
std::string boot_id();

/// False when the process does not exist (any more).
bool read_process(pid_t pid, ProcessInfo& info);
/// Every process that can be seen. A process that is forked meanwhile may be missing.
std::vector<ProcessInfo> list_processes();
/// The process that was made most lately anywhere on the machine; 0 where the system does not say.
pid_t newest_pid();
/// Our own children, into `pids`. False where the kernel does not list them.
bool list_own_children(std::vector<pid_t>& pids);

/// The greatest difference between two readings of one process's born_ms.
std::int64_t birth_tolerance_ms();
/// True when `info` is the process that was given `pid` at `born_ms`: a start is recorded just
/// before the process is made, and no pid comes round within a second.
bool born_at(const ProcessInfo& info, std::int64_t born_ms);

/// True when `pid` descends from the calling process, and also when it ends, or its parents change,
/// while that is looked at: the answer is for refusing. False for 0.
bool may_descend_from_us(pid_t pid);

/// True when `pid` is confined (it gains no rights by exec) and belongs to a step of a keeper that
/// does not run this process, and also when that cannot be found out. False for 0, and where
/// confinement does not exist.
bool may_be_confined_elsewhere(pid_t pid);

// --- marks: they identify a process after setsid, a double fork and the death of its parents

inline constexpr std::string_view kMarkName = "MOONLET_STEP";
/// The value of kMarkName for a child: "token/n", then ":" and the mark we carry ourselves, so that
/// a moonlet inside a step of another stays that step's.
std::string mark_value(std::string_view token, std::uint32_t step, std::string_view outer);
/// The step number in a mark of ours; false when no part of the mark carries `token`.
bool mark_of(std::string_view mark, std::string_view token, std::uint32_t& step);

/// A resource limit without a user, inherited by every process, set to a value that means a run and
/// a step: unlike the environment it survives `env -i` and can be read of any process.
struct Brand {
  std::uint64_t soft = 0, hard = 0;  ///< 0: leave as it is
};
Brand brand_for(std::string_view token, std::uint32_t step);
/// True for a hard limit that brand_for() made, whatever the run.
bool is_brand(std::uint64_t hard);
/// The resource that carries it, or -1 where there is none.
int brand_resource();

/// The step of run `token` that `pid` carries a mark of; false when it carries none that we can
/// read.
bool read_mark(pid_t pid, std::string_view token, std::uint32_t& step);

// --- whose is it

struct TreeMember {
  ProcessInfo info;
  std::uint32_t step = 0;  ///< 0: it is below us, but its step is unknown
  bool orphan = false;     ///< a direct child of ours that we did not start
};

/// Which processes are known by number.
struct TreeOwners {
  std::unordered_map<pid_t, std::uint32_t> mains;   ///< main processes that live, to their step
  std::unordered_map<pid_t, std::uint32_t> groups;  ///< sessions and groups of steps, to their step
  /// Asked for each orphan outside all groups; 0 means no step.
  std::function<std::uint32_t(const ProcessInfo&)> attribute;
};

/// All that descends from `self`, parents before children.
std::vector<TreeMember> find_tree(const std::vector<ProcessInfo>& processes, pid_t self,
                                  const TreeOwners& owners);

/// True while the pid of `info` means the process that it described, and that has not ended.
bool same_process(const ProcessInfo& info);
/// Sends `signal` to the process that `info` described, unless its pid has come to mean another.
/// False when it is gone already.
bool signal_process(const ProcessInfo& info, int signal);

/// Kills all that descends from the calling process and reaps it, until nothing is left or
/// `limit_ms` have passed. Returns how many were left. For a process whose children are all its own
/// to reap: the guard, and the worker at its end.
std::size_t end_all_descendants(std::int64_t limit_ms);

}  // namespace moonlet
