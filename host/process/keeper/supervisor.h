// Supervisor starts and watches steps, and completes each step exactly once.
// A step is complete when its main process, its streams and its whole process tree have ended.
// Owns the steps, and reaps every child that the kernel assigns to the process.
// Reports to a SupervisorListener. Runs in the worker thread of a process without other children.
// supervisor_start.cpp starts steps, supervisor.cpp runs them, and supervisor_end.cpp ends them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "host/artifact/file/reserve.h"
#include "host/base/fd.h"
#include "host/base/loop.h"
#include "host/process/child/tree.h"
#include "host/process/keeper/step.h"
#include "host/process/wire/keeper_log.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

struct EndedChild : ChildRecord {
  ChildExit exit;
  bool durable = false;
  bool sent = false;  ///< the exit was sent to the current host

  /// Returns the exit report of a child that was never started.
  static EndedChild unstarted(StartFrame& frame, ChildExit::Why why, Error error);
};

class SupervisorListener {
 public:
  virtual ~SupervisorListener() = default;
  virtual void started(const ChildRecord& child) = 0;
  /// Called when a child has ended. Report the exit to the host only after the log's next flush.
  virtual void exited(EndedChild child) = 0;
};

class Supervisor {
 public:
  struct Identity {
    int output_dir_fd = -1;  ///< the folder of output files; borrowed
    std::string token;       ///< the run's token
    std::string outer_mark;  ///< MOONLET_STEP in the keeper's own environment
    std::string cgroup;      ///< the run's cgroup; "" without one
    int run_dir_fd = -1;     ///< the run's folder, on the same disk as `reserve`; both borrowed
    Reserve* reserve = nullptr;
  };
  /// Borrows all references, which must outlive the supervisor.
  Supervisor(Loop& loop, KeeperLogWriter& log, SupervisorListener& listener, Identity identity);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Queues a child. Ignores the frame if its child number is 0 or already in use.
  void start(StartFrame frame);
  /// Starts the next children in the queue: logs the intents, then runs the programs.
  /// Returns true if the queue has more children.
  bool commit();
  /// Ends a child. With `finished`, the host already has its result: the child ends as kFinished.
  void cancel(std::uint32_t number, bool finished = false);
  /// Pauses the idle limit of a child. The limit starts again after a release.
  void hold_idle(std::uint32_t number, bool held);
  /// Ends all children with SIGTERM, and with SIGKILL after at most `grace_ms`. The error in their
  /// exits gives the reason `because`.
  void end_all(std::int64_t grace_ms, std::string_view because);
  /// After the host's death, ends the children that may not outlive it, like end_all().
  /// Drops queued children.
  void end_hosted(std::int64_t grace_ms);

  struct OnTerminal {
    Terminal* terminal = nullptr;  ///< null: unknown child, or a child without a terminal
    pid_t pid = 0;
  };
  /// Returns the terminal of the child `number`, or the first terminal if `number` is 0.
  OnTerminal on_terminal(std::uint32_t number) const;
  bool has_terminals() const { return !terminals_.empty(); }
  /// Draws deferred output, and writes typed bytes to the programs. Returns true if work remains.
  bool flush_terminals();
  /// Ends the child `number` that has a terminal, or the first such child if `number` is 0. Works
  /// like cancel(), but with the grace period `grace_ms`. Returns false if there is no such child.
  bool end_on_terminal(std::uint32_t number, std::int64_t grace_ms);
  /// Checks every terminal's screen for new lines.
  void sample_terminals();

  std::size_t live() const { return steps_.size() + queue_.size(); }
  std::vector<ChildRecord> list_live() const;

 private:
  struct Orphan {
    std::int64_t born_ms;
    std::uint32_t step;
  };
  using Members = std::vector<const TreeMember*>;

  // Implemented in supervisor_start.cpp:
  void launch(StartFrame& frame);
  void not_started(StartFrame& frame, Error error);
  Result<void> record_intents(std::size_t count);
  /// ProgramEnds are the child's ends of its streams: output pipes, or a terminal for all streams.
  struct ProgramEnds {
    Fd outputs[2], terminal;
  };
  Result<ProgramEnds> open_streams(Step& step, const ChildSpec& spec);
  Result<ProgramEnds> open_terminal(Step& step, const ChildSpec& spec);
  void supervise(std::unique_ptr<Step> owned, ChildSpec& spec, pid_t pid);
  std::shared_ptr<const Redactor> redactor_for(const std::vector<Secret>& secrets);

  // Implemented in supervisor.cpp:
  void readable(std::uint32_t number);
  void drain(Step& step);
  void arm(Step& step);
  void on_timer(std::uint32_t number);

  // Implemented in supervisor_end.cpp:
  void children_ended();
  bool reap();
  void main_ended(Step& step, int status, const struct rusage& usage);
  void settle_clean(std::vector<std::uint32_t>& numbers);
  bool no_orphans();
  bool alone_since(const Step& step, pid_t newest) const;
  void look(bool strays_too);
  bool search(const std::vector<std::uint32_t>& numbers);
  std::int64_t next_look_ms() const;
  std::vector<TreeMember> snapshot();
  std::uint32_t attribute(const ProcessInfo& info);
  void judge(Step& step, const Members& members, bool complete);
  void give_up(Step& step, std::size_t members);
  void complete_tree(Step& step);
  void log_reaped(Step& step);
  void wait_for_rest(Step& step);
  void drain_for(Step& step, std::int64_t ms);
  void end_strays(const std::vector<TreeMember>& tree);
  void begin_end(Step& step, ChildExit::Why why, std::int64_t grace_ms);
  void end_one(Step& step, std::int64_t grace_ms, std::string_view because);
  void ask_to_end(Step& step, const Members& members);
  void kill_tree(Step& step, const Members& members);
  void try_complete(Step& step);
  void complete(Step& step);
  void schedule_tick(std::int64_t delay_ms);
  std::int64_t now() const { return loop_.clock().monotonic_ms(); }

  Loop& loop_;
  KeeperLogWriter& log_;
  SupervisorListener& listener_;
  Identity identity_;
  Fd null_;
  SignalWatch child_ended_;
  std::deque<StartFrame> queue_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Step>> steps_;
  std::vector<Step*> terminals_;            // the steps with a terminal
  std::unordered_map<pid_t, Step*> mains_;  // the steps whose main process was not reaped
  std::unordered_map<pid_t, Orphan> orphans_;
  std::unordered_set<std::uint32_t> unsettled_;  // steps whose tree must be scanned
  std::vector<std::string> empty_cgroups_;
  bool strays_ = false;  // the last search found processes that belong to no running step
  bool ticking_ = false;
  Loop::TimerId tick_{};
  std::uint64_t spawned_ = 0;  // number of started programs
  std::vector<Secret> redactor_secrets_;
  std::shared_ptr<const Redactor> redactor_;
};

}  // namespace moonlet
