// KeeperLink is what a Keeper and its operations share, which may outlive it: the connection to the
// keeper process, the guard's pid, and the operations that have not completed. Loop thread only.
// Its half for the end of a keeper is in keeper_link_end.cpp.
#pragma once

#include <sys/types.h>
#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/base/fd.h"
#include "host/process/client/keeper.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

/// How often a link looks whether its keeper still does something, in milliseconds.
inline constexpr std::uint64_t kLookMs = 5000;

class KeeperLink final : public std::enable_shared_from_this<KeeperLink> {
 public:
  /// `guard` is a child of ours that must be reaped, or 0.
  KeeperLink(Loop& loop, std::unique_ptr<Channel> channel, pid_t guard, Fd run_dir,
             const KeeperOptions& options);
  ~KeeperLink();
  KeeperLink(const KeeperLink&) = delete;
  KeeperLink& operator=(const KeeperLink&) = delete;

  /// Greets a keeper that was started.
  void greet();
  /// Goes on with one that another host has started.
  std::vector<AdoptedChild> go_on(HelloFrame hello, AdoptedFrame adopted);

  std::shared_ptr<ChildOperation> spawn(ChildSpec spec);
  void cancel(std::uint32_t number, bool finished = false);
  void hold_idle(std::uint32_t number, bool held);
  void shutdown();
  void hold_ends(bool held);
  void let_go(Error why);
  /// Ends everything; nothing is pending in the loop afterwards.
  void close();
  std::size_t live() const { return operations_.size(); }
  const std::string& token() const { return token_; }
  bool superseded() const { return superseded_; }

 private:
  void watch();
  void hold_loop();
  void stop_watching();
  void receive();
  void take_all();
  void take_soon();
  bool take(const Frame& frame);
  void fail_soon(std::uint32_t number, Error error);
  void finish(std::uint32_t number, ChildExit exit);
  void finish_all();
  void gone();
  bool overtaken();
  void look_for_silence();
  void await_end();
  bool has_ended();
  bool reap_guard();
  void settle_losses();
  void say_goodbye(std::int64_t give_up);

  Loop& loop_;
  std::unique_ptr<Channel> channel_;
  Fd run_dir_;
  std::string program_;
  std::uint64_t generation_;
  pid_t guard_;
  bool own_;  ///< the keeper is a child of ours
  int guard_status_ = 0;
  uv_poll_t* poll_;
  uv_prepare_t* prepare_;
  uv_timer_t* look_;
  std::int64_t heard_ms_;
  std::int64_t gone_ms_ = 0;  ///< since when its guard's end is waited for
  bool woken_ = false;        ///< it was made to go on, in case that somebody had stopped it
  int polled_ = 0;
  bool connected_ = true;
  bool ending_ = false;
  bool hung_up_ = false;  ///< the keeper sends no more; bytes that were read may still wait
  bool more_ = false;     ///< a later turn takes the frames that were read already
  bool held_ = false;     ///< no frame is taken
  bool stalled_ = false;  ///< a frame came while held
  bool referenced_ = true;
  std::string token_;
  Error refusal_;
  bool refused_ = false;
  bool superseded_ = false;
  bool left_ = false;   ///< it was let go of
  bool ended_ = false;  ///< the keeper is gone, and what it left has been seen to
  std::uint32_t next_ = 1;
  std::unordered_map<std::uint32_t, std::shared_ptr<ChildOperation>> operations_;
};

}  // namespace moonlet
