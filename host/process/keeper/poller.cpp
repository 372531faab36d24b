#include "host/process/keeper/poller.h"

#include <csignal>
#include <unordered_map>

namespace moonlet {

struct Poller::State {
  struct Watch {
    uv_poll_t poll{};
    State* state = nullptr;
    std::uint64_t key = 0;
  };

  uv_loop_t* loop = nullptr;
  uv_signal_t children{};
  Handlers handlers;
  std::unordered_map<int, Watch*> watches;
};

Poller::Poller(uv_loop_t* loop, Handlers handlers) : state_(new State) {
  state_->loop = loop;
  state_->handlers = std::move(handlers);
  state_->children.data = state_;
  uv_signal_init(loop, &state_->children);
  uv_signal_start(
      &state_->children,
      [](uv_signal_t* signal, int) { static_cast<State*>(signal->data)->handlers.child_ended(); },
      SIGCHLD);
}

Poller::~Poller() {
  while (!state_->watches.empty()) remove(state_->watches.begin()->first);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->children),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

bool Poller::add(int fd, std::uint64_t key) {
  auto* watch = new State::Watch;
  watch->state = state_;
  watch->key = key;
  watch->poll.data = watch;
  if (uv_poll_init(state_->loop, &watch->poll, fd) != 0) {
    delete watch;
    return false;
  }
  uv_poll_start(&watch->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto* ready = static_cast<State::Watch*>(poll->data);
    ready->state->handlers.readable(ready->key);
  });
  state_->watches[fd] = watch;
  return true;
}

void Poller::remove(int fd) {
  auto found = state_->watches.find(fd);
  if (found == state_->watches.end()) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&found->second->poll),
           [](uv_handle_t* handle) { delete static_cast<State::Watch*>(handle->data); });
  state_->watches.erase(found);
}

}  // namespace moonlet
