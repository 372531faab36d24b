#include "host/process/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "host/process/adoption.h"
#include "host/process/tree.h"

namespace moonlet {

namespace {

constexpr std::size_t kMostPeers = 16;
constexpr std::size_t kPeerBacklog = 4u << 20;

void close_fd_on_exec(int fd) { fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) | FD_CLOEXEC); }

}  // namespace

ControlServer::ControlServer(uv_loop_t* loop, Handlers handlers)
    : loop_(loop), handlers_(std::move(handlers)) {}

ControlServer::~ControlServer() { close(); }

Result<void> ControlServer::listen() {
  fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
  if (spare_fd_ < 0) spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return Error::from_errno(errno, "make", kKeeperSocketName);
  close_fd_on_exec(fd_);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
  // By its bare name: the run's path may be longer than an address can be.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, kKeeperSocketName);
  unlink(kKeeperSocketName);
  mode_t before = umask(0177);
  int bound = bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  int number = errno;
  umask(before);
  if (bound != 0 || ::listen(fd_, 16) != 0) {
    if (bound == 0) number = errno;
    ::close(fd_);
    fd_ = -1;
    return Error::from_errno(number, "listen on", kKeeperSocketName);
  }
  listening_ = new uv_poll_t{};
  listening_->data = this;
  uv_poll_init(loop_, listening_, fd_);
  uv_poll_start(listening_, UV_READABLE, [](uv_poll_t* poll, int, int) {
    static_cast<ControlServer*>(poll->data)->accept_all();
  });
  return {};
}

void ControlServer::close() {
  while (!open_.empty()) hang_up(*open_.front());
  if (spare_fd_ >= 0) ::close(std::exchange(spare_fd_, -1));
  if (fd_ < 0) return;
  unlink(kKeeperSocketName);
  uv_close(reinterpret_cast<uv_handle_t*>(listening_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  ::close(fd_);
  fd_ = -1;
}

void ControlServer::accept_all() {
  while (true) {
    int fd = accept(fd_, nullptr, nullptr);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && spare_fd_ >= 0) {
      // Else it would be told about them for ever.
      ::close(spare_fd_);
      if (int refused = accept(fd_, nullptr, nullptr); refused >= 0) ::close(refused);
      spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
      return;
    }
    if (fd < 0) return;
    close_fd_on_exec(fd);
    // A crowd of silent peers must not keep the one away that has something to ask.
    if (open_.size() >= kMostPeers) hang_up(*open_.front());
    auto* peer = new Peer;
    peer->server = this;
    peer->channel = std::make_unique<Channel>(fd, kControlFrameLimit, false);
    peer->ours = may_descend_from_us(peer_process(fd));
    peer->poll.data = peer;
    uv_poll_init(loop_, &peer->poll, fd);
    uv_poll_start(&peer->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
      auto* ready = static_cast<Peer*>(poll->data);
      ready->server->serve(*ready);
    });
    open_.push_back(peer);
  }
}

void ControlServer::serve(Peer& peer) {
  bool alive = peer.channel->fill() == Channel::Read::kOk;
  while (true) {
    auto frame = peer.channel->next();
    if (!frame) return hang_up(peer);
    if (!*frame) break;
    if (peer.greeted && !peer.ours && (*frame)->type == FrameType::kAdopt) {
      auto wish = decode_number((*frame)->body);
      if (!wish) return hang_up(peer);
      return handlers_.adopt(static_cast<std::uint64_t>(wish->value), release(peer));
    }
    if (!answer(peer, **frame)) alive = false;
    if (peer.channel->pending_bytes() > kPeerBacklog) return hang_up(peer);
  }
  if (!peer.channel->flush() || !alive) return hang_up(peer);
  // Who does not read its answers is not read from either.
  uv_poll_start(&peer.poll, peer.channel->pending() ? UV_WRITABLE : UV_READABLE,
                [](uv_poll_t* poll, int, int) {
                  auto* ready = static_cast<Peer*>(poll->data);
                  ready->server->serve(*ready);
                });
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
  if (peer.ours && frame.type != FrameType::kStatus) {
    encode_refused(out, {ErrorKind::kDenied,
                         "a step does not command the keeper that it runs under",
                         "do it from outside the run",
                         {}});
    return false;
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
      return false;
  }
}

void ControlServer::hang_up(Peer& peer) {
  peer.channel->flush();
  release(peer);
}

std::unique_ptr<Channel> ControlServer::release(Peer& peer) {
  open_.remove(&peer);
  // Before the channel goes: libuv has to forget the descriptor before its number can mean another.
  uv_close(reinterpret_cast<uv_handle_t*>(&peer.poll),
           [](uv_handle_t* handle) { delete static_cast<Peer*>(handle->data); });
  return std::move(peer.channel);
}

}  // namespace moonlet
