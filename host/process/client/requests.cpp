#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "host/artifact/file/dir_open.h"
#include "host/base/fd.h"
#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"
#include "host/process/client/requests.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

namespace {

constexpr int kPatienceMs = 3000;
constexpr std::int64_t kAdoptMs = 10000;
constexpr int kAdoptPauseMs = 3;

Error silent() {
  return Error{ErrorKind::kTimeout, "the keeper does not answer",
               "it may be stopped, or wait for a slow disk: try again in a moment",
               kKeeperSocketName};
}

class ControlClient {
 public:
  /// Returns null if no keeper listens.
  static Result<std::unique_ptr<ControlClient>> dial(int run_dir_fd) {
    // A socket's address has at most 108 bytes, so connect through the descriptor's path.
    const std::string folder = path_of_open(run_dir_fd);
    const std::string path = folder + "/" + kKeeperSocketName;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (folder.empty() || path.size() >= sizeof address.sun_path) {
      return Error::from_errno(ENAMETOOLONG, "connect to", kKeeperSocketName);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    if (!fd) return Error::from_errno(errno, "connect to", kKeeperSocketName);
    fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
    // Limit the wait of connect(), which blocks while too many peers are queued.
    timeval patience{kPatienceMs / 1000, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      const int number = errno;
      if (number == ENOENT || number == ECONNREFUSED) return std::unique_ptr<ControlClient>();
      if (number == EAGAIN || number == EWOULDBLOCK) return silent();
      return Error::from_errno(number, "connect to", kKeeperSocketName);
    }
    return std::unique_ptr<ControlClient>(new ControlClient(fd.release()));
  }

  Result<void> greet(int run_dir_fd) {
    encode(out(), HelloFrame{kKeeperProtocol, MOONLET_VERSION, "", 0, 0});
    auto answer = ask();
    if (!answer && answer.error().kind == ErrorKind::kTimeout && !closed_) {
      continue_keeper(run_dir_fd);
      answer = ask();
    }
    if (!answer) return answer.error();
    auto hello = answer->type == FrameType::kHello ? decode_hello(answer->body) : std::nullopt;
    if (!hello) return silent();
    if (auto error = check_protocol(*hello)) return *error;
    hello_ = std::move(*hello);
    return {};
  }

  /// Connects to a keeper and greets. Fails with kInvalid if no keeper listens.
  static Result<std::unique_ptr<ControlClient>> connect_to(int run_dir_fd) {
    auto client = dial(run_dir_fd);
    if (!client) return client;
    if (*client == nullptr) {
      return Error{ErrorKind::kInvalid, "no keeper is at work in this run's directory",
                   "the run has ended; `moonlet ps` shows the live processes", kKeeperSocketName};
    }
    if (auto greeted = (*client)->greet(run_dir_fd); !greeted) return greeted.error();
    return client;
  }

  /// Refuses a socket that a confined step has put into the run's folder.
  /// Otherwise the host would send its secrets to that step.
  Result<void> check_keeper() const {
    if (!may_be_confined_elsewhere(peer_process(channel_->fd()))) return {};
    return Error{ErrorKind::kDenied,
                 "the process that answers in this run's directory belongs to a confined step of "
                 "another run",
                 "wait until that step has ended, or end it; `moonlet ps` shows the live processes",
                 kKeeperSocketName};
  }

  /// Returns true if the peer process has ended. Ignore the result of check_keeper() in that case.
  bool peer_has_ended() const {
    const pid_t pid = peer_process(channel_->fd());
    ProcessInfo info;
    return pid > 0 &&
           ((kill(pid, 0) != 0 && errno == ESRCH) || (read_process(pid, info) && info.zombie));
  }

  std::string& out() { return channel_->out(); }
  /// Requests an action that needs the right to write the run's record.
  Result<Frame> command(int run_dir_fd, std::string_view frame) {
    Fd log(openat(run_dir_fd, kKeeperLogName,
                  O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!log) return Error::from_errno(errno, "write", kKeeperLogName);
    const std::size_t at = out().size();
    out() += frame;
    if (!channel_->attach(at, log.get())) {
      return Error::from_errno(errno, "pass on", kKeeperLogName);
    }
    return ask();
  }
  const HelloFrame& hello() const { return hello_; }
  /// Returns true if the peer hung up without an answer.
  bool hung_up() const { return closed_ && !refused_; }
  std::unique_ptr<Channel> release() { return std::move(channel_); }

  Result<Frame> ask() {
    while (true) {
      auto frame = channel_->next();
      if (!frame) return frame.error();
      if (*frame && (*frame)->type == FrameType::kRefused) {
        auto error = decode_refused((*frame)->body);
        refused_ = error.has_value();
        return error ? *error : silent();
      }
      if (*frame) return **frame;
      closed_ = closed_ || !channel_->flush();
      if (closed_) return silent();
      pollfd ready{channel_->fd(), static_cast<short>(channel_->pending() ? POLLOUT : POLLIN), 0};
      int count = poll(&ready, 1, kPatienceMs);
      if (count == 0 || (count < 0 && errno != EINTR)) return silent();
      if (count > 0 && !channel_->pending()) {
        // Read the peer's last frames before reporting the hang-up.
        closed_ = channel_->fill() != Channel::Read::kOk;
      }
    }
  }

 private:
  explicit ControlClient(int fd)
      : channel_(std::make_unique<Channel>(fd, kWorkerFrameLimit, Channel::Fds::kNone)) {}
  std::unique_ptr<Channel> channel_;
  HelloFrame hello_;
  bool closed_ = false, refused_ = false;
};

}  // namespace

Result<std::vector<ChildRecord>> keeper_live(int run_dir_fd) {
  auto client = ControlClient::connect_to(run_dir_fd);
  if (!client) return client.error();
  encode_number((*client)->out(), FrameType::kStatus, 0);
  auto answer = (*client)->ask();
  if (!answer) return answer.error();
  auto live = answer->type == FrameType::kLive ? decode_live(answer->body) : std::nullopt;
  if (!live) return silent();
  return std::move(*live);
}

Result<ConnectedKeeper> keeper_connect(int run_dir_fd, std::string_view frame, FrameType answer) {
  auto client = ControlClient::connect_to(run_dir_fd);
  if (!client) return client.error();
  auto came = (*client)->command(run_dir_fd, frame);
  if (!came) return came.error();
  if (came->type != answer) return silent();
  std::string body(came->body);
  return ConnectedKeeper{(*client)->release(), std::move(body)};
}

Result<std::string> keeper_request(int run_dir_fd, std::string_view frame, FrameType answer) {
  auto connected = keeper_connect(run_dir_fd, frame, answer);
  if (!connected) return connected.error();
  return std::move(connected->body);
}

Result<void> keeper_command(int run_dir_fd, FrameType type, std::uint32_t number,
                            std::int64_t value) {
  std::string frame;
  encode_number(frame, type, number, value);
  auto done = keeper_request(run_dir_fd, frame, FrameType::kDone);
  if (!done) return done.error();
  return {};
}

Result<void> keeper_cancel(int run_dir_fd, std::uint32_t number) {
  return keeper_command(run_dir_fd, FrameType::kCancel, number);
}

Result<void> keeper_shutdown(int run_dir_fd) {
  return keeper_command(run_dir_fd, FrameType::kShutdown);
}

Result<std::optional<AdoptedKeeper>> adopt_keeper(int run_dir_fd, std::uint64_t generation) {
  const std::int64_t give_up = boot_clock_ms() + kAdoptMs;
  std::string adopt;
  encode_number(adopt, FrameType::kAdopt, 0, static_cast<std::int64_t>(generation));
  while (true) {
    auto dialled = ControlClient::dial(run_dir_fd);
    if (!dialled) return dialled.error();
    if (auto& client = *dialled; client != nullptr) {
      auto greeted = client->check_keeper();
      if (!greeted && !client->peer_has_ended()) return greeted.error();
      if (greeted) {
        greeted = client->greet(run_dir_fd);
        if (!greeted && !client->hung_up()) return greeted.error();
      }
      if (greeted) {
        auto answer = client->command(run_dir_fd, adopt);
        if (!answer && !client->hung_up()) return answer.error();
        if (answer) {
          auto adopted =
              answer->type == FrameType::kAdopted ? decode_adopted(answer->body) : std::nullopt;
          if (!adopted) return silent();
          return std::optional<AdoptedKeeper>(
              {client->release(), client->hello(), std::move(*adopted)});
        }
      }
    }
    // The keeper may be ending. It may also not listen yet, if its host died just after the start.
    if (!keeper_is_alive(run_dir_fd)) return std::optional<AdoptedKeeper>();
    if (boot_clock_ms() >= give_up) {
      return Error{ErrorKind::kTimeout, "the keeper of this run does not respond",
                   "try again in a moment; `moonlet ps` shows the live processes",
                   kKeeperSocketName};
    }
    poll(nullptr, 0, kAdoptPauseMs);
  }
}

}  // namespace moonlet
