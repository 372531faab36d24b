// The host's side of a keeper: starts the second process that owns the children, or takes over the
// one that a dead host left; asks it for children, and completes one ChildOperation each. Owns the
// socket and the guard's pid; installs no signal handler and never becomes a subreaper. Loop thread
// only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"
#include "host/process/child/child.h"

namespace moonlet {

class KeeperLink;

/// One child. It completes when its process, its streams and its whole tree are done with.
class ChildOperation final : public Operation {
 public:
  /// How it ended; meaningful once done().
  const ChildExit& exit() const { return exit_; }
  ChildExit& exit() { return exit_; }
  /// The child's number in keeper.log.
  std::uint32_t number() const { return number_; }
  /// 0 until the keeper told of the start, and for a child that never ran.
  int pid() const { return pid_; }

  /// Ends it as cancel() does, but for the reason that it has given what was wanted of it: it
  /// completes as kFinished, unless it ended before.
  void end_finished();
  /// While `held` the idle limit of a child that runs stands still, for it is known to be at work
  /// without a word. Where the host dies it stays as it is, for whoever takes over.
  void hold_idle(bool held);

 private:
  friend class KeeperLink;
  void start_cancel() override;
  void finish(ChildExit exit);

  std::weak_ptr<KeeperLink> link_;
  ChildExit exit_;
  std::uint32_t number_ = 0;
  int pid_ = 0;
  std::int64_t ending_ms_ = 0;  ///< its end takes at most this long, once it is asked to end
  std::int64_t due_ms_ = 0;     ///< on the loop's clock: when it has ended for certain; 0: unknown
};

struct KeeperOptions {
  std::string program;  ///< the executable that calls keeper_main(); absolute
  std::vector<std::string> prefix_args{"keeper"};
  int run_dir_fd = -1;     ///< the run's (or session's) directory; duplicated
  int output_dir_fd = -1;  ///< OutputSpec::path begins here; borrowed by start(); -1: the run's
  std::string run_id;      ///< for keeper.log and `moonlet ps`
  bool cgroups = true;     ///< false: never make a cgroup, even where it could be done
  /// The generation of the host's lock. A keeper obeys the host with the highest one that it has
  /// heard of; 0 is a host that counts none.
  std::uint64_t generation = 0;
};

/// A child that another host had started.
struct AdoptedChild {
  std::string step, attempt;
  std::int64_t started_ms = 0;   ///< since 1970; 0 where it has ended already
  std::int64_t deadline_ms = 0;  ///< since 1970; 0: none
  std::shared_ptr<ChildOperation> operation;
};

class Keeper {
 public:
  /// Starts the keeper process. `loop` is borrowed and outlives the keeper. What fails later (the
  /// log cannot be written, another keeper holds the directory) fails each child as kNotStarted.
  static Result<std::unique_ptr<Keeper>> start(Loop& loop, KeeperOptions options);
  /// Takes over the keeper at work in the run's directory, from a host that died or one that is
  /// stopped; null when there is none, and then what is known of its children is in keeper.log and
  /// sweep() may run. Uses of the options run_dir_fd and generation, which must be higher than that
  /// of the host before: kDenied when it is not. Children that were not to outlive their host end
  /// now, if they have not yet. Blocks for a few milliseconds, and up to ten seconds where a keeper
  /// is just ending or does not answer (kTimeout). The keeper's output directory stays what it was.
  static Result<std::unique_ptr<Keeper>> adopt(Loop& loop, KeeperOptions options);
  /// Every child that still runs is ended (TERM, a moment, KILL), whether it may outlive its host
  /// or not, and its operation completes as cancelled or lost. Waits for the keeper, at most about
  /// three seconds; a few milliseconds when no child was left. Of a keeper that another host has
  /// taken over nothing is ended and nothing waited for; started here, its guard is a child of ours
  /// that nobody reaps once this is gone.
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Never fails by itself: what cannot be started completes as kNotStarted, from the loop. Of a
  /// keeper that says nothing, half a minute after a child must have ended by its own limits or by
  /// cancel(), all children complete as kLost; what it may still have is then left to adopt().
  std::shared_ptr<ChildOperation> spawn(ChildSpec spec);
  /// Children that have not completed.
  std::size_t live() const;
  /// While `held` no child completes, nor is anything else heard of the keeper: for a host that has
  /// enough to do with those that did. Not for long.
  void hold_ends(bool held);
  /// Leaves the keeper as a host that dies leaves it: children that may outlive their host run on,
  /// and the next host takes them over; all others end. What was under way completes here as kLost,
  /// and nothing can be started any more. Nothing is waited for.
  void let_go();
  /// Asks the keeper to end once its last child has completed; spawn() then only gives kNotStarted.
  void shutdown();
  /// The run token that every child carries in MOONLET_STEP; empty until the keeper said hello.
  const std::string& token() const;
  /// The children of an adopted keeper: those that live, and those that ended while no host
  /// listened. Operations of ended children complete in the next turns of the loop, with the text
  /// that was captured in memory where it was not too much. Ends that were sent to an earlier host
  /// are in keeper.log.
  const std::vector<AdoptedChild>& adopted() const { return adopted_; }
  /// Another host has taken over: what was under way here has completed as kLost with an error of
  /// kind kDenied, and nothing can be started any more.
  bool superseded() const;

 private:
  explicit Keeper(std::shared_ptr<KeeperLink> link);
  std::shared_ptr<KeeperLink> link_;
  std::vector<AdoptedChild> adopted_;
};

}  // namespace moonlet
