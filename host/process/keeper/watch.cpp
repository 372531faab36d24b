#include "host/process/keeper/watch.h"

#include <cerrno>
#include <utility>

namespace moonlet {

struct FdWatch::State {
  Ready ready;
  uv_poll_t handle{};
  int wanted = 0;
};

FdWatch::FdWatch(uv_loop_t* loop, int fd, Ready ready) {
  auto state = std::make_unique<State>(State{std::move(ready)});
  state->handle.data = state.get();
  if (const int status = uv_poll_init(loop, &state->handle, fd); status != 0) {
    errno = -status;
    return;
  }
  state_.reset(state.release());
}

void FdWatch::want(int events) {
  if (!state_ || events == state_->wanted) return;
  state_->wanted = events;
  if (events == 0) {
    uv_poll_stop(&state_->handle);
    return;
  }
  uv_poll_start(&state_->handle, events, [](uv_poll_t* handle, int status, int ready) {
    auto* state = static_cast<State*>(handle->data);
    if (status < 0) state->wanted = 0;
    state->ready(status, ready);
  });
}

void FdWatch::Close::operator()(State* state) const {
  uv_close(reinterpret_cast<uv_handle_t*>(&state->handle),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

struct SignalWatch::State {
  std::function<void()> raised;
  uv_signal_t handle{};
};

SignalWatch::SignalWatch(uv_loop_t* loop, int signal, std::function<void()> raised)
    : state_(new State{std::move(raised)}) {
  state_->handle.data = state_.get();
  uv_signal_init(loop, &state_->handle);
  uv_signal_start(
      &state_->handle,
      [](uv_signal_t* handle, int) { static_cast<State*>(handle->data)->raised(); }, signal);
}

void SignalWatch::Close::operator()(State* state) const {
  uv_close(reinterpret_cast<uv_handle_t*>(&state->handle),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

}  // namespace moonlet
