#include "host/process/keeper/worker.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "host/base/release.h"
#include "host/process/child/cgroup.h"
#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"
#include "host/process/keeper/control.h"
#include "host/process/keeper/sessions.h"
#include "host/process/keeper/supervisor.h"
#include "host/process/wire/channel.h"

namespace moonlet {

namespace {

// Children get this time between SIGTERM and SIGKILL if the host is lost or the keeper must end. It
// is short, because all children must have ended within 2 s.
constexpr std::int64_t kHostGoneGraceMs = 300;
constexpr std::int64_t kEndLimitMs = 3000;
constexpr std::int64_t kLastWordsMs = 2000;
constexpr int kGroupWaitMs = 500;
// If more bytes than this wait for the host, the worker reads no more requests of the host.
constexpr std::size_t kHostBacklog = 32u << 20;
// The worker keeps this much captured text for the next host. The log has everything else.
constexpr std::size_t kEndedTextLimit = 16u << 20;
constexpr std::ptrdiff_t kMostEnded = 4096;
// If the log cannot be written, the worker tries again at this interval.
constexpr std::int64_t kRetryMs = 1000;
// If the log cannot record a child's end, the worker waits this long for a new host to receive it.
constexpr std::int64_t kLingerMs = 60000;
// The worker checks at this interval whether the run's folder exists.
constexpr std::int64_t kFolderMs = 10000;
// The worker returns unused memory to the system this long after a child's start. Often, more
// children are started within this time.
constexpr std::int64_t kTrimMs = 1000;
constexpr std::int64_t kFolderGoneGraceMs = 3000;

std::vector<ControlServer::Folder> folders_of(const WorkerSetup& setup) {
  std::vector<ControlServer::Folder> folders{{setup.run_dir_fd, setup.log_fd}};
  if (setup.entry) folders.push_back({setup.entry->dir_fd(), setup.entry->log_fd()});
  return folders;
}

// Returns the current directory; "" if it has no path.
std::string current_folder() {
  char path[PATH_MAX];
  return getcwd(path, sizeof path) != nullptr ? path : "";
}

class Worker final : public SupervisorListener {
 public:
  explicit Worker(WorkerSetup setup);
  ~Worker() override;
  int run();

  void started(const ChildRecord& child) override;
  void exited(EndedChild child) override;

 private:
  enum class Phase {
    kWorking,
    kFinishing,  ///< the host asked to end after the last child
    kEnding,     ///< every child was asked to end; no child is started
  };
  enum class HostPhase {
    kGreeting,  ///< the host has not sent its hello frame yet
    kDriving,
    kListening,  ///< the host sends no more frames, but may still read
  };

  void take_host(std::unique_ptr<Channel> channel);
  void watch_host();
  void receive();
  bool hung_up() const;
  bool handle(const Frame& frame);
  void turn_away(StartFrame& start);
  void refuse(const Error& error);
  void lose_host();
  void adopt(std::uint64_t generation, std::unique_ptr<Channel> channel);

  void end(std::string why, std::int64_t grace_ms, std::string_view because);
  bool over();
  void publish_entry();
  void check_folder();
  void trim_later();
  void before_waiting();
  bool record();
  void send();
  void forget_text(EndedChild& child);
  void retry_later();
  void last_words();
  HelloFrame hello() const;

  WorkerSetup setup_;
  SystemClock clock_;
  Loop loop_{clock_};
  Reserve reserve_;
  KeeperLogWriter log_;
  Supervisor supervisor_;
  Sessions sessions_;
  ControlServer control_;
  FdWatch guard_watch_;
  std::vector<SignalWatch> end_signals_;
  uv_prepare_t prepare_{};

