#include "host/process/worker.h"

#include <poll.h>
#include <unistd.h>
#include <uv.h>

#include <csignal>

#include "host/process/adoption.h"
#include "host/process/cgroup.h"
#include "host/process/channel.h"
#include "host/process/control.h"
#include "host/process/supervisor.h"

namespace moonlet {

namespace {

// What a step gets between TERM and KILL when the host was lost: all must be gone within 2 s.
constexpr std::int64_t kHostGoneGraceMs = 300;
constexpr std::int64_t kEndLimitMs = 3000;
constexpr std::int64_t kLastWordsMs = 2000;
// The host may be slow to read; beyond this it has to before it can ask for more.
constexpr std::size_t kHostBacklog = 32u << 20;

class Worker final : public SupervisorListener {
 public:
  explicit Worker(WorkerSetup setup);
  ~Worker() override;
  int run();

  void started(std::uint32_t number, pid_t pid) override {
    encode_number(told_, FrameType::kStarted, number, pid);
  }
  void output(std::uint32_t number, std::uint64_t bytes) override {
    encode_number(told_, FrameType::kOutput, number, static_cast<std::int64_t>(bytes));
  }
  void marker(std::uint32_t number, const Marker& marker) override {
    encode_marker(told_, number, marker);
  }
  void exited(std::uint32_t number, ChildExit exit, bool durable) override {
    encode_exit(told_, number, exit);
    durable_ = durable_ || durable;
  }

 private:
  template <typename Handle>
  void close_handle(Handle& handle) {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);
  }
  void watch(uv_poll_t& poll, int fd, void (*ready)(uv_poll_t*, int, int));
  void watch_signal(uv_signal_t& signal, int number, void (*raised)(uv_signal_t*, int));
  void host_ready(int status, int events);
  void host_poll();
  bool take(const Frame& frame);
  void refuse(const Error& error);
  void end(std::string why, std::int64_t grace_ms);
  void before_waiting();
  void tell();
  void last_words();
  HelloFrame hello() const;
  static Worker& of(void* data) { return *static_cast<Worker*>(data); }

  WorkerSetup setup_;
  SystemClock clock_;
  Loop loop_{clock_};
  KeeperLogWriter log_;
  Channel host_;
  Supervisor supervisor_;
  ControlServer control_;
  uv_poll_t host_poll_{}, guard_poll_{};
  uv_signal_t end_signals_[3] = {};
  uv_prepare_t prepare_{};
  uv_idle_t more_{};
  std::string told_;  // frames that wait for the log
  bool durable_ = false;
  bool host_gone_ = false;  // asks nothing any more
  bool host_deaf_ = false;  // cannot be told anything either
  int polled_ = 0;
  bool greeted_ = false;
  std::string ending_;  // why; empty: it goes on
};

Worker::Worker(WorkerSetup setup)
    : setup_(std::move(setup)),
      log_(setup_.log_fd),
      host_(setup_.host_fd, kHostFrameLimit, true),
      supervisor_(
          loop_, log_, *this,
          {setup_.output_dir_fd, setup_.record.token, setup_.outer_mark, setup_.record.cgroup}),
      control_(loop_.raw(), {[this] { return hello(); }, [this] { return supervisor_.list_live(); },
                             [this](std::uint32_t number) { supervisor_.cancel(number); },
                             [this] { end("asked", kHostGoneGraceMs); }}) {
  uv_poll_init(loop_.raw(), &host_poll_, host_.fd());
  host_poll_.data = this;
  host_poll();
  watch(guard_poll_, setup_.guard_fd, [](uv_poll_t* poll, int, int) {
    uv_poll_stop(poll);
    of(poll->data).end("guard died", 0);
  });
  const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
  for (int i = 0; i < 3; ++i) {
    watch_signal(end_signals_[i], numbers[i], [](uv_signal_t* signal, int) {
      of(signal->data).end("terminated", kHostGoneGraceMs);
    });
  }
  uv_prepare_init(loop_.raw(), &prepare_);
  prepare_.data = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* prepare) { of(prepare->data).before_waiting(); });
  uv_idle_init(loop_.raw(), &more_);
}

Worker::~Worker() {
  control_.close();
  close_handle(host_poll_);
  close_handle(guard_poll_);
  for (auto& signal : end_signals_) close_handle(signal);
  close_handle(prepare_);
  close_handle(more_);
  loop_.run_once(false);  // libuv lets go of them
}

void Worker::watch(uv_poll_t& poll, int fd, void (*ready)(uv_poll_t*, int, int)) {
  uv_poll_init(loop_.raw(), &poll, fd);
  poll.data = this;
  uv_poll_start(&poll, UV_READABLE, ready);
}

void Worker::watch_signal(uv_signal_t& signal, int number, void (*raised)(uv_signal_t*, int)) {
  uv_signal_init(loop_.raw(), &signal);
  signal.data = this;
  uv_signal_start(&signal, raised, number);
}

