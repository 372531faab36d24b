#include "host/web/address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "host/artifact/file/dir.h"
#include "host/base/ascii.h"
#include "host/base/digest.h"
#include "host/base/id.h"
#include "host/base/text.h"
#include "host/web/options.h"

namespace moonlet::web {

namespace {

constexpr int kBacklog = 64;
constexpr std::size_t kTokenBytes = 32;
constexpr int kTries = 200;  // attempts to take the lock, 10 ms apart, if the old server is dead

Fd new_socket(int family) {
  Fd fd(::socket(family, SOCK_STREAM, 0));
  if (fd) ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  if (fd) ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

Result<void> listen_at(int fd, const sockaddr* at, socklen_t size, const std::string& shown) {
  if (::bind(fd, at, size) != 0) {
    if (errno != EADDRINUSE) return Error::from_errno(errno, "listen at", shown);
    return Error{ErrorKind::kInvalid, "another program listens at " + shown, "name another --port"};
  }
  if (::listen(fd, kBacklog) != 0) return Error::from_errno(errno, "listen at", shown);
  return {};
}

bool is_token(const std::string& text) {
  return text.size() == 2 * kTokenBytes && std::all_of(text.begin(), text.end(), is_hex);
}

/// Returns the content of a lock file: the token, a space, the server's pid and a newline.
std::string text_of(int fd) {
  char text[200] = {};
  const ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
  return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
}

/// Returns the pid in the content of a lock file, or "" if it has none.
std::string pid_in(const std::string& text) {
  const auto space = text.find(' ');
  if (space == std::string::npos) return {};
  return text.substr(space + 1, text.find('\n', space) - space - 1);
}

bool is_alive(const std::string& pid) {
  const int number = std::atoi(pid.c_str());
  return number > 0 && (::kill(number, 0) == 0 || errno == EPERM);
}

}  // namespace

Result<void> Address::hold(const std::string& name, const std::string& shown,
                           const std::string& state) {
  if (state.empty()) {
    return Error{ErrorKind::kInvalid, "there is no folder for the token of the page",
                 "set HOME or XDG_STATE_HOME"};
  }
  auto dir = Dir::make(state + "/web");
  if (!dir) return dir.error();
  auto file = dir->open_update(name);
  if (!file) return file.error();
  lock_ = std::move(*file);
  ::fchmod(lock_.get(), 0600);
  std::string kept = text_of(lock_.get());
  // A child that the dead server forked keeps the lock until it calls exec.
  for (int tries = 0; ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    const std::string pid = pid_in(kept);
    if (tries == kTries || pid.empty() || is_alive(pid)) {
      return Error{ErrorKind::kInvalid,
                   "process " + (pid.empty() ? "?" : printable(pid, 20)) + " serves the page at " +
                       shown + " already",
                   "open its address, or name another --port or --socket"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    kept = text_of(lock_.get());
  }
  const auto space = kept.find(' ');
  token_ = kept.substr(0, space == std::string::npos ? 0 : space);
  if (!is_token(token_)) token_ = random_hex(kTokenBytes);
  const std::string line = token_ + " " + std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_.get(), 0) != 0 || ::lseek(lock_.get(), 0, SEEK_SET) != 0) {
    return Error::from_errno(errno, "write", dir->path_of(name));
  }
  if (const int failed = write_all(lock_.get(), line)) {
    return Error::from_errno(failed, "write", dir->path_of(name));
  }
  return {};
}

Result<Address> Address::on_port(int port, const std::string& state) {
  Address address;
  const auto shown = [](int number) { return "127.0.0.1:" + std::to_string(number); };
  if (port != 0) {
    auto held = address.hold(shown(port), shown(port), state);
    if (!held) return held.error();
  }
  address.socket_ = new_socket(AF_INET);
  if (!address.socket_) return Error::from_errno(errno, "make a socket for", shown(port));
  const int yes = 1;
  ::setsockopt(address.socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto listening =
      listen_at(address.socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at, shown(port));
  if (!listening) return listening.error();
  socklen_t size = sizeof at;
  if (::getsockname(address.socket_.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    return Error::from_errno(errno, "read the port of", shown(port));
  }
  address.port_ = ntohs(at.sin_port);
  if (port == 0) {
    auto held = address.hold(shown(address.port_), shown(address.port_), state);
    if (!held) return held.error();
  }
  return address;
}

Result<Address> Address::on_socket(const std::string& path, const std::string& state) {
  Address address;
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path) {
    return Error{ErrorKind::kInvalid, "the path of the socket is too long",
                 "at most " + std::to_string(sizeof at.sun_path - 1) + " bytes", path};
  }
  std::memcpy(at.sun_path, path.data(), path.size());
  auto held = address.hold("socket-" + sha256_hex(path).substr(0, 24), path, state);
  if (!held) return held.error();
  const auto* where = reinterpret_cast<const sockaddr*>(&at);
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return Error{ErrorKind::kInvalid, "there is a file at the path of the socket",
                   "name another --socket", path};
    }
    const Fd probe = new_socket(AF_UNIX);
    if (::connect(probe.get(), where, sizeof at) == 0 || errno != ECONNREFUSED) {
      return Error{ErrorKind::kInvalid, "another program listens at the socket",
                   "name another --socket", path};
    }
    ::unlink(path.c_str());
  }
  address.socket_ = new_socket(AF_UNIX);
  if (!address.socket_) return Error::from_errno(errno, "make a socket for", path);
  // Set the mode with umask, because a chmod after bind() would come a moment too late.
  const mode_t before = ::umask(0177);
  auto listening = listen_at(address.socket_.get(), where, sizeof at, path);
  ::umask(before);
  if (!listening) return listening.error();
  address.path_ = path;
  return address;
}

Address::~Address() {
  if (!path_.empty() && lock_) ::unlink(path_.c_str());
}

std::string Address::url() const {
  const int port = port_ != 0 ? port_ : kDefaultPort;
  return "http://" + std::string(port_ != 0 ? "127.0.0.1" : "localhost") + ":" +
         std::to_string(port) + "/#token=" + token_;
}

}  // namespace moonlet::web
