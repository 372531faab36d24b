#include "host/process/client/keeper.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"
#include "host/process/client/launch.h"
#include "host/process/client/requests.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/keeper_log.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

namespace {

// Check for a silent keeper at this interval.
constexpr std::uint64_t kSilenceCheckMs = 5000;
constexpr std::int64_t kGoodbyeMs = 3000;
constexpr std::int64_t kReapPauseMs = 2;
// A keeper hangs if a child is 30 s overdue and the keeper has been silent for 10 s.
constexpr std::int64_t kBeyondMs = 30000;
constexpr std::int64_t kSilenceMs = 10000;
// A guard needs at most this long to end the processes that its worker left.
constexpr std::int64_t kGuardMs = 60000;
constexpr std::int64_t kGuardPauseMs = 1000;

Error silent() {
  return {ErrorKind::kLost, "the keeper does not answer any more",
          "it may be stopped, or wait for its disk: see to that, then resume the run; its children "
          "are not lost"};
}

}  // namespace

Keeper::Keeper(Loop& loop, std::unique_ptr<Channel> channel, pid_t guard, Fd run_dir,
               const KeeperOptions& options)
    : loop_(loop),
      channel_(std::move(channel)),
      run_dir_(std::move(run_dir)),
      program_(options.program),
      generation_(options.generation),
      guard_(guard),
      poll_(new uv_poll_t{}),
      prepare_(new uv_prepare_t{}),
      silence_(new uv_timer_t{}),
      heard_ms_(loop.clock().monotonic_ms()) {
  uv_poll_init(loop_.raw(), poll_, channel_->fd());
  poll_->data = this;
  uv_prepare_init(loop_.raw(), prepare_);
  prepare_->data = this;
  uv_prepare_start(prepare_, [](uv_prepare_t* prepare) {
    static_cast<Keeper*>(prepare->data)->before_waiting();
  });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_));
  uv_timer_init(loop_.raw(), silence_);
  silence_->data = this;
  uv_timer_start(
      silence_, [](uv_timer_t* timer) { static_cast<Keeper*>(timer->data)->check_silence(); },
      kSilenceCheckMs, kSilenceCheckMs);
  uv_unref(reinterpret_cast<uv_handle_t*>(silence_));
  before_waiting();
}

Keeper::~Keeper() {
  close();
  if (has_guard()) leave_guard(guard_);
  reap_left_guards();
}

// Closes the keeper as soon as its last owner is gone, even while a frame is handled.
// The object itself lives until the frame is handled.
std::shared_ptr<Keeper> Keeper::owned(std::shared_ptr<Keeper> keeper) {
  Keeper* raw = keeper.get();
  return {raw, [keeper = std::move(keeper)](Keeper*) mutable {
            keeper->close();
            keeper.reset();
          }};
}

Result<std::shared_ptr<Keeper>> Keeper::start(Loop& loop, KeeperOptions options) {
  Fd run_dir(fcntl(options.run_dir_fd, F_DUPFD_CLOEXEC, 3));
  if (!run_dir) return Error::from_errno(errno, "use the run's directory");
  options.run_dir_fd = run_dir.get();
  if (options.output_dir_fd < 0) options.output_dir_fd = options.run_dir_fd;
  auto launched = launch_keeper(options);
  if (!launched) return launched.error();
  auto channel =
      std::make_unique<Channel>(launched->socket.release(), kWorkerFrameLimit, Channel::Fds::kNone);
  std::shared_ptr<Keeper> keeper(
      new Keeper(loop, std::move(channel), launched->guard, std::move(run_dir), options));
  encode(keeper->channel_->out(), HelloFrame{kKeeperProtocol, MOONLET_VERSION, "", 0, 0});
  return owned(std::move(keeper));
}

