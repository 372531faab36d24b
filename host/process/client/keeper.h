// Keeper is the host's end of a keeper, a process that owns the host's children.
// Starts a keeper or adopts a dead host's keeper. Each child completes a ChildOperation.
// Owns the socket and the guard's pid. Installs no signal handler and never becomes a subreaper.
#pragma once

#include <sys/types.h>
#include <uv.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/base/fd.h"
#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"
#include "host/process/child/child.h"

namespace moonlet {

class Channel;
class Keeper;
struct AdoptedFrame;
struct Frame;
struct HelloFrame;

/// ChildOperation runs a child. It completes when the child's streams and process tree have ended.
class ChildOperation final : public Operation {
 public:
  /// Returns the end of a finished child.
  const ChildExit& exit() const { return exit_; }
  ChildExit& exit() { return exit_; }
  /// Returns the child's number in keeper.log.
  std::uint32_t number() const { return number_; }
  /// Returns the child's pid; 0 until its start was reported, and if it never ran.
  int pid() const { return pid_; }

  /// Ends the child because its result has arrived.
  /// Like cancel(), but the child completes as kFinished unless it has ended before.
  void end_finished();
  /// Pauses the idle limit of a running child that is known to work without output.
  /// The pause survives the host's death.
  void hold_idle(bool held);

 private:
  friend class Keeper;
  void start_cancel() override;
  void finish(ChildExit exit);

  std::weak_ptr<Keeper> keeper_;
  ChildExit exit_;
  std::uint32_t number_ = 0;
  int pid_ = 0;
  std::int64_t ending_ms_ = 0;    ///< the longest time that a cancelled child may need to end
  std::int64_t deadline_ms_ = 0;  ///< latest end of the child, on the loop's clock; 0: unknown
};

struct KeeperOptions {
  std::string program;     ///< absolute path of the executable that calls keeper_main()
  int run_dir_fd = -1;     ///< the directory of the run or session; duplicated
  int output_dir_fd = -1;  ///< the output folder, which start() borrows; -1: same as run_dir_fd
  std::string run_id;      ///< for keeper.log and `moonlet ps`
  int live_dir_fd = -1;    ///< the index folder, which start() borrows; -1: do not list the keeper
  std::string label;       ///< the name of the run in the index; without secrets
  bool publishes = false;  ///< publish the end of the only child in exit.json
  /// The generation of the host's lock; 0 for a host without a lock. A keeper obeys only the host
  /// with the highest generation that it has seen.
  std::uint64_t generation = 0;
};

/// AdoptedChild is a child that another host started.
struct AdoptedChild : ChildRecord {
  std::shared_ptr<ChildOperation> operation;
};

class Keeper final : public std::enable_shared_from_this<Keeper> {
 public:
  /// Starts the keeper process. Borrows `loop`, which must outlive the keeper.
  /// If the start fails later (the directory may have a keeper already), each child fails as
  /// kNotStarted.
  /// Destroying the last pointer ends every running child by SIGTERM, and later by SIGKILL.
  /// This also ends children that may outlive their host. They complete as cancelled or lost.
  /// The destructor waits for the keeper, at most about three seconds.
  /// A keeper that another host has taken over continues; reap_left_guards() reaps its guard.
  static Result<std::shared_ptr<Keeper>> start(Loop& loop, KeeperOptions options);
  /// Adopts the live keeper in the run's directory from a dead or stopped host.
  /// Returns null if no keeper lives. The caller then reads keeper.log and may call sweep().
  /// Fails with kDenied unless `generation` is higher than the previous host's.
  /// adopt() ends children that may not outlive their host, and keeps the output directory.
  /// adopt() blocks for milliseconds, or up to ten seconds for a hung keeper (kTimeout).
  static Result<std::shared_ptr<Keeper>> adopt(Loop& loop, KeeperOptions options);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Starts a child. If that fails, the operation completes later as kNotStarted.
  /// If a child is 30 s overdue and the keeper is silent, all children complete as kLost.
  /// adopt() finds lost children that still run.
  std::shared_ptr<ChildOperation> spawn(ChildSpec spec);
  /// Returns the number of children that have not completed.
  std::size_t live() const { return operations_.size(); }
  /// While `held` is true, no child completes, so that the host can catch up. Keep it short.
  void hold_ends(bool held);
  /// Leaves the keeper like a dying host: children that may outlive a host continue.
  /// Pending operations complete as kLost; later starts fail. Does not wait.
  void let_go();
  /// Asks the keeper to end after its last child. spawn() then completes as kNotStarted.
  void shutdown();
  /// Returns the run token that every child carries in MOONLET_STEP; "" before the greeting.
  const std::string& token() const { return token_; }
  /// Returns the live children of an adopted keeper, and those that ended while it had no host.
  /// The ended children complete in the next loop turns. Their captured text is limited.
  /// If an earlier host received a child's end, only keeper.log has it.
  const std::vector<AdoptedChild>& adopted() const { return adopted_; }
  /// Returns true if another host has taken over.
  /// Pending operations have completed as kLost with kDenied; later starts fail.
  bool superseded() const { return phase_ == Phase::kSuperseded; }