  std::unique_ptr<Channel> host_;  // null: no host drives the keeper
  FdWatch host_watch_;
  HostPhase host_phase_ = HostPhase::kGreeting;
  std::string frames_;             // frames to send once the log is written
  std::vector<EndedChild> ended_;  // ended children that the host or the log does not know yet
  std::size_t ended_text_ = 0;     // bytes of captured text in ended_
  std::uint32_t highest_ = 0;      // the highest child number
  Phase phase_ = Phase::kWorking;
  std::string end_reason_;  // why the keeper ends, for keeper.log
  bool must_sync_ = false;  // the next write of the log must be synced
  bool recorded_ = true;    // the last write of the log succeeded
  std::optional<Loop::TimerId> retry_;
  bool trimming_ = false;        // the timer for trim_process() is active
  bool folder_removed_ = false;  // the last check found no run folder
  std::int64_t linger_until_ = 0;
};

Worker::Worker(WorkerSetup setup)
    : setup_(std::move(setup)),
      log_(setup_.log_fd, &reserve_),
      supervisor_(loop_, log_, *this,
                  {setup_.output_dir_fd, setup_.record.token, setup_.outer_mark,
                   setup_.record.cgroup, setup_.run_dir_fd, &reserve_}),
      sessions_(loop_, supervisor_),
      control_(
          loop_.raw(), folders_of(setup_),
          {[this] { return hello(); }, [this] { return supervisor_.list_live(); },
           [this](std::uint32_t number) { supervisor_.cancel(number); },
           [this] { end("asked", kHostGoneGraceMs, "the keeper was asked to end"); },
           [this](std::uint64_t generation, std::unique_ptr<Channel> channel) {
             adopt(generation, std::move(channel));
           },
           [this](const Frame& frame, std::string& out) { return sessions_.answer(frame, out); },
           [this](NumberFrame wish, std::unique_ptr<Channel> channel, std::int32_t pid) {
             sessions_.attach(wish, std::move(channel), pid);
           }}) {
  guard_watch_ = FdWatch(loop_.raw(), setup_.guard_fd, [this](int, int) {
    guard_watch_.want(0);
    end("guard died", 0, "the keeper's guard was killed");
  });
  guard_watch_.want(UV_READABLE);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    end_signals_.emplace_back(loop_.raw(), number, [this] {
      end("terminated", kHostGoneGraceMs, "the keeper was terminated");
    });
  }
  uv_prepare_init(loop_.raw(), &prepare_);
  prepare_.data = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* prepare) {
    static_cast<Worker*>(prepare->data)->before_waiting();
  });
  take_host(std::make_unique<Channel>(setup_.host_fd, kHostFrameLimit, Channel::Fds::kAll));
}

Worker::~Worker() {
  control_.close();
  phase_ = Phase::kEnding;
  lose_host();
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  loop_.run_once(false);  // lets libuv release the closed handle
}

HelloFrame Worker::hello() const {
  return {kKeeperProtocol, setup_.record.version, setup_.record.token,
          static_cast<std::int32_t>(setup_.record.guard_pid),
          static_cast<std::int32_t>(setup_.record.worker_pid)};
}

int Worker::run() {
  log_.add(keeper_line(setup_.record));
  // Commands need this socket. If listen() fails, it is retried once the host is lost.
  control_.listen();
  publish_entry();
  check_folder();
  encode(frames_, hello());
  while (!over()) loop_.run_once();

  control_.close();
  end_all_descendants(kEndLimitMs);
  if (phase_ != Phase::kEnding) end_reason_ = host_ ? "host asked" : "host gone";
  log_.add(end_line(end_reason_, clock_.wall_ms()));
  last_words();
  if (setup_.entry) setup_.entry->remove();
  return 0;
}

// Publishes the keeper in the index of live keepers. If this fails, the run can only be found
// through its own folder.
void Worker::publish_entry() {
  if (!setup_.entry) return;
  KeeperRecord record = setup_.record;
  record.run_dir = identify_file(setup_.run_dir_fd);
  record.label = setup_.label;
  if (auto published = setup_.entry->publish(std::move(record), current_folder()); !published) {
    setup_.entry->remove();
  }
}

