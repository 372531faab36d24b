#include "host/process/client/keeper.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/base/fd.h"
#include "host/process/client/control.h"
#include "host/process/client/launch.h"
#include "host/process/client/link.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

KeeperLink::KeeperLink(Loop& loop, std::unique_ptr<Channel> channel, pid_t guard, Fd run_dir,
                       const KeeperOptions& options)
    : loop_(loop),
      channel_(std::move(channel)),
      run_dir_(std::move(run_dir)),
      program_(options.program),
      generation_(options.generation),
      guard_(guard),
      own_(guard != 0),
      poll_(new uv_poll_t{}),
      prepare_(new uv_prepare_t{}),
      look_(new uv_timer_t{}),
      heard_ms_(loop.clock().monotonic_ms()) {
  uv_poll_init(loop_.raw(), poll_, channel_->fd());
  poll_->data = this;
  uv_prepare_init(loop_.raw(), prepare_);
  prepare_->data = this;
  uv_prepare_start(prepare_,
                   [](uv_prepare_t* prepare) { static_cast<KeeperLink*>(prepare->data)->watch(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_));
  uv_timer_init(loop_.raw(), look_);
  look_->data = this;
  uv_timer_start(
      look_, [](uv_timer_t* look) { static_cast<KeeperLink*>(look->data)->look_for_silence(); },
      kLookMs, kLookMs);
  uv_unref(reinterpret_cast<uv_handle_t*>(look_));
  watch();
}

KeeperLink::~KeeperLink() { close(); }

void KeeperLink::greet() {
  encode(channel_->out(), HelloFrame{kKeeperProtocol, MOONLET_VERSION, "", 0, 0});
}

std::vector<AdoptedChild> KeeperLink::go_on(HelloFrame hello, AdoptedFrame adopted) {
  token_ = std::move(hello.token);
  next_ = adopted.highest + 1;
  std::vector<AdoptedChild> children;
  for (auto& child : adopted.children) {
    auto operation = std::make_shared<ChildOperation>();
    operation->link_ = weak_from_this();
    operation->number_ = child.number;
    operation->pid_ = child.pid;
    if (child.deadline_ms > 0) {
      const std::int64_t left = child.deadline_ms - loop_.clock().wall_ms();
      operation->due_ms_ = loop_.clock().monotonic_ms() + std::max<std::int64_t>(left, 0);
    }
    operations_.emplace(child.number, operation);
    children.push_back({std::move(child.step), std::move(child.attempt), child.started_ms,
                        child.deadline_ms, std::move(operation)});
  }
  hold_loop();
  // Frames that came with the answer are in the channel already, where no poll sees them.
  loop_.after(0, [weak = weak_from_this()] {
    if (auto link = weak.lock(); link && link->connected_) link->receive();
  });
  return children;
}

// Before the loop waits: sends what has gathered, and waits for what is needed. An idle keeper does
// not keep the loop running.
void KeeperLink::watch() {
  if (!connected_) return;
  if (channel_->pending() && !channel_->flush()) {
    // The keeper's last frames may still be there to be read. Its end of file follows them.
    channel_->discard();
  }
  // Unread bytes in the socket would wake the loop again and again.
  const int events = (stalled_ ? 0 : UV_READABLE) | (channel_->pending() ? UV_WRITABLE : 0);
  if (events == 0) {
    polled_ = 0;
    uv_poll_stop(poll_);
  } else if (events != polled_) {
    polled_ = events;
    uv_poll_start(poll_, events, [](uv_poll_t* poll, int status, int) {
      auto* link = static_cast<KeeperLink*>(poll->data);
      if (status >= 0) return link->receive();
      // libuv has stopped. Reading will tell why, but what was sent before comes first, and in
      // between nothing else may keep the loop going.
      auto self = link->shared_from_this();
      link->polled_ = 0;
      link->receive();
      link->watch();
    });
  }
  hold_loop();
}

void KeeperLink::hold_loop() {
  if (!connected_) return;
  const bool needed = !operations_.empty();
  if (needed != referenced_) {
    referenced_ = needed;
    auto* handle = reinterpret_cast<uv_handle_t*>(poll_);
    needed ? uv_ref(handle) : uv_unref(handle);
  }
}

void KeeperLink::stop_watching() {
  connected_ = false;
  if (poll_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(poll_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(prepare_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_prepare_t*>(handle); });
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(look_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
}

// --- asking
// ----------------------------------------------------------------------------------------

std::shared_ptr<ChildOperation> KeeperLink::spawn(ChildSpec spec) {
  auto operation = std::make_shared<ChildOperation>();
  const std::uint32_t number = next_++;
  operation->link_ = weak_from_this();
  operation->number_ = number;
  operation->ending_ms_ =
      std::max<std::int64_t>(spec.grace_ms, 0) + std::max<std::int64_t>(spec.drain_ms, 0);
  if (spec.wall_ms > 0) {
    operation->due_ms_ = loop_.clock().monotonic_ms() + spec.wall_ms + operation->ending_ms_;
  }
  operations_.emplace(number, operation);
  hold_loop();
  auto fail = [&](Error error) {
    fail_soon(number, std::move(error));
    return operation;
  };
  if (!connected_ || ending_) {
    if (refused_) return fail(refusal_);
    return fail({ErrorKind::kLost,
                 "the keeper has ended; nothing can be started any more",
                 "start the run again",
                 {}});
  }
  if (spec.cwd.empty()) {
    char folder[PATH_MAX];
    if (getcwd(folder, sizeof folder) == nullptr) {
      return fail(Error::from_errno(errno, "find the working directory"));
    }
    spec.cwd = folder;
  }
  for (OutputSpec* output : {&spec.out, &spec.err}) {
    if (output->target == OutputSpec::Target::kInline) {
      output->cap = std::min(output->cap, kInlineLimit);
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

void KeeperLink::cancel(std::uint32_t number, bool finished) {
  if (!connected_) return;
  encode_number(channel_->out(), FrameType::kCancel, number, finished ? 1 : 0);
  auto found = operations_.find(number);
  if (found == operations_.end()) return;
  ChildOperation& operation = *found->second;
  const std::int64_t due = loop_.clock().monotonic_ms() + operation.ending_ms_;
  operation.due_ms_ = operation.due_ms_ == 0 ? due : std::min(operation.due_ms_, due);
}

void KeeperLink::hold_idle(std::uint32_t number, bool held) {
  if (connected_) encode_number(channel_->out(), FrameType::kHoldIdle, number, held ? 1 : 0);
}

void KeeperLink::shutdown() {
  if (!connected_ || ending_) return;
  ending_ = true;
  encode_number(channel_->out(), FrameType::kShutdown, 0);
}

void KeeperLink::fail_soon(std::uint32_t number, Error error) {
  ChildExit exit;
  exit.error = std::move(error);
  loop_.after(0, [weak = weak_from_this(), number, exit = std::move(exit)]() mutable {
    if (auto link = weak.lock()) link->finish(number, std::move(exit));
  });
}

// --- listening
// -------------------------------------------------------------------------------------

void KeeperLink::receive() {
  heard_ms_ = loop_.clock().monotonic_ms();
  woken_ = false;
  if (more_) return;  // earlier frames come first
  if (!hung_up_) hung_up_ = channel_->fill() != Channel::Read::kOk;
  take_all();
}

// One end of a child in each turn of the loop: who waited for it goes on, and may have the next one
// under way, before others are heard. Children that ended together would else start together again,
// all of them after the last one's records.
void KeeperLink::take_all() {
  // A completed operation may drop the last owner of this.
  auto self = shared_from_this();
  more_ = false;
  while (connected_) {
    if (held_) {
      more_ = stalled_ = true;
      return;
    }
    auto frame = channel_->next();
    if (frame && !*frame) break;
    if (!frame || !take(**frame)) {
      hung_up_ = true;
      break;
    }
    if ((*frame)->type != FrameType::kExit || !connected_) continue;
    take_soon();
    return;
  }
  if (hung_up_ && connected_) gone();
}

void KeeperLink::take_soon() {
  more_ = true;
  loop_.after(0, [weak = weak_from_this()] {
    if (auto link = weak.lock()) link->take_all();
  });
}

void KeeperLink::hold_ends(bool held) {
  held_ = held;
  if (!held && std::exchange(stalled_, false)) take_soon();
}

bool KeeperLink::take(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kHello: {
      auto hello = decode_hello(frame.body);
      if (!hello) return false;
      if (auto mismatch = check_protocol(*hello)) {
        refused_ = true;
        refusal_ = *mismatch;
        return false;
      }
      token_ = hello->token;
      return true;
    }
    case FrameType::kRefused: {
      auto error = decode_refused(frame.body);
      refused_ = error.has_value();
      if (error) refusal_ = *error;
      return true;
    }
    case FrameType::kSuperseded: {
      auto error = decode_refused(frame.body);
      if (!error) return false;
      superseded_ = refused_ = true;
      refusal_ = *error;
      return false;  // it has hung up
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

void KeeperLink::finish(std::uint32_t number, ChildExit exit) {
  auto found = operations_.find(number);
  if (found == operations_.end()) return;
  auto operation = std::move(found->second);
  operations_.erase(found);
  operation->finish(std::move(exit));
}

// --- the public face
// -------------------------------------------------------------------------------

void ChildOperation::start_cancel() {
  if (auto link = link_.lock()) link->cancel(number_);
}

void ChildOperation::end_finished() {
  auto link = link_.lock();
  if (link && !done()) link->cancel(number_, true);
}

void ChildOperation::hold_idle(bool held) {
  auto link = link_.lock();
  if (link && !done()) link->hold_idle(number_, held);
}

void ChildOperation::finish(ChildExit exit) {
  exit_ = std::move(exit);
  if (exit_.pid != 0) pid_ = exit_.pid;
  complete();
}

Keeper::Keeper(std::shared_ptr<KeeperLink> link) : link_(std::move(link)) {}
Keeper::~Keeper() { link_->close(); }

Result<std::unique_ptr<Keeper>> Keeper::start(Loop& loop, KeeperOptions options) {
  Fd run_dir(fcntl(options.run_dir_fd, F_DUPFD_CLOEXEC, 3));
  if (!run_dir) return Error::from_errno(errno, "use the run's directory");
  options.run_dir_fd = run_dir.get();
  if (options.output_dir_fd < 0) options.output_dir_fd = options.run_dir_fd;
  auto launched = launch_keeper(options);
  if (!launched) return launched.error();
  auto channel =
      std::make_unique<Channel>(launched->socket.release(), kWorkerFrameLimit, Channel::Fds::kNone);
  auto link = std::make_shared<KeeperLink>(loop, std::move(channel), launched->guard,
                                           std::move(run_dir), options);
  link->greet();
  return std::unique_ptr<Keeper>(new Keeper(std::move(link)));
}

Result<std::unique_ptr<Keeper>> Keeper::adopt(Loop& loop, KeeperOptions options) {
  Fd run_dir(fcntl(options.run_dir_fd, F_DUPFD_CLOEXEC, 3));
  if (!run_dir) return Error::from_errno(errno, "use the run's directory");
  auto found = adopt_keeper(run_dir.get(), options.generation);
  if (!found) return found.error();
  if (!found->has_value()) return std::unique_ptr<Keeper>();
  AdoptedKeeper& adopted = **found;
  auto link = std::make_shared<KeeperLink>(loop, std::move(adopted.channel), 0, std::move(run_dir),
                                           options);
  auto children = link->go_on(std::move(adopted.hello), std::move(adopted.adopted));
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(link)));
  keeper->adopted_ = std::move(children);
  return keeper;
}

std::shared_ptr<ChildOperation> Keeper::spawn(ChildSpec spec) {
  return link_->spawn(std::move(spec));
}
std::size_t Keeper::live() const { return link_->live(); }
void Keeper::shutdown() { link_->shutdown(); }
void Keeper::let_go() {
  link_->let_go({ErrorKind::kLost,
                 "this host has let go of the keeper",
                 "the next one takes over what still runs",
                 {}});
}
const std::string& Keeper::token() const { return link_->token(); }
void Keeper::hold_ends(bool held) { link_->hold_ends(held); }

bool Keeper::superseded() const { return link_->superseded(); }

}  // namespace moonlet
