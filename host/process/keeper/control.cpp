#include "host/process/keeper/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "host/base/fd.h"
#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

namespace {

constexpr std::size_t kMostPeers = 16;
constexpr std::size_t kPeerBacklog = 4u << 20;

void close_fd_on_exec(int fd) { fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) | FD_CLOEXEC); }

constexpr int kBlockingUs = 20000;

// BlockingLimit interrupts a system call that blocks for long, by repeated SIGALRM signals. A peer
// may send a TCP connection with SO_LINGER as a descriptor, and closing it can block. A hang-up can
// block, too: the kernel then closes the descriptors that were not received.
class BlockingLimit {
 public:
  BlockingLimit() {
    static const bool handled = [] {
      struct sigaction interrupt {};
      interrupt.sa_handler = [](int) {};
      return sigaction(SIGALRM, &interrupt, nullptr) == 0;
    }();
    if (handled) set(kBlockingUs);
  }
  ~BlockingLimit() { set(0); }
  BlockingLimit(const BlockingLimit&) = delete;
  BlockingLimit& operator=(const BlockingLimit&) = delete;

 private:
  static void set(int us) {
    const itimerval again{{0, us}, {0, us}};
    setitimer(ITIMER_REAL, &again, nullptr);
  }
};

// Refuses this keeper's own steps and confined steps, even if they can write keeper.log.
std::optional<Error> refusal_of(pid_t peer) {
  if (may_descend_from_us(peer)) {
    return Error{ErrorKind::kDenied, "a step cannot control the keeper that it runs under",
                 "do it from outside the run"};
  }
  if (may_be_confined_elsewhere(peer)) {
    return Error{ErrorKind::kDenied, "a confined step cannot control the keeper of another run",
                 "do it from outside of that step"};
  }
  return std::nullopt;
}

bool can_write(int shown, int log_fd) {
  const int flags = fcntl(shown, F_GETFL);
  struct stat theirs {
  }, log{};
  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(shown, &theirs) == 0 &&
         fstat(log_fd, &log) == 0 && theirs.st_dev == log.st_dev && theirs.st_ino == log.st_ino;
}

}  // namespace

ControlServer::ControlServer(uv_loop_t* loop, const std::vector<Folder>& folders, Handlers handlers)
    : loop_(loop), handlers_(std::move(handlers)) {
  for (const Folder& folder : folders) sockets_.push_back({folder, {}, {}});
}

ControlServer::~ControlServer() { close(); }

void ControlServer::listen() {
  if (!spare_fd_) spare_fd_ = Fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (Socket& socket : sockets_) {
    if (!socket.fd && fchdir(socket.folder.dir_fd) == 0) listen_in(socket);
  }
  (void)!fchdir(sockets_[0].folder.dir_fd);
}

// Binds by a bare name in the current directory, because the path may be too long.
void ControlServer::listen_in(Socket& socket) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (!fd) return;
  close_fd_on_exec(fd.get());
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, kKeeperSocketName);
  unlink(kKeeperSocketName);
  mode_t before = umask(0177);
  int bound = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  umask(before);
  if (bound != 0 || ::listen(fd.get(), 16) != 0) return;
  socket.fd = std::move(fd);
  socket.watch = FdWatch(loop_, socket.fd.get(),
                         [this, number = socket.fd.get()](int, int) { accept_all(number); });
  socket.watch.want(UV_READABLE);
}

void ControlServer::close() {
  const BlockingLimit limit;
  while (!open_.empty()) hang_up(open_.front());
  spare_fd_.close();
  for (Socket& socket : sockets_) {
    if (!socket.fd) continue;
    unlinkat(socket.folder.dir_fd, kKeeperSocketName, 0);
    socket.watch = {};
    socket.fd.close();
  }
}