Result<std::shared_ptr<Keeper>> Keeper::adopt(Loop& loop, KeeperOptions options) {
  Fd run_dir(fcntl(options.run_dir_fd, F_DUPFD_CLOEXEC, 3));
  if (!run_dir) return Error::from_errno(errno, "use the run's directory");
  auto found = adopt_keeper(run_dir.get(), options.generation);
  if (!found) return found.error();
  if (!found->has_value()) return std::shared_ptr<Keeper>();
  AdoptedKeeper& adopted = **found;
  std::shared_ptr<Keeper> keeper(
      new Keeper(loop, std::move(adopted.channel), 0, std::move(run_dir), options));
  keeper->take_over(std::move(adopted.hello), std::move(adopted.adopted));
  return owned(std::move(keeper));
}

void Keeper::take_over(HelloFrame hello, AdoptedFrame adopted) {
  phase_ = Phase::kOpen;
  token_ = std::move(hello.token);
  next_ = adopted.highest + 1;
  for (auto& child : adopted.children) {
    auto operation = std::make_shared<ChildOperation>();
    operation->keeper_ = weak_from_this();
    operation->number_ = child.number;
    operation->pid_ = child.pid;
    if (child.deadline_ms > 0) {
      const std::int64_t left = child.deadline_ms - loop_.clock().wall_ms();
      operation->deadline_ms_ = loop_.clock().monotonic_ms() + std::max<std::int64_t>(left, 0);
    }
    operations_.emplace(child.number, operation);
    adopted_.push_back({std::move(child), std::move(operation)});
  }
  hold_loop();
  // Frames that arrived with the greeting are already in the channel, where no poll sees them.
  loop_.after(0, [weak = weak_from_this()] {
    if (auto keeper = weak.lock(); keeper && keeper->connected()) keeper->receive();
  });
}

// Sends the collected frames, and polls only for the events that are needed now.
void Keeper::before_waiting() {
  if (!connected()) return;
  if (channel_->pending() && !channel_->flush()) {
    // Drop only the output. The keeper's last frames and the end of file may still be unread.
    channel_->discard();
  }
  // While input is not read, do not poll for it: unread bytes would wake the loop repeatedly.
  const int events =
      (reading_ == Reading::kStalled ? 0 : UV_READABLE) | (channel_->pending() ? UV_WRITABLE : 0);
  if (events == 0) {
    polled_ = 0;
    uv_poll_stop(poll_);
  } else if (events != polled_) {
    polled_ = events;
    uv_poll_start(poll_, events, [](uv_poll_t* poll, int status, int) {
      auto* keeper = static_cast<Keeper*>(poll->data);
      if (status >= 0) return keeper->receive();
      // libuv stops the poll after an error, but receive() still reads earlier frames and the
      // error. Until the next read, this handle must not keep the loop alive.
      auto self = keeper->shared_from_this();
      keeper->polled_ = 0;
      keeper->receive();
      keeper->before_waiting();
    });
  }
  hold_loop();
}

// An idle keeper does not keep the loop alive.
void Keeper::hold_loop() {
  if (!connected()) return;
  auto* handle = reinterpret_cast<uv_handle_t*>(poll_);
  operations_.empty() ? uv_unref(handle) : uv_ref(handle);
}