HelloFrame Worker::hello() const {
  return {kKeeperProtocol, setup_.record.version, setup_.record.token,
          static_cast<std::int32_t>(setup_.record.guard_pid),
          static_cast<std::int32_t>(setup_.record.worker_pid)};
}

int Worker::run() {
  log_.add(keeper_line(setup_.record));
  // Without the socket only the commands that look in from outside are missed.
  (void)control_.listen();
  encode(told_, hello());
  while (ending_.empty() || supervisor_.live() > 0) loop_.run_once();

  control_.close();
  end_all_descendants(kEndLimitMs);
  log_.add(end_line(ending_, clock_.wall_ms()));
  last_words();
  return 0;
}

void Worker::end(std::string why, std::int64_t grace_ms) {
  if (ending_.empty()) ending_ = std::move(why);
  supervisor_.end_all(grace_ms);
}

// --- the host
// --------------------------------------------------------------------------------------

void Worker::host_poll() {
  int events = 0;
  if (!host_gone_ && host_.pending_bytes() < kHostBacklog) events |= UV_READABLE;
  if (host_.pending() && !host_deaf_) events |= UV_WRITABLE;
  if (events == polled_) return;
  polled_ = events;
  if (events == 0) {
    uv_poll_stop(&host_poll_);
    return;
  }
  uv_poll_start(&host_poll_, events, [](uv_poll_t* poll, int status, int ready) {
    of(poll->data).host_ready(status, ready);
  });
}

void Worker::host_ready(int status, int events) {
  if (status < 0) polled_ = 0;  // libuv stopped: reading will tell why
  // What is to be written goes out before the next wait.
  if (host_gone_ || (status >= 0 && (events & UV_READABLE) == 0)) return;
  bool open = host_.fill() == Channel::Read::kOk;
  while (true) {
    auto frame = host_.next();
    if (!frame) return refuse(frame.error());
    if (!*frame) break;
    if (!take(**frame)) return;
  }
  if (open) return;
  host_gone_ = true;  // it may only have closed its half, and still listen
  end("host gone", kHostGoneGraceMs);
}

bool Worker::take(const Frame& frame) {
  Error malformed{ErrorKind::kInvalid,
                  "the keeper cannot read what the host sent",
                  "host and keeper must be the same moonlet",
                  {}};
  if (!greeted_) {
    auto greeting = frame.type == FrameType::kHello ? decode_hello(frame.body) : std::nullopt;
    auto mismatch = greeting ? check_protocol(*greeting) : malformed;
    if (mismatch) refuse(*mismatch);
    greeted_ = true;
    return !mismatch;
  }
  switch (frame.type) {
    case FrameType::kStart: {
      auto start = decode_start(frame.body);
      int stdin_fd = start && start->has_stdin ? host_.take_fd() : -1;
      if (!start || (start->has_stdin && stdin_fd < 0)) break;
      supervisor_.start(std::move(*start), stdin_fd);
      return true;
    }
    case FrameType::kCancel: {
      auto number = decode_number(frame.body);
      if (!number) break;
      supervisor_.cancel(number->number);
      return true;
    }
    case FrameType::kShutdown:
      if (ending_.empty()) ending_ = "host asked";
      return true;
    default:
      break;
  }
  refuse(malformed);
  return false;
}

void Worker::refuse(const Error& error) {
  encode_refused(told_, error);
  host_gone_ = true;
  end("refused", kHostGoneGraceMs);
}

// --- telling
// ---------------------------------------------------------------------------------------

void Worker::before_waiting() {
  tell();
  const bool more = supervisor_.commit();
  tell();
  host_poll();
  const bool over = !ending_.empty() && supervisor_.live() == 0;
  if (more || over) {
    uv_idle_start(&more_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&more_);
  }
}

// The log first: whoever is told of an end finds it on record. A full disk must not keep the host
// waiting, though; the record is tried again.
void Worker::tell() {
  if (log_.waiting()) {
    auto flushed = log_.flush(durable_);
    if (flushed) durable_ = false;
  }
  if (!host_deaf_) host_.out() += told_;
  told_.clear();
  if (host_deaf_ || !host_.pending() || host_.flush()) return;
  host_deaf_ = host_gone_ = true;
  host_.discard();
  end("host gone", kHostGoneGraceMs);
}

void Worker::last_words() {
  const std::int64_t give_up = clock_.monotonic_ms() + kLastWordsMs;
  tell();
  while (!host_deaf_ && host_.pending() && clock_.monotonic_ms() < give_up) {
    pollfd ready{host_.fd(), POLLOUT, 0};
    poll(&ready, 1, 100);
    tell();
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
  // The guard removes the group; when it is gone that is left to us, who must step out first.
  if (!cgroup.empty() && getppid() != guard) {
    join_cgroup(cgroup.substr(0, cgroup.rfind('/')));
    remove_cgroup(cgroup);
  }
  return code;
}

}  // namespace moonlet