void ControlServer::accept_all(int socket_fd) {
  const BlockingLimit limit;
  while (true) {
    int fd = accept(socket_fd, nullptr, nullptr);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && spare_fd_) {
      // No descriptor is free. Accept and close the connection with the spare one, because the loop
      // would otherwise report the connection forever.
      spare_fd_.close();
      if (int refused = accept(socket_fd, nullptr, nullptr); refused >= 0) ::close(refused);
      spare_fd_ = Fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
      return;
    }
    if (fd < 0) return;
    close_fd_on_exec(fd);
    // Many silent peers must not keep out a peer with a request.
    if (open_.size() >= kMostPeers) hang_up(open_.front());
    Peer& peer = open_.emplace_back();
    peer.channel = std::make_unique<Channel>(fd, kControlFrameLimit, Channel::Fds::kOne);
    peer.refusal = refusal_of(peer_process(fd));
    peer.watch = FdWatch(loop_, fd, [this, &peer](int, int) { serve(peer); });
    peer.watch.want(UV_READABLE);
  }
}

void ControlServer::serve(Peer& peer) {
  const BlockingLimit limit;
  bool alive = peer.channel->fill() == Channel::Read::kOk;
  while (true) {
    auto frame = peer.channel->next();
    if (!frame) return hang_up(peer);
    if (!*frame) break;
    const FrameType type = (*frame)->type;
    if (peer.greeted && (type == FrameType::kAdopt || type == FrameType::kAttach)) {
      auto wish = decode_number((*frame)->body);
      if (auto refusal = refuse_command(peer)) {
        encode_refused(peer.channel->out(), *refusal);
        return hang_up(peer);
      }
      if (!wish) return hang_up(peer);
      if (type == FrameType::kAttach) {
        const pid_t pid = peer_process(peer.channel->fd());
        return handlers_.attach(*wish, release(peer), pid);
      }
      return handlers_.adopt(static_cast<std::uint64_t>(wish->value), release(peer));
    }
    if (!answer(peer, **frame)) alive = false;
    if (peer.channel->pending_bytes() > kPeerBacklog) return hang_up(peer);
  }
  if (!peer.channel->flush() || !alive) return hang_up(peer);
  // Read nothing from a peer that does not read its answers.
  peer.watch.want(peer.channel->pending() ? UV_WRITABLE : UV_READABLE);
}

bool ControlServer::answer(Peer& peer, const Frame& frame) {
  std::string& out = peer.channel->out();
  if (!peer.greeted) {
    auto hello = frame.type == FrameType::kHello ? decode_hello(frame.body) : std::nullopt;
    if (!hello) return false;
    if (auto error = check_protocol(*hello)) {
      encode_refused(out, *error);
      return false;
    }
    peer.greeted = true;
    encode(out, handlers_.hello());
    return true;
  }
  if (frame.type != FrameType::kStatus) {
    if (auto refusal = refuse_command(peer)) {
      encode_refused(out, *refusal);
      return false;
    }
  }
  switch (frame.type) {
    case FrameType::kStatus:
      encode(out, handlers_.live());
      return true;
    case FrameType::kCancel: {
      auto number = decode_number(frame.body);
      if (!number) return false;
      handlers_.cancel(number->number);
      encode_number(out, FrameType::kDone, number->number);
      return true;
    }
    case FrameType::kShutdown:
      handlers_.shutdown();
      encode_number(out, FrameType::kDone, 0);
      return true;
    default:
      return handlers_.terminal(frame, out);
  }
}

std::optional<Error> ControlServer::refuse_command(Peer& peer) {
  if (peer.refusal) return peer.refusal;
  const Fd shown(peer.channel->take_fd());
  for (const Socket& socket : sockets_) {
    if (shown && can_write(shown.get(), socket.folder.log_fd)) return std::nullopt;
  }
  return Error{ErrorKind::kDenied,
               "this user cannot write the run's record, and so cannot control its keeper",
               "do it as the user who started the run", kKeeperLogName};
}

void ControlServer::hang_up(Peer& peer) {
  peer.channel->flush();
  release(peer);
}

std::unique_ptr<Channel> ControlServer::release(Peer& peer) {
  auto channel = std::move(peer.channel);
  open_.remove_if([&](const Peer& other) { return &other == &peer; });
  return channel;
}

}  // namespace moonlet