 private:
  friend class ChildOperation;
  /// Phases follow this order and never repeat. Before kGone, this host is connected to the keeper.
  /// kEnded, kLeft and kSuperseded are final phases.
  enum class Phase {
    kGreeting,    ///< the keeper has not sent its hello frame yet
    kOpen,        ///< accepts new children
    kEnding,      ///< shutdown() was called, so the keeper accepts no new children
    kGone,        ///< the connection is closed, but the keeper's processes may still be ending
    kEnded,       ///< the keeper has ended, and its orphans were swept
    kLeft,        ///< this host has left the keeper to a later host
    kSuperseded,  ///< another host drives this keeper
  };
  enum class Reading {
    kPolled,   ///< the poll waits for bytes
    kSoon,     ///< frames were read, and the next loop turn handles them
    kStalled,  ///< frames were read, but hold_ends(true) delays their handling
  };

  /// `guard` is a child that must be reaped, or 0 for an adopted keeper.
  Keeper(Loop& loop, std::unique_ptr<Channel> channel, pid_t guard, Fd run_dir,
         const KeeperOptions& options);
  static std::shared_ptr<Keeper> owned(std::shared_ptr<Keeper> keeper);
  void take_over(HelloFrame hello, AdoptedFrame adopted);

  bool connected() const { return phase_ < Phase::kGone; }
  bool has_guard() const { return guard_ != 0 && !guard_status_; }
  void before_waiting();
  void hold_loop();
  void disconnect(Phase next);
  void cancel(std::uint32_t number, bool finished = false);
  void hold_idle(std::uint32_t number, bool held);
  void fail_soon(std::uint32_t number, Error error);

  void receive();
  void handle_frames();
  void handle_soon();
  bool handle(const Frame& frame);
  void finish(std::uint32_t number, ChildExit exit);

  void check_silence();
  void disconnected();
  void leave(Error why);
  void supersede(Error why);
  bool overtaken();
  void await_end();
  bool has_ended();
  bool reap_guard();
  void settle_losses();
  void finish_all();
  ChildExit last_exit(const ChildOperation& operation) const;
  void say_goodbye(std::int64_t give_up);
  void close();

  Loop& loop_;
  std::unique_ptr<Channel> channel_;
  const Fd run_dir_;
  const std::string program_;
  const std::uint64_t generation_;
  const pid_t guard_;
  std::optional<int> guard_status_;  ///< set once the guard was reaped
  Phase phase_ = Phase::kGreeting;
  Reading reading_ = Reading::kPolled;
  bool held_ = false;   ///< set by hold_ends()
  bool woken_ = false;  ///< SIGCONT was sent, because the keeper may be stopped
  uv_poll_t* poll_;     ///< `poll_`, `prepare_` and `silence_` exist while connected()
  uv_prepare_t* prepare_;
  uv_timer_t* silence_;
  int polled_ = 0;            ///< the events that poll_ waits for
  std::int64_t heard_ms_;     ///< the time of the keeper's last frame
  std::int64_t gone_ms_ = 0;  ///< when await_end() began to wait; 0: not yet
  std::string token_;
  std::optional<Error> refusal_;  ///< why the keeper accepts no children
  std::uint32_t next_ = 1;
  std::unordered_map<std::uint32_t, std::shared_ptr<ChildOperation>> operations_;
  std::vector<AdoptedChild> adopted_;
};

}  // namespace moonlet