// Ends the run if its folder is missing at two checks in a row. Until the second check, the user
// can undo a mistake. An interactive session continues, because a user is working in it.
void Worker::check_folder() {
  struct stat info;
  const bool removed = fstat(setup_.run_dir_fd, &info) == 0 && info.st_nlink == 0;
  if (removed && !supervisor_.has_terminals() && std::exchange(folder_removed_, true)) {
    return end("folder removed", kFolderGoneGraceMs, "the folder of its run was removed");
  }
  if (const std::string folder = current_folder(); !folder.empty() && setup_.entry) {
    setup_.entry->follow(folder);
  }
  loop_.after(kFolderMs, [this] { check_folder(); });
}

// Returns memory to the system soon after a child's start, because most of the worker's code is not
// needed until a child ends.
void Worker::trim_later() {
  if (trimming_) return;
  trimming_ = true;
  loop_.after(kTrimMs, [this] {
    trimming_ = false;
    trim_process();
  });
}

void Worker::started(const ChildRecord& child) {
  trim_later();
  if (host_) encode_number(frames_, FrameType::kStarted, child.number, child.pid);
  if (!setup_.entry || !supervisor_.has_terminals()) return;
  // Also write a session's start record to the keeper.log in its entry of the live index. Commands
  // read that log if the session's own folder was removed.
  const StartLine line = start_line(child.number, child.step, child.attempt, boot_clock_ms(),
                                    child.started_ms, child.deadline_ms);
  setup_.entry->add(line.prefix + std::to_string(child.pid) + line.suffix);
}

void Worker::end(std::string why, std::int64_t grace_ms, std::string_view because) {
  if (phase_ != Phase::kEnding) end_reason_ = std::move(why);
  phase_ = Phase::kEnding;
  supervisor_.end_all(grace_ms, because);
}

bool Worker::over() {
  if (supervisor_.live() > 0) {
    linger_until_ = 0;
    return false;
  }
  if (phase_ == Phase::kEnding) return true;
  if (host_) return phase_ == Phase::kFinishing;
  const bool owing = std::any_of(ended_.begin(), ended_.end(),
                                 [](const EndedChild& child) { return child.durable; });
  if (recorded_ || !owing) return true;
  // A full disk may prevent the record of a child's end. Wait for some time, because a new host may
  // connect and receive the end.
  const std::int64_t now = clock_.monotonic_ms();
  if (linger_until_ == 0) linger_until_ = now + kLingerMs;
  return now >= linger_until_;
}

void Worker::take_host(std::unique_ptr<Channel> channel) {
  host_ = std::move(channel);
  phase_ = Phase::kWorking;
  linger_until_ = 0;
  host_watch_ = FdWatch(loop_.raw(), host_->fd(), [this](int status, int events) {
    // After an error, receive() reads it. before_waiting() sends what a writable socket takes.
    if (status < 0 || (events & UV_READABLE) != 0) receive();
  });
  watch_host();
}

// Handles the loss of a host that has died or was superseded. Children that outlive it continue.
void Worker::lose_host() {
  if (!host_) return;
  host_watch_ = {};
  host_.reset();
  frames_.clear();
  // Every child was already asked to end. Only shorten the grace period.
  if (phase_ == Phase::kEnding) return supervisor_.end_all(kHostGoneGraceMs, "its host was gone");
  supervisor_.end_hosted(kHostGoneGraceMs);
  if (!control_.listening()) control_.listen();
}

void Worker::watch_host() {
  if (!host_) return;
  const bool reads = host_phase_ != HostPhase::kListening && host_->pending_bytes() < kHostBacklog;
  host_watch_.want((reads ? UV_READABLE : 0) | (host_->pending() ? UV_WRITABLE : 0));
}

bool Worker::hung_up() const {
  pollfd peer{host_->fd(), 0, 0};
  return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLERR)) != 0;
}

