#include "host/process/wire/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace moonlet {

namespace {

constexpr std::size_t kReadStep = 16 * 1024;
constexpr std::size_t kFillLimit = 1024 * 1024;
constexpr std::size_t kMostFds = 16;

#ifdef MSG_CMSG_CLOEXEC
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
#else
constexpr int kReceiveFlags = MSG_DONTWAIT;
#endif
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int kSendFlags = MSG_DONTWAIT;
#endif

}  // namespace

Channel::Channel(int fd, std::size_t read_limit, Fds fds)
    : fd_(fd), read_limit_(read_limit), fds_(fds) {
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
#ifdef SO_NOSIGPIPE
  int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

Channel::~Channel() {
  for (const auto& attachment : attached_) close(attachment.fd);
  for (int fd : received_) close(fd);
  close(fd_);
}

void Channel::set_limits(std::size_t read_limit, Fds fds) {
  read_limit_ = read_limit;
  fds_ = fds;
}

Channel::Read Channel::end() {
  ended_ = true;
  return Read::kClosed;
}

Channel::Read Channel::fill() {
  if (ended_) return Read::kClosed;
  in_.erase(0, used_);
  used_ = 0;
  for (std::size_t total = 0; total < kFillLimit;) {
    std::size_t before = in_.size();
    in_.resize(before + kReadStep);
    iovec part{in_.data() + before, kReadStep};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostFds)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fds_ != Fds::kNone) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
    }
    ssize_t got = recvmsg(fd_, &message, kReceiveFlags);
    int error = errno;
    in_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0 && (error == EAGAIN || error == EWOULDBLOCK)) break;
    if (got < 0) return end();
    for (cmsghdr* part_header = fds_ == Fds::kNone ? nullptr : CMSG_FIRSTHDR(&message);
         part_header != nullptr; part_header = CMSG_NXTHDR(&message, part_header)) {
      if (part_header->cmsg_level != SOL_SOCKET || part_header->cmsg_type != SCM_RIGHTS) continue;
      std::size_t count = (part_header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int received;
        std::memcpy(&received, CMSG_DATA(part_header) + i * sizeof(int), sizeof received);
        if (fds_ == Fds::kOne && !received_.empty()) {
          close(received);
          continue;
        }
        fcntl(received, F_SETFD, FD_CLOEXEC);
        received_.push_back(received);
      }
    }
    if (got == 0) return end();
    total += static_cast<std::size_t>(got);
    // A short read usually means that no more bytes are available. If the data came with a
    // descriptor, more may follow, because recvmsg() then returns early.
    if (static_cast<std::size_t>(got) < kReadStep && message.msg_controllen == 0) break;
  }
  return Read::kOk;
}

Result<std::optional<Frame>> Channel::next() {
  std::string_view rest = std::string_view(in_).substr(used_);
  std::size_t before = rest.size();
  auto frame = next_frame(rest, read_limit_);
  used_ += before - rest.size();
  return frame;
}

int Channel::take_fd() {
  if (received_.empty()) return -1;
  int fd = received_.front();
  received_.pop_front();
  return fd;
}

bool Channel::attach(std::size_t frame_at, int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return false;
  attached_.push_back({frame_at, copy});
  return true;
}

void Channel::discard() {
  out_.clear();
  sent_ = 0;
  for (const auto& attachment : attached_) close(attachment.fd);
  attached_.clear();
}

bool Channel::flush() {
  while (sent_ < out_.size()) {
    // A descriptor is sent with the first byte of its frame. So begin a new message at that byte.
    bool with_fd = !attached_.empty() && attached_.front().at == sent_;
    std::size_t stop = out_.size();
    if (!attached_.empty()) {
      if (!with_fd) stop = attached_.front().at;
      if (with_fd && attached_.size() > 1) stop = attached_[1].at;
    }
    iovec part{out_.data() + sent_, stop - sent_};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (with_fd) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(header), &attached_.front().fd, sizeof(int));
    }
    ssize_t sent = sendmsg(fd_, &message, kSendFlags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      // ETOOMANYREFS: too many descriptors are in flight, so the peer must read some first.
      bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS;
      if (sent_ > kFillLimit) {
        out_.erase(0, sent_);
        for (auto& attachment : attached_) attachment.at -= sent_;
        sent_ = 0;
      }
      return later;
    }
    if (with_fd) {
      close(attached_.front().fd);
      attached_.pop_front();
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > kFillLimit) out_.shrink_to_fit();
  return true;
}

}  // namespace moonlet
