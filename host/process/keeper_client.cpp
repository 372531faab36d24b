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
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "host/artifact/fd.h"
#include "host/process/adoption.h"
#include "host/process/channel.h"
#include "host/process/protocol.h"
#include "host/process/spawn.h"
#include "host/process/sweep.h"
#include "host/process/tree.h"

extern char** environ;

namespace moonlet {

namespace {

constexpr std::int64_t kGoodbyeMs = 3000;
constexpr std::int64_t kReapPauseMs = 2;

bool begins(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}

// What the keeper itself needs; its children get theirs with each spawn.
std::vector<char*> keeper_environment() {
  std::vector<char*> list;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    std::string_view name = text.substr(0, text.find('='));
    bool sanitizer = name.size() > 8 && name.substr(name.size() - 8) == "_OPTIONS" &&
                     name.find("SAN") != std::string_view::npos;
    if (name == kMarkName || name == "LD_LIBRARY_PATH" || name == "DYLD_LIBRARY_PATH" ||
        begins(name, "GCOV_PREFIX") || sanitizer) {
      list.push_back(*entry);
    }
  }
  list.push_back(nullptr);
  return list;
}

bool cgroups_wanted(const KeeperOptions& options) {
  const char* wish = std::getenv("MOONLET_CGROUPS");
  return options.cgroups && (wish == nullptr || std::string_view(wish) != "0");
}

struct Started {
  Fd socket;
  pid_t guard = 0;
};

Result<Started> start_process(const KeeperOptions& options) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
    return Error::from_errno(errno, "make a socket for the keeper");
  }
  Fd ours(ends[0]), theirs(ends[1]);
  for (int fd : ends) fcntl(fd, F_SETFD, FD_CLOEXEC);
  Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return Error::from_errno(errno, "open", "/dev/null");

  std::vector<std::string> words{options.program};
  words.insert(words.end(), options.prefix_args.begin(), options.prefix_args.end());
  for (const char* word : {"--dir", "3", "--socket", "4", "--output", "5", "--run"})
    words.emplace_back(word);
  words.push_back(options.run_id);
  if (!cgroups_wanted(options)) words.emplace_back("--no-cgroups");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> env = keeper_environment();

  SpawnRequest request;
  request.path = options.program.c_str();
  request.argv = argv.data();
  request.envp = env.data();
  request.fds = {null.get(),         null.get(),   null.get(),
                 options.run_dir_fd, theirs.get(), options.output_dir_fd};
  SpawnResult result = spawn(request);
  if (auto* failure = std::get_if<SpawnFailure>(&result)) return std::move(failure->error);
  return Started{std::move(ours), std::get<Spawned>(result).pid};
}

}  // namespace

// Shared with the operations, which may outlive the Keeper.
class KeeperLink final : public std::enable_shared_from_this<KeeperLink> {
 public:
  KeeperLink(Loop& loop, Started started, Fd run_dir, std::string program);
  ~KeeperLink();
  KeeperLink(const KeeperLink&) = delete;
  KeeperLink& operator=(const KeeperLink&) = delete;

  std::shared_ptr<ChildOperation> spawn(ChildSpec spec);
  void cancel(std::uint32_t number);
  void shutdown();
  /// Ends everything; nothing is pending in the loop afterwards.
  void close();
  std::size_t live() const { return operations_.size(); }
  const std::string& token() const { return token_; }

 private:
  void watch();
  void hold_loop();
  void stop_watching();
  void receive();
  bool take(const Frame& frame);
  void fail_soon(std::uint32_t number, Error error);
  void finish(std::uint32_t number, ChildExit exit);
  void finish_all();
  void gone();
  void await_guard();
  bool reap_guard();
  void settle_losses();

  Loop& loop_;
  Channel channel_;
  Fd run_dir_;
  std::string program_;
  pid_t guard_;
  int guard_status_ = 0;
  uv_poll_t* poll_;
  uv_prepare_t* prepare_;
  int polled_ = 0;
  bool connected_ = true;
  bool ending_ = false;
  bool referenced_ = true;
  std::string token_;
  Error refusal_;
  bool refused_ = false;
  std::uint32_t next_ = 1;
  std::unordered_map<std::uint32_t, std::shared_ptr<ChildOperation>> operations_;
};

