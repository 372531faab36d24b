#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"
#include "host/process/client/link.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

namespace {

constexpr std::int64_t kGoodbyeMs = 3000;
constexpr std::int64_t kReapPauseMs = 2;
// A keeper that has let so much time pass beyond what a child may take, and said nothing in the
// last part of it, does nothing any more.
constexpr std::int64_t kBeyondMs = 30000;
constexpr std::int64_t kSilenceMs = 10000;
// A guard takes at most this long to end the processes that its worker left.
constexpr std::int64_t kGuardMs = 60000;
constexpr std::int64_t kGuardPauseMs = 1000;

Error silent() {
  return {ErrorKind::kLost,
          "the keeper does not answer any more",
          "it may be stopped, or wait for its disk: see to that, then resume the run; what it has "
          "under way is not lost",
          {}};
}

}  // namespace

void KeeperLink::gone() {
  stop_watching();
  if (overtaken()) {
    finish_all();
  } else {
    await_end();
  }
}

// It is stopped, or frozen, or its disk is. Looked at twice, for it may be us who were stopped, and
// what it has said was not read yet.
void KeeperLink::look_for_silence() {
  if (!connected_ || held_) return;
  const std::int64_t now = loop_.clock().monotonic_ms();
  const bool overdue = std::any_of(operations_.begin(), operations_.end(), [&](const auto& entry) {
    const std::int64_t due = entry.second->due_ms_;
    return due > 0 && now > due + kBeyondMs;
  });
  if (!overdue || now - heard_ms_ < kSilenceMs) return;
  if (std::exchange(woken_, true)) {
    return let_go(silent());
  }
  continue_keeper(run_dir_.get());
}

// It is left to itself, as by a host that died: what it has may go on, and is there for the next
// one.
void KeeperLink::let_go(Error why) {
  auto self = shared_from_this();
  if (connected_) stop_watching();
  channel_.reset();
  // Its end is the next host's to see to.
  ended_ = refused_ = left_ = true;
  refusal_ = std::move(why);
  finish_all();
}

// True when another host drives the keeper now. It says so, where we left it room to; the log has
// it, too.
bool KeeperLink::overtaken() {
  if (superseded_ || refused_ || ended_) return superseded_;
  const KeeperGlance newest = glance_at_keeper_log(run_dir_.get());
  if (newest.generation <= generation_) return false;
  // A host that counts no generations can have lost only this very keeper.
  if (generation_ == 0 && newest.token != token_) return false;
  superseded_ = refused_ = true;
  refusal_ = Error{
      ErrorKind::kDenied,
      "another host has taken over the run (generation " + std::to_string(newest.generation) + ")",
      "leave the run to it; what was under way is on its record",
      {}};
  return true;
}

// The guard may still be ending what its worker left; what it was asked for completes after that,
// so that "lost" also means "gone".
void KeeperLink::await_end() {
  if (ended_) return;
  if (has_ended()) {
    settle_losses();
    return;
  }
  const std::int64_t now = loop_.clock().monotonic_ms();
  if (gone_ms_ == 0) gone_ms_ = now;
  if (now - gone_ms_ > kGuardMs) return let_go(silent());
  if (now - gone_ms_ > kGuardPauseMs && !std::exchange(woken_, true)) {
    continue_keeper(run_dir_.get());
  }
  loop_.after(kReapPauseMs, [weak = weak_from_this()] {
    if (auto link = weak.lock()) link->await_end();
  });
}

bool KeeperLink::has_ended() { return own_ ? reap_guard() : !keeper_is_alive(run_dir_.get()); }

bool KeeperLink::reap_guard() {
  if (guard_ == 0) return true;
  int status = 0;
  const pid_t reaped = waitpid(guard_, &status, WNOHANG | WUNTRACED);
  if (reaped == 0 || (reaped < 0 && errno == EINTR)) return false;
  if (reaped > 0 && WIFSTOPPED(status)) {
    kill(guard_, SIGCONT);
    return false;
  }
  guard_status_ = status;
  // ECHILD: the program around us reaps every child; then how the guard ended is not known.
  if (reaped < 0) guard_status_ = SIGKILL;
  guard_ = 0;
  return true;
}

void KeeperLink::settle_losses() {
  ended_ = true;
  // An end that was not the guard's own may have left somebody behind.
  const bool orderly = own_ ? WIFEXITED(guard_status_) : glance_at_keeper_log(run_dir_.get()).ended;
  if (!orderly) (void)sweep(run_dir_.get());
  finish_all();
}

void KeeperLink::finish_all() {
  while (!operations_.empty()) {
    auto first = operations_.begin();
    ChildExit exit;
    exit.pid = first->second->pid_;
    if (superseded_ || left_) {
      exit.why = ChildExit::Why::kLost;
      exit.error = refusal_;
    } else if (refused_ && exit.pid == 0) {
      exit.error = refusal_;
    } else if (token_.empty()) {
      // It greets before it takes anything in.
      exit.error = Error{ErrorKind::kFailed,
                         "the keeper process ended before it was ready",
                         "run `moonlet doctor`; is " + program_ + " the right program?",
                         {}};
    } else {
      exit.why = ChildExit::Why::kLost;
      exit.error = Error{ErrorKind::kLost,
                         "the keeper vanished; how the step ended is not known",
                         "its processes are gone; keeper.log says what was started",
                         {}};
    }
    finish(first->first, std::move(exit));
  }
}

// It ends everything, and still tells how.
void KeeperLink::say_goodbye(std::int64_t give_up) {
  encode_number(channel_->out(), FrameType::kEnd, 0);
  bool half_closed = false;
  while (connected_ && boot_clock_ms() < give_up) {
    if (channel_->pending() && !channel_->flush()) channel_->discard();
    if (!channel_->pending() && !half_closed) {
      ::shutdown(channel_->fd(), SHUT_WR);
      half_closed = true;
    }
    const int events = POLLIN | (channel_->pending() ? POLLOUT : 0);
    pollfd ready{channel_->fd(), static_cast<short>(events), 0};
    if (::poll(&ready, 1, 50) <= 0 || (ready.revents & ~POLLOUT) == 0) continue;
    bool open = channel_->fill() == Channel::Read::kOk;
    for (auto frame = channel_->next(); frame && *frame; frame = channel_->next()) {
      if (!take(**frame)) open = false;
    }
    if (!open) stop_watching();
  }
  // A worker that does not even read learns of our wish by the end of its guard.
  if (connected_ && !half_closed && guard_ != 0) kill(guard_, SIGTERM);
  if (connected_) stop_watching();
}

void KeeperLink::close() {
  const std::int64_t give_up = boot_clock_ms() + kGoodbyeMs;
  if (connected_) say_goodbye(give_up);
  if (!ended_ && !overtaken()) {
    Fd ended(guard_ != 0 ? open_process_fd(guard_) : -1);
    while (!has_ended() && boot_clock_ms() < give_up) {
      pollfd ready{ended.get(), POLLIN, 0};
      ::poll(&ready, ended ? 1u : 0u, ended ? 50 : static_cast<int>(kReapPauseMs));
    }
    if (has_ended()) settle_losses();
  }
  if (guard_ != 0) (void)reap_guard();
  finish_all();
}

}  // namespace moonlet
