// Keeper is the host's end of a keeper: it starts the second process that owns the children, or
// takes over the one that a dead host left; asks it for children, and completes one ChildOperation
// each. Owns the socket and the guard's pid; installs no signal handler and never becomes a
// subreaper. Loop thread only.
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

/// One child. It completes when its process, its streams and its whole tree have ended.
class ChildOperation final : public Operation {
 public:
  /// How it ended; meaningful once done().
  const ChildExit& exit() const { return exit_; }
  ChildExit& exit() { return exit_; }
  /// The child's number in keeper.log.
  std::uint32_t number() const { return number_; }
  /// 0 until the keeper reported the start, and for a child that never ran.
  int pid() const { return pid_; }

  /// Ends the child because its result has arrived: like cancel(), but it completes as kFinished,
  /// unless it ended before.
  void end_finished();
  /// While `held`, the idle limit of a running child is paused, because it is known to work without
  /// output. If the host dies, this stays for the next host.
  void hold_idle(bool held);

 private:
  friend class Keeper;
  void start_cancel() override;
  void finish(ChildExit exit);

  std::weak_ptr<Keeper> keeper_;
  ChildExit exit_;
  std::uint32_t number_ = 0;
  int pid_ = 0;
  std::int64_t ending_ms_ = 0;  ///< its end takes at most this long, once it is asked to end
  std::int64_t deadline_ms_ =
      0;  ///< on the loop's clock: when it has ended for certain; 0: unknown
};

struct KeeperOptions {
  std::string program;  ///< the executable that calls keeper_main(); absolute
  std::vector<std::string> prefix_args{"keeper"};
  int run_dir_fd = -1;     ///< the run's (or session's) directory; duplicated
  int output_dir_fd = -1;  ///< OutputSpec::path begins here; borrowed by start(); -1: the run's
  std::string run_id;      ///< for keeper.log and `moonlet ps`
  int live_dir_fd = -1;    ///< from LiveIndex::make(), borrowed by start(); -1: not in the index
  std::string label;       ///< the name of the run in the index; without secrets
  bool cgroups = true;     ///< false: never make a cgroup, even where it could be done
  /// The generation of the host's lock. A keeper obeys the host with the highest generation that it
  /// has seen; 0 means that the host has none.
  std::uint64_t generation = 0;
};

/// A child that another host had started.
struct AdoptedChild : ChildRecord {
  std::shared_ptr<ChildOperation> operation;
};

class Keeper final : public std::enable_shared_from_this<Keeper> {
 public:
  /// Starts the keeper process. `loop` is borrowed and outlives the keeper. A later failure (the
  /// log cannot be written, another keeper holds the directory) fails each child as kNotStarted.
  /// Destroying the last copy of the pointer closes the keeper. It ends every child that still runs
  /// (SIGTERM, a grace, SIGKILL), even those that may outlive their host; their operations complete
  /// as cancelled or lost. It waits for the keeper, at most about three seconds; a few milliseconds
  /// when no child was left. A keeper that another host has taken over continues;
  /// when it was started here, its guard is a child of ours that reap_left_guards() reaps.
  static Result<std::shared_ptr<Keeper>> start(Loop& loop, KeeperOptions options);
  /// Adopts the live keeper in the run's directory from a host that died or is stopped. Null if
  /// there is none: then keeper.log has all known facts about its children, and sweep() may run.
  /// Uses run_dir_fd and generation of the options; kDenied when the generation is not higher than
  /// that of the host before. Children that were not to outlive their host end now. Blocks for a
  /// few milliseconds, and up to ten seconds where a keeper is just ending or does not answer
  /// (kTimeout). The keeper's output directory stays as it was.
  static Result<std::shared_ptr<Keeper>> adopt(Loop& loop, KeeperOptions options);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Never fails by itself: a child that cannot be started completes as kNotStarted, from the loop.
  /// When the keeper stays silent until half a minute after a child must have ended, by its own
  /// limits or by cancel(), all children complete as kLost; adopt() finds those that still run.
  std::shared_ptr<ChildOperation> spawn(ChildSpec spec);
  /// Children that have not completed.
  std::size_t live() const { return operations_.size(); }
  /// While `held`, no frame of the keeper is handled and no child completes. For a short time,
  /// while the host handles children that have completed.
  void hold_ends(bool held);
  /// Leaves the keeper like a dying host: children that may outlive their host continue, and the
  /// next host adopts them; all others are ended. Operations under way complete here as kLost, and
  /// nothing can be started any more. It does not wait.
  void let_go();
  /// Asks the keeper to end once its last child has completed; spawn() then only gives kNotStarted.
  void shutdown();
  /// The run token that every child carries in MOONLET_STEP; empty until the keeper said hello.
  const std::string& token() const { return token_; }
  /// The children of an adopted keeper: the live ones, and those that ended while there was no
  /// host. Operations of ended children complete in the next turns of the loop, with the text that
  /// was captured in memory, unless it was too much. For ends that were sent to an earlier host,
  /// read keeper.log.
  const std::vector<AdoptedChild>& adopted() const { return adopted_; }
  /// Another host has taken over: operations under way here have completed as kLost with an error
  /// of kind kDenied, and nothing can be started any more.
  bool superseded() const { return phase_ == Phase::kSuperseded; }

 private:
  friend class ChildOperation;
  /// In this order; the first three are connected. No phase is entered twice, and kEnded, kLeft and
  /// kSuperseded are final.
  enum class Phase {
    kGreeting,    ///< its hello has not come yet
    kOpen,        ///< it takes children
    kEnding,      ///< shutdown() was asked: it takes no children, and completes those it has
    kGone,        ///< the connection is closed; the end of the keeper's processes is awaited
    kEnded,       ///< the keeper has ended, and the processes that it left were swept
    kLeft,        ///< it was left to the next host
    kSuperseded,  ///< another host drives it
  };
  enum class Reading {
    kPolled,   ///< the poll reports bytes
    kSoon,     ///< the next turn of the loop handles frames that were read already
    kStalled,  ///< hold_ends() keeps frames back that were read already
  };

  /// `guard` is a child of ours that must be reaped, or 0 for an adopted keeper.
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
  bool held_ = false;   ///< by hold_ends()
  bool woken_ = false;  ///< it was sent SIGCONT, in case it was stopped
  uv_poll_t* poll_;     ///< the handles are there while connected()
  uv_prepare_t* prepare_;
  uv_timer_t* silence_;
  int polled_ = 0;            ///< the events that poll_ waits for
  std::int64_t heard_ms_;     ///< when it last sent something
  std::int64_t gone_ms_ = 0;  ///< since when its end is awaited
  std::string token_;
  std::optional<Error> refusal_;  ///< why it takes no children
  std::uint32_t next_ = 1;
  std::unordered_map<std::uint32_t, std::shared_ptr<ChildOperation>> operations_;
  std::vector<AdoptedChild> adopted_;
};

}  // namespace moonlet
