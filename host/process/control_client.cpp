#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/process/control.h"

namespace moonlet {

namespace {

constexpr int kPatienceMs = 3000;

// A name for the socket that fits an address whatever the length of the run's path.
std::string socket_path(int run_dir_fd) {
#ifdef __linux__
  return "/proc/self/fd/" + std::to_string(run_dir_fd) + "/" + kKeeperSocketName;
#else
  char path[PATH_MAX];
  if (fcntl(run_dir_fd, F_GETPATH, path) != 0) return {};
  return std::string(path) + "/" + kKeeperSocketName;
#endif
}

Error silent() {
  return Error{ErrorKind::kTimeout, "the keeper does not answer", "try again in a moment",
               kKeeperSocketName};
}

class ControlClient {
 public:
  static Result<std::unique_ptr<ControlClient>> connect_to(int run_dir_fd) {
    std::string path = socket_path(run_dir_fd);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
      return Error::from_errno(ENAMETOOLONG, "connect to", kKeeperSocketName);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) return Error::from_errno(errno, "connect to", kKeeperSocketName);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      int number = errno;
      close(fd);
      if (number != ENOENT && number != ECONNREFUSED) {
        return Error::from_errno(number, "connect to", kKeeperSocketName);
      }
      return Error{ErrorKind::kInvalid, "no keeper is at work in this run's directory",
                   "the run has ended; `moonlet ps` shows what lives", kKeeperSocketName};
    }
    std::unique_ptr<ControlClient> client(new ControlClient(fd));
    encode(client->channel_.out(), HelloFrame{kKeeperProtocol, MOONLET_VERSION, "", 0, 0});
    auto answer = client->ask();
    if (!answer) return answer.error();
    auto hello = answer->type == FrameType::kHello ? decode_hello(answer->body) : std::nullopt;
    if (!hello) return silent();
    if (auto error = check_protocol(*hello)) return *error;
    return client;
  }

  std::string& out() { return channel_.out(); }

  Result<Frame> ask() {
    for (bool open = true;;) {
      auto frame = channel_.next();
      if (!frame) return frame.error();
      if (*frame && (*frame)->type == FrameType::kRefused) {
        auto error = decode_refused((*frame)->body);
        return error ? *error : silent();
      }
      if (*frame) return **frame;
      if (!open || !channel_.flush()) return silent();
      pollfd ready{channel_.fd(), static_cast<short>(channel_.pending() ? POLLOUT : POLLIN), 0};
      int count = poll(&ready, 1, kPatienceMs);
      if (count == 0 || (count < 0 && errno != EINTR)) return silent();
      if (count > 0 && !channel_.pending()) open = channel_.fill() == Channel::Read::kOk;
    }
  }

 private:
  explicit ControlClient(int fd) : channel_(fd, kWorkerFrameLimit, false) {}
  Channel channel_;
};

Result<void> request(int run_dir_fd, FrameType type, std::uint32_t number) {
  auto client = ControlClient::connect_to(run_dir_fd);
  if (!client) return client.error();
  encode_number((*client)->out(), type, number);
  auto answer = (*client)->ask();
  if (!answer) return answer.error();
  if (answer->type != FrameType::kDone) return silent();
  return {};
}

}  // namespace

Result<std::vector<LiveChildFrame>> keeper_live(int run_dir_fd) {
  auto client = ControlClient::connect_to(run_dir_fd);
  if (!client) return client.error();
  encode_number((*client)->out(), FrameType::kStatus, 0);
  auto answer = (*client)->ask();
  if (!answer) return answer.error();
  auto live = answer->type == FrameType::kLive ? decode_live(answer->body) : std::nullopt;
  if (!live) return silent();
  return std::move(*live);
}

Result<void> keeper_cancel(int run_dir_fd, std::uint32_t number) {
  return request(run_dir_fd, FrameType::kCancel, number);
}

Result<void> keeper_shutdown(int run_dir_fd) {
  return request(run_dir_fd, FrameType::kShutdown, 0);
}

}  // namespace moonlet
