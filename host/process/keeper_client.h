// The host's side of a keeper: starts the second process that owns the children, asks it for
// children, and completes one ChildOperation each. Owns the socket and the guard's pid; installs no
// signal handler and never becomes a subreaper. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"
#include "host/process/child.h"
#include "host/validation/marker.h"

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

  /// Called with the bytes both streams brought so far, at most about twenty times a second; what
  /// was told is already in the files. A child that ends at once never calls it.
  std::function<void(std::int64_t bytes)> on_output;
  /// With ChildSpec.watch_markers: each marker of stdout as it happens, the last before completion.
  /// About a megabyte of them a child; what comes after that is in the captured stream only.
  std::function<void(const Marker& marker)> on_marker;

 private:
  friend class KeeperLink;
  void start_cancel() override;
  void finish(ChildExit exit);

  std::weak_ptr<KeeperLink> link_;
  ChildExit exit_;
  std::uint32_t number_ = 0;
  int pid_ = 0;
};

struct KeeperOptions {
  std::string program;  ///< the executable that calls keeper_main(); absolute
  std::vector<std::string> prefix_args{"keeper"};
  int run_dir_fd = -1;     ///< the run's (or session's) directory; duplicated
  int output_dir_fd = -1;  ///< where OutputSpec::path begins; borrowed by start(); -1: the same
  std::string run_id;      ///< for keeper.log and `moonlet ps`
  bool cgroups = true;     ///< false: never make a cgroup, even where it could be done
};

class Keeper {
 public:
  /// Starts the keeper process. `loop` is borrowed and outlives the keeper. What fails later (the
  /// log cannot be written, another keeper holds the directory) fails each child as kNotStarted.
  static Result<std::unique_ptr<Keeper>> start(Loop& loop, KeeperOptions options);
  /// Every child that still runs is ended (TERM, a moment, KILL) and its operation completes as
  /// cancelled or lost. Waits for the keeper, at most about three seconds; a few milliseconds when
  /// no child was left.
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Never fails by itself: what cannot be started completes as kNotStarted, from the loop.
  std::shared_ptr<ChildOperation> spawn(ChildSpec spec);
  /// Children that have not completed.
  std::size_t live() const;
  /// Asks the keeper to end once its last child has completed; spawn() then only gives kNotStarted.
  void shutdown();
  /// The run token that every child carries in MOONLET_STEP; empty until the keeper said hello.
  const std::string& token() const;

 private:
  explicit Keeper(std::shared_ptr<KeeperLink> link);
  std::shared_ptr<KeeperLink> link_;
};

}  // namespace moonlet