KeeperLink::KeeperLink(Loop& loop, Started started, Fd run_dir, std::string program)
    : loop_(loop),
      channel_(started.socket.release(), kWorkerFrameLimit, false),
      run_dir_(std::move(run_dir)),
      program_(std::move(program)),
      guard_(started.guard),
      poll_(new uv_poll_t{}),
      prepare_(new uv_prepare_t{}) {
  uv_poll_init(loop_.raw(), poll_, channel_.fd());
  poll_->data = this;
  uv_prepare_init(loop_.raw(), prepare_);
  prepare_->data = this;
  uv_prepare_start(prepare_,
                   [](uv_prepare_t* prepare) { static_cast<KeeperLink*>(prepare->data)->watch(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_));
  encode(channel_.out(), HelloFrame{kKeeperProtocol, MOONLET_VERSION, "", 0, 0});
  watch();
}

KeeperLink::~KeeperLink() { close(); }

// Before the loop waits: sends what has gathered, and waits for what is needed. An idle keeper does
// not keep the loop running.
void KeeperLink::watch() {
  if (!connected_) return;
  if (channel_.pending() && !channel_.flush()) {
    // What it said last may still be there to be read; its end comes with that.
    channel_.discard();
  }
  int events = UV_READABLE | (channel_.pending() ? UV_WRITABLE : 0);
  if (events != polled_) {
    polled_ = events;
    uv_poll_start(poll_, events, [](uv_poll_t* poll, int status, int) {
      auto* link = static_cast<KeeperLink*>(poll->data);
      if (status < 0) link->polled_ = 0;  // libuv stopped: reading will tell why
      link->receive();
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
  std::size_t at = channel_.out().size();
  if (auto encoded = encode_start(channel_.out(), number, spec); !encoded) {
    return fail(encoded.error());
  }
  if (spec.stdin_fd >= 0 && !channel_.attach(at, spec.stdin_fd)) {
    int error = errno;
    channel_.out().resize(at);
    return fail(Error::from_errno(error, "pass stdin to the program"));
  }
  return operation;
}

void KeeperLink::cancel(std::uint32_t number) {
  if (connected_) encode_number(channel_.out(), FrameType::kCancel, number);
}

void KeeperLink::shutdown() {
  if (!connected_ || ending_) return;
  ending_ = true;
  encode_number(channel_.out(), FrameType::kShutdown, 0);
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
  // A completed operation may drop the last owner of this.
  auto self = shared_from_this();
  bool open = channel_.fill() == Channel::Read::kOk;
  while (connected_) {
    auto frame = channel_.next();
    if (!frame || (*frame && !take(**frame))) {
      open = false;
      break;
    }
    if (!*frame) break;
  }
  if (!open && connected_) gone();
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
  await_guard();
}

// The guard may still be ending what its worker left; what it was asked for completes after that,
// so that "lost" also means "gone".
void KeeperLink::await_guard() {
  if (reap_guard()) {
    settle_losses();
    return;
  }
  loop_.after(kReapPauseMs, [weak = weak_from_this()] {
    if (auto link = weak.lock()) link->await_guard();
  });
}

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
  // An end that was not the guard's own may have left somebody behind.
  if (!WIFEXITED(guard_status_)) (void)sweep(run_dir_.get());
  finish_all();
}

void KeeperLink::finish_all() {
  while (!operations_.empty()) {
    auto first = operations_.begin();
    ChildExit exit;
    exit.pid = first->second->pid_;
    if (refused_ && exit.pid == 0) {
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

void KeeperLink::close() {
  const std::int64_t give_up = boot_clock_ms() + kGoodbyeMs;
  if (connected_) {
    // Half closed: the worker ends everything, and still tells how.
    channel_.flush();
    ::shutdown(channel_.fd(), SHUT_WR);
    while (connected_ && boot_clock_ms() < give_up) {
      pollfd ready{channel_.fd(), POLLIN, 0};
      if (::poll(&ready, 1, 50) <= 0) continue;
      bool open = channel_.fill() == Channel::Read::kOk;
      for (auto frame = channel_.next(); frame && *frame; frame = channel_.next()) {
        if (!take(**frame)) open = false;
      }
      if (!open) stop_watching();
    }
    stop_watching();
  }
  if (guard_ != 0) {
    Fd ended(open_process_fd(guard_));
    while (!reap_guard() && boot_clock_ms() < give_up) {
      pollfd ready{ended.get(), POLLIN, 0};
      ::poll(&ready, ended ? 1u : 0u, ended ? 50 : static_cast<int>(kReapPauseMs));
    }
    if (guard_ == 0) settle_losses();
  }
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
  auto started = start_process(options);
  if (!started) return started.error();
  auto link =
      std::make_shared<KeeperLink>(loop, std::move(*started), std::move(run_dir), options.program);
  return std::unique_ptr<Keeper>(new Keeper(std::move(link)));
}

std::shared_ptr<ChildOperation> Keeper::spawn(ChildSpec spec) {
  return link_->spawn(std::move(spec));
}
std::size_t Keeper::live() const { return link_->live(); }
void Keeper::shutdown() { link_->shutdown(); }
const std::string& Keeper::token() const { return link_->token(); }

}  // namespace moonlet
