#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "host/process/keeper/poller.h"

namespace moonlet {

namespace {

constexpr std::uint64_t kChildren = ~std::uint64_t{0};
constexpr int kEvents = 128;

}  // namespace

struct Poller::State {
  uv_poll_t poll{};
  Handlers handlers;
  int epoll_fd = -1;
  int signal_fd = -1;

  void dispatch() {
    epoll_event events[kEvents];
    int count = epoll_wait(epoll_fd, events, kEvents, 0);
    bool ended = false;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kChildren) {
        signalfd_siginfo info;
        while (read(signal_fd, &info, sizeof info) > 0) {
        }
        ended = true;
      } else {
        handlers.readable(events[i].data.u64);
      }
    }
    // Ends come last: the output of ended children is read by then.
    if (ended) handlers.child_ended();
  }
};

Poller::Poller(uv_loop_t* loop, Handlers handlers) : state_(new State) {
  state_->handlers = std::move(handlers);
  state_->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  state_->signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  add(state_->signal_fd, kChildren);
  state_->poll.data = state_;
  uv_poll_init(loop, &state_->poll, state_->epoll_fd);
  uv_poll_start(&state_->poll, UV_READABLE,
                [](uv_poll_t* poll, int, int) { static_cast<State*>(poll->data)->dispatch(); });
}

Poller::~Poller() {
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->poll), [](uv_handle_t* handle) {
    auto* state = static_cast<State*>(handle->data);
    close(state->epoll_fd);
    close(state->signal_fd);
    delete state;
  });
}

bool Poller::add(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  return epoll_ctl(state_->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::remove(int fd) { epoll_ctl(state_->epoll_fd, EPOLL_CTL_DEL, fd, nullptr); }

}  // namespace moonlet
