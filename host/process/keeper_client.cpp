#include "host/process/keeper_client.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <unordered_map>
#include <utility>

#include "host/artifact/fd.h"
#include "host/process/adoption.h"
#include "host/process/channel.h"
#include "host/process/control.h"
#include "host/process/keeper_launch.h"
#include "host/process/keeper_log.h"
#include "host/process/protocol.h"
#include "host/process/sweep.h"
#include "host/process/tree.h"

namespace moonlet {

namespace {

constexpr std::int64_t kGoodbyeMs = 3000;
constexpr std::int64_t kReapPauseMs = 2;

}  // namespace

// Shared with the operations, which may outlive the Keeper.
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
  void cancel(std::uint32_t number);
  void shutdown();
  void hold_ends(bool held);
  void let_go();
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
  int polled_ = 0;
  bool connected_ = true;
  bool ending_ = false;
  bool hung_up_ = false;  ///< nothing comes from it any more but what was read already
  bool more_ = false;     ///< what was read already is taken later
  bool held_ = false;     ///< nothing is taken
  bool stalled_ = false;  ///< something would have been
  bool referenced_ = true;
  std::string token_;
  Error refusal_;
  bool refused_ = false;
  bool superseded_ = false;
  bool let_go_ = false;
  bool ended_ = false;  ///< the keeper is gone, and what it left has been seen to
  std::uint32_t next_ = 1;
  std::unordered_map<std::uint32_t, std::shared_ptr<ChildOperation>> operations_;
};

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
      prepare_(new uv_prepare_t{}) {
  uv_poll_init(loop_.raw(), poll_, channel_->fd());
  poll_->data = this;
  uv_prepare_init(loop_.raw(), prepare_);
  prepare_->data = this;
  uv_prepare_start(prepare_,
                   [](uv_prepare_t* prepare) { static_cast<KeeperLink*>(prepare->data)->watch(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_));
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
    operations_.emplace(child.number, operation);
    children.push_back({std::move(child.step), std::move(child.attempt), child.started_ms,
                        child.deadline_ms, std::move(operation)});
  }
  hold_loop();
  // What came with the answer is in the channel already, where no poll sees it.
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
    // What it said last may still be there to be read; its end comes with that.
    channel_->discard();
  }
  // What waits in the socket would wake the loop again and again.
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
}

// --- asking
// ----------------------------------------------------------------------------------------

std::shared_ptr<ChildOperation> KeeperLink::spawn(ChildSpec spec) {
  auto operation = std::make_shared<ChildOperation>();
  const std::uint32_t number = next_++;
  operation->link_ = weak_from_this();
  operation->number_ = number;
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

void KeeperLink::cancel(std::uint32_t number) {
  if (connected_) encode_number(channel_->out(), FrameType::kCancel, number);
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
  if (more_) return;  // what was read before comes first
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
    case FrameType::kOutput: {
      auto output = decode_number(frame.body);
      if (!output) return false;
      auto found = operations_.find(output->number);
      if (found == operations_.end()) return true;
      auto operation = found->second;
      if (operation->on_output) operation->on_output(output->value);
      return true;
    }
    case FrameType::kMarker: {
      auto marker = decode_marker(frame.body);
      if (!marker) return false;
      auto found = operations_.find(marker->number);
      if (found == operations_.end()) return true;
      auto operation = found->second;
      if (operation->on_marker) operation->on_marker(marker->marker);
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

// --- the keeper's end
// ------------------------------------------------------------------------------

void KeeperLink::gone() {
  stop_watching();
  if (overtaken()) {
    finish_all();
  } else {
    await_end();
  }
}

// True when another host drives the keeper now. It says so, where we left it room to; the log has
// it, too.
bool KeeperLink::overtaken() {
  if (superseded_ || refused_ || ended_) return superseded_;
  const KeeperGlance newest = glance_at_keeper_log(run_dir_.get());
  if (newest.generation <= generation_) return false;
  // Of who counts no generations only this very keeper can have been taken.
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
  loop_.after(kReapPauseMs, [weak = weak_from_this()] {
    if (auto link = weak.lock()) link->await_end();
  });
}

bool KeeperLink::has_ended() { return own_ ? reap_guard() : !keeper_is_alive(run_dir_.get()); }

bool KeeperLink::reap_guard() {
  if (guard_ == 0) return true;
  pid_t reaped = waitpid(guard_, &guard_status_, WNOHANG);
  if (reaped == 0 || (reaped < 0 && errno == EINTR)) return false;
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
    if (superseded_ || let_go_) {
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

// Without a word: what it hears is that its host is gone.
void KeeperLink::let_go() {
  if (connected_) stop_watching();
  channel_.reset();
  // Its end is the next host's to see to.
  let_go_ = refused_ = ended_ = true;
  refusal_ = Error{ErrorKind::kLost,
                   "this host has let go of the keeper",
                   "the next one takes over what still runs",
                   {}};
  finish_all();
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

// --- the public face
// -------------------------------------------------------------------------------

void ChildOperation::start_cancel() {
  if (auto link = link_.lock()) link->cancel(number_);
}

void ChildOperation::finish(ChildExit exit) {
  exit_ = std::move(exit);
  if (exit_.pid != 0) pid_ = exit_.pid;
  // They may hold on to their owner.
  on_output = nullptr;
  on_marker = nullptr;
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
void Keeper::let_go() { link_->let_go(); }
const std::string& Keeper::token() const { return link_->token(); }
void Keeper::hold_ends(bool held) { link_->hold_ends(held); }

bool Keeper::superseded() const { return link_->superseded(); }

}  // namespace moonlet