void Worker::receive() {
  if (!host_ || host_phase_ == HostPhase::kListening) return;
  bool open = true, dead = false;
  do {
    // After the host's death, read all of its requests before lose_host() drops those to start a
    // child. Otherwise some of these children would start.
    dead = hung_up();
    open = host_->fill() == Channel::Read::kOk;
    while (true) {
      auto frame = host_->next();
      if (!frame) return refuse(frame.error());
      if (!*frame) break;
      if (!handle(**frame)) return;
    }
  } while (open && dead);
  if (open) return;
  // A host that exits normally has sent kEnd. It closes only its sending side, and still reads.
  host_phase_ = HostPhase::kListening;
  if (phase_ != Phase::kEnding || dead) lose_host();
}

bool Worker::handle(const Frame& frame) {
  Error malformed{ErrorKind::kInvalid, "the keeper cannot read what the host sent",
                  "host and keeper must be the same version of moonlet"};
  if (host_phase_ == HostPhase::kGreeting) {
    auto greeting = frame.type == FrameType::kHello ? decode_hello(frame.body) : std::nullopt;
    auto mismatch = greeting ? check_protocol(*greeting) : malformed;
    host_phase_ = HostPhase::kDriving;
    if (mismatch) refuse(*mismatch);
    return !mismatch;
  }
  switch (frame.type) {
    case FrameType::kStart: {
      auto start = decode_start(frame.body);
      if (!start) break;
      if (start->has_stdin) start->stdin_fd = Fd(host_->take_fd());
      if (start->has_stdin && !start->stdin_fd) break;
      highest_ = std::max(highest_, start->number);
      if (phase_ == Phase::kEnding) {
        turn_away(*start);
      } else {
        supervisor_.start(std::move(*start));
      }
      return true;
    }
    case FrameType::kCancel: {
      auto number = decode_number(frame.body);
      if (!number) break;
      supervisor_.cancel(number->number, number->value == 1);
      return true;
    }
    case FrameType::kHoldIdle: {
      auto number = decode_number(frame.body);
      if (!number) break;
      supervisor_.hold_idle(number->number, number->value == 1);
      return true;
    }
    case FrameType::kShutdown:
      if (phase_ == Phase::kWorking) phase_ = Phase::kFinishing;
      return true;
    case FrameType::kEnd:
      end("host ended", kHostGoneGraceMs, "its host has ended");
      return true;
    default:
      break;
  }
  refuse(malformed);
  return false;
}

// Refuses a start, because every child was already asked to end.
void Worker::turn_away(StartFrame& start) {
  exited(EndedChild::unstarted(
      start, ChildExit::Why::kNotStarted,
      {ErrorKind::kCancelled, "the keeper is ending; nothing can be started any more",
       "start the run again"}));
}

// Drop this host after its protocol error, but keep its children for the next host.
void Worker::refuse(const Error& error) {
  host_phase_ = HostPhase::kListening;
  encode_refused(frames_, error);
  send();
  lose_host();
}

void Worker::adopt(std::uint64_t generation, std::unique_ptr<Channel> channel) {
  // Hang up on a new host, because the keeper is about to exit. The host can read the log.
  if (phase_ == Phase::kEnding) return;
  std::uint64_t& present = setup_.record.generation;
  if (generation <= present) {
    encode_refused(channel->out(), {ErrorKind::kDenied,
                                    "another host has taken over the run (its generation is " +
                                        std::to_string(present) + ", this one's " +
                                        std::to_string(generation) + ")",
                                    "let that host continue, or end it first"});
    channel->flush();
    return;
  }
  present = generation;
  log_.add(host_line(generation, clock_.wall_ms()));
  if (host_) {
    encode_refused(
        host_->out(),
        {ErrorKind::kDenied,
         "another host has taken over the run (generation " + std::to_string(generation) + ")",
         "let that host continue; what was under way is on its record"},
        FrameType::kSuperseded);
    // Read and drop the requests that the host has sent meanwhile. If they stayed unread, the host
    // would get an error instead of a normal hang-up.
    (void)host_->flush();
    (void)host_->fill();
    lose_host();
  }
  channel->set_limits(kHostFrameLimit, Channel::Fds::kAll);
  host_phase_ = HostPhase::kDriving;
  take_host(std::move(channel));
  AdoptedFrame adopted{highest_, supervisor_.list_live()};
  for (EndedChild& child : ended_) {
    child.sent = false;
    adopted.children.push_back({child.number, child.exit.pid, child.step, child.attempt, 0, 0});
  }
  encode(frames_, adopted);
}