void Keeper::disconnect(Phase next) {
  phase_ = next;
  if (poll_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(poll_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(prepare_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_prepare_t*>(handle); });
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(silence_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
}

std::shared_ptr<ChildOperation> Keeper::spawn(ChildSpec spec) {
  auto operation = std::make_shared<ChildOperation>();
  const std::uint32_t number = next_++;
  operation->keeper_ = weak_from_this();
  operation->number_ = number;
  operation->ending_ms_ =
      std::max<std::int64_t>(spec.grace_ms, 0) + std::max<std::int64_t>(spec.drain_ms, 0);
  if (spec.wall_ms > 0) {
    operation->deadline_ms_ = loop_.clock().monotonic_ms() + spec.wall_ms + operation->ending_ms_;
  }
  operations_.emplace(number, operation);
  hold_loop();
  auto fail = [&](Error error) {
    fail_soon(number, std::move(error));
    return operation;
  };
  if (!connected() || phase_ == Phase::kEnding) {
    if (refusal_) return fail(*refusal_);
    return fail({ErrorKind::kLost, "the keeper has ended; nothing can be started any more",
                 "start the run again"});
  }
  if (spec.cwd.empty()) {
    char folder[PATH_MAX];
    if (getcwd(folder, sizeof folder) == nullptr) {
      return fail(Error::from_errno(errno, "find the working directory"));
    }
    spec.cwd = folder;
  }
  for (OutputSpec* output : {&spec.out, &spec.err}) {
    if (output->target == OutputSpec::Target::kInline && output->cap > kInlineLimit) {
      return fail({ErrorKind::kInvalid,
                   "a captured stream holds at most " + std::to_string(kInlineLimit) + " bytes",
                   "give a smaller cap, or write the stream to a file"});
    }
  }
  std::size_t at = channel_->out().size();
  if (auto encoded = encode_start(channel_->out(), number, spec); !encoded) {
    return fail(encoded.error());
  }
  if (spec.stdin_fd >= 0 && !channel_->attach(at, spec.stdin_fd)) {
    int error = errno;
    channel_->out().resize(at);
    return fail(Error::from_errno(error, "pass stdin to the program"));
  }
  return operation;
}

void Keeper::cancel(std::uint32_t number, bool finished) {
  if (!connected()) return;
  encode_number(channel_->out(), FrameType::kCancel, number, finished ? 1 : 0);
  auto found = operations_.find(number);
  if (found == operations_.end()) return;
  ChildOperation& operation = *found->second;
  const std::int64_t due = loop_.clock().monotonic_ms() + operation.ending_ms_;
  operation.deadline_ms_ =
      operation.deadline_ms_ == 0 ? due : std::min(operation.deadline_ms_, due);
}

void Keeper::hold_idle(std::uint32_t number, bool held) {
  if (connected()) encode_number(channel_->out(), FrameType::kHoldIdle, number, held ? 1 : 0);
}

void Keeper::shutdown() {
  if (!connected() || phase_ == Phase::kEnding) return;
  phase_ = Phase::kEnding;
  encode_number(channel_->out(), FrameType::kShutdown, 0);
}

void Keeper::fail_soon(std::uint32_t number, Error error) {
  ChildExit exit;
  exit.error = std::move(error);
  loop_.after(0, [weak = weak_from_this(), number, exit = std::move(exit)]() mutable {
    if (auto keeper = weak.lock()) keeper->finish(number, std::move(exit));
  });
}

void Keeper::receive() {
  heard_ms_ = loop_.clock().monotonic_ms();
  woken_ = false;
  if (reading_ != Reading::kPolled) return;  // first handle the frames that were read earlier
  channel_->fill();
  handle_frames();
}

// Handles one ended child per loop turn, so that its task can start the next child without delay.
// If children end together, handling all at once would delay each task until all ends are recorded.
void Keeper::handle_frames() {
  // Keep this object alive, because completing an operation may release the last reference to it.
  auto self = shared_from_this();
  reading_ = Reading::kPolled;
  while (connected()) {
    if (held_) {
      reading_ = Reading::kStalled;
      return;
    }
    auto frame = channel_->next();
    if (frame && !*frame) break;
    if (!frame || !handle(**frame)) return disconnected();
    if ((*frame)->type != FrameType::kExit || !connected()) continue;
    return handle_soon();
  }
  if (connected() && channel_->ended()) disconnected();
}

void Keeper::handle_soon() {
  reading_ = Reading::kSoon;
  loop_.after(0, [weak = weak_from_this()] {
    if (auto keeper = weak.lock()) keeper->handle_frames();
  });
}

void Keeper::hold_ends(bool held) {
  held_ = held;
  if (!held && reading_ == Reading::kStalled) handle_soon();
}

// Handles a frame. Returns false if the frame is invalid or refuses this host.
bool Keeper::handle(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kHello: {
      auto hello = decode_hello(frame.body);
      if (!hello) return false;
      if (auto mismatch = check_protocol(*hello)) {
        refusal_ = std::move(mismatch);
        return false;
      }
      token_ = hello->token;
      if (phase_ == Phase::kGreeting) phase_ = Phase::kOpen;
      return true;
    }
    case FrameType::kRefused: {
      auto error = decode_refused(frame.body);
      refusal_ = std::move(error);
      return true;
    }
    case FrameType::kSuperseded: {
      auto error = decode_refused(frame.body);
      if (error) supersede(std::move(*error));
      return false;  // the keeper has hung up
    }
    case FrameType::kStarted: {
      auto started = decode_number(frame.body);
      if (!started) return false;
      auto found = operations_.find(started->number);
      if (found != operations_.end()) found->second->pid_ = static_cast<int>(started->value);
      return true;
    }
    case FrameType::kExit: {
      auto exit = decode_exit(frame.body);
      if (!exit) return false;
      finish(exit->number, std::move(exit->exit));
      return true;
    }
    default:
      return false;
  }
}

void Keeper::finish(std::uint32_t number, ChildExit exit) {
  auto found = operations_.find(number);
  if (found == operations_.end()) return;
  auto operation = std::move(found->second);
  operations_.erase(found);
  operation->finish(std::move(exit));
}

void ChildOperation::start_cancel() {
  if (auto keeper = keeper_.lock()) keeper->cancel(number_);
}

void ChildOperation::end_finished() {
  auto keeper = keeper_.lock();
  if (keeper && !done()) keeper->cancel(number_, true);
}

void ChildOperation::hold_idle(bool held) {
  auto keeper = keeper_.lock();
  if (keeper && !done()) keeper->hold_idle(number_, held);
}

void ChildOperation::finish(ChildExit exit) {
  exit_ = std::move(exit);
  if (exit_.pid != 0) pid_ = exit_.pid;
  complete();
}

// Handles a connection that is closed or unusable.
void Keeper::disconnected() {
  if (connected()) disconnect(Phase::kGone);
  if (overtaken()) {
    finish_all();
  } else {
    await_end();
  }
}

// Gives up on a keeper that is stopped or frozen, or waits for its disk. A single check is not
// enough, because after a stop of this host itself, frames of the keeper may still be unread.
void Keeper::check_silence() {
  if (!connected() || held_) return;
  const std::int64_t now = loop_.clock().monotonic_ms();
  const bool overdue = std::any_of(operations_.begin(), operations_.end(), [&](const auto& entry) {
    const std::int64_t due = entry.second->deadline_ms_;
    return due > 0 && now > due + kBeyondMs;
  });
  if (!overdue || now - heard_ms_ < kSilenceMs) return;
  if (std::exchange(woken_, true)) return leave(silent());
  continue_keeper(run_dir_.get());
}

void Keeper::let_go() {
  leave({ErrorKind::kLost, "this host has let go of the keeper",
         "the next host takes over what still runs"});
}

// Leaves the keeper running, as a dying host does. A later host can adopt the keeper.
void Keeper::leave(Error why) {
  if (phase_ > Phase::kGone) return;
  auto self = shared_from_this();
  disconnect(Phase::kLeft);
  channel_.reset();
  refusal_ = std::move(why);
  finish_all();
}

void Keeper::supersede(Error why) {
  disconnect(Phase::kSuperseded);
  refusal_ = std::move(why);
}

// Returns true if another host drives the keeper. Reads the log, because the frame about a takeover
// is missing if the socket was full.
bool Keeper::overtaken() {
  if (phase_ != Phase::kGone || refusal_) return phase_ == Phase::kSuperseded;
  const KeeperGlance newest = glance_at_keeper_log(run_dir_.get());
  if (newest.generation <= generation_) return false;
  // Generation 0 means that this host has no lock. Another host then supersedes it only by taking
  // over this keeper, and not by starting another one.
  if (generation_ == 0 && newest.token != token_) return false;
  supersede(
      {ErrorKind::kDenied,
       "another host has taken over the run (generation " + std::to_string(newest.generation) + ")",
       "let that host continue; what was under way is on its record"});
  return true;
}

// Waits for the keeper's end. Its guard may still be ending processes that the worker left.
// Operations complete only after that, so that no process of a lost child still runs.
void Keeper::await_end() {
  if (phase_ != Phase::kGone) return;
  if (has_ended()) return settle_losses();
  const std::int64_t now = loop_.clock().monotonic_ms();
  if (gone_ms_ == 0) gone_ms_ = now;
  if (now - gone_ms_ > kGuardMs) return leave(silent());
  if (now - gone_ms_ > kGuardPauseMs && !std::exchange(woken_, true)) {
    continue_keeper(run_dir_.get());
  }
  loop_.after(kReapPauseMs, [weak = weak_from_this()] {
    if (auto keeper = weak.lock()) keeper->await_end();
  });
}

bool Keeper::has_ended() { return guard_ != 0 ? reap_guard() : !keeper_is_alive(run_dir_.get()); }

bool Keeper::reap_guard() {
  if (!has_guard()) return true;
  int status = 0;
  const pid_t reaped = waitpid(guard_, &status, WNOHANG | WUNTRACED);
  if (reaped == 0 || (reaped < 0 && errno == EINTR)) return false;
  if (reaped > 0 && WIFSTOPPED(status)) {
    kill(guard_, SIGCONT);
    return false;
  }
  // ECHILD: the embedding program reaps every child, so the guard's status is unknown.
  guard_status_ = reaped < 0 ? SIGKILL : status;
  return true;
}

void Keeper::settle_losses() {
  phase_ = Phase::kEnded;
  // If the guard was killed, end the processes that it may have left running.
  const bool orderly =
      guard_status_ ? WIFEXITED(*guard_status_) : glance_at_keeper_log(run_dir_.get()).ended;
  if (!orderly) (void)sweep(run_dir_.get());
  finish_all();
}

void Keeper::finish_all() {
  while (!operations_.empty()) {
    auto first = operations_.begin();
    finish(first->first, last_exit(*first->second));
  }
}

// Returns the end of a child that the keeper did not report.
ChildExit Keeper::last_exit(const ChildOperation& operation) const {
  ChildExit exit;
  exit.pid = operation.pid_;
  if (phase_ == Phase::kSuperseded || phase_ == Phase::kLeft) {
    exit.why = ChildExit::Why::kLost;
    exit.error = *refusal_;
  } else if (refusal_ && exit.pid == 0) {
    exit.error = *refusal_;
  } else if (token_.empty()) {
    // The keeper ended before its greeting, so it has started no child.
    exit.error = Error{ErrorKind::kFailed, "the keeper process ended before it was ready",
                       "run `moonlet doctor`; is " + program_ + " the right program?"};
  } else {
    exit.why = ChildExit::Why::kLost;
    exit.error = Error{ErrorKind::kLost, "the keeper vanished; how the step ended is not known",
                       "its processes are gone; keeper.log says what was started"};
  }
  return exit;
}

// Asks the keeper to end every child and still report each end.
void Keeper::say_goodbye(std::int64_t give_up) {
  encode_number(channel_->out(), FrameType::kEnd, 0);
  bool half_closed = false;
  while (connected() && boot_clock_ms() < give_up) {
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
      if (!handle(**frame)) open = false;
    }
    if (!open && connected()) disconnect(Phase::kGone);
  }
  if (!connected()) return;
  // If the worker has not read the request to end, kill its guard, so that the worker ends, too.
  if (!half_closed && has_guard()) kill(guard_, SIGTERM);
  disconnect(Phase::kGone);
}

void Keeper::close() {
  const std::int64_t give_up = boot_clock_ms() + kGoodbyeMs;
  if (connected()) say_goodbye(give_up);
  if (phase_ == Phase::kGone && !overtaken()) {
    Fd ended(has_guard() ? open_process_fd(guard_) : -1);
    while (!has_ended() && boot_clock_ms() < give_up) {
      pollfd ready{ended.get(), POLLIN, 0};
      ::poll(&ready, ended ? 1u : 0u, ended ? 50 : static_cast<int>(kReapPauseMs));
    }
    if (has_ended()) settle_losses();
  }
  if (has_guard()) (void)reap_guard();
  finish_all();
  if (phase_ != Phase::kGone) return;
  // The keeper did not end in time, so give up on its processes.
  phase_ = Phase::kLeft;
  refusal_ = silent();
}

}  // namespace moonlet