void Worker::exited(EndedChild child) {
  must_sync_ = must_sync_ || child.durable;
  const std::size_t text = child.exit.out.text.size() + child.exit.err.text.size();
  if (!host_ && ended_text_ + text > kEndedTextLimit) {
    forget_text(child);
  } else {
    ended_text_ += text;
  }
  ended_.push_back(std::move(child));
}

void Worker::forget_text(EndedChild& child) {
  for (Captured* captured : {&child.exit.out, &child.exit.err}) {
    if (captured->text.empty()) continue;
    release(captured->text);
    captured->kept = 0;
    captured->cut = true;
  }
}

void Worker::before_waiting() {
  send();
  const bool more = supervisor_.commit();
  send();
  watch_host();
  sessions_.before_waiting();
  if (more || over()) loop_.after(0, [] {});  // do not wait for events
}

// Returns false if the disk refused the write, which is retried later.
bool Worker::record() {
  if (log_.waiting() || must_sync_) {
    recorded_ = log_.flush(must_sync_).ok();
    if (recorded_) must_sync_ = false;
  }
  const bool unheard = !host_ && !control_.listening();
  if (!recorded_ || unheard) retry_later();
  return recorded_;
}

void Worker::retry_later() {
  if (retry_) return;
  retry_ = loop_.after(kRetryMs, [this] {
    retry_.reset();
    if (!host_ && !control_.listening() && phase_ != Phase::kEnding) control_.listen();
  });
}

// Write the log first, so that a reported end is already on record.
// On a full disk, report the end anyway, because the record is retried.
void Worker::send() {
  const bool recorded = record();
  if (host_) {
    for (EndedChild& child : ended_) {
      if (child.sent) continue;
      encode_exit(frames_, child.number, child.exit);
      child.sent = true;
      if (!recorded) child.exit.out.text = child.exit.err.text = {};
    }
    host_->out() += frames_;
    if (recorded) ended_.clear();
    ended_text_ = 0;
  } else if (recorded && ended_.size() > kMostEnded) {
    ended_.erase(ended_.begin(), ended_.end() - kMostEnded);
  }
  frames_.clear();
  if (!host_ || !host_->pending() || host_->flush()) return;
  // The host is gone, but it may have sent frames before. Handle them first.
  host_->discard();
  receive();
  lose_host();
}

void Worker::last_words() {
  const std::int64_t give_up = clock_.monotonic_ms() + kLastWordsMs;
  send();
  while (host_ && host_->pending() && clock_.monotonic_ms() < give_up) {
    pollfd ready{host_->fd(), POLLOUT, 0};
    poll(&ready, 1, 100);
    send();
  }
}

}  // namespace

int run_worker(WorkerSetup setup) {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
  sigaction(SIGXFSZ, &ignore, nullptr);
  const std::string cgroup = setup.record.cgroup;
  const pid_t guard = setup.record.guard_pid;
  int code;
  {
    Worker worker(std::move(setup));
    code = worker.run();
  }
  // The guard removes the cgroup. Without a guard, the worker leaves and removes the cgroup.
  if (!cgroup.empty() && getppid() != guard) {
    join_cgroup(cgroup.substr(0, cgroup.rfind('/')));
    remove_cgroup(cgroup, kGroupWaitMs);
  }
  return code;
}

}  // namespace moonlet
