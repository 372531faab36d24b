#include "host/process/keeper/watch.h"

#include <cerrno>
#include <utility>

namespace moonlet {

struct WatchState {
  std::function<void(int status, int events)> ready;
  uv_any_handle handle{};
  int wanted = 0;  // the events that FdWatch waits for
};

void CloseWatch::operator()(WatchState* state) const {
  uv_close(&state->handle.handle,
           [](uv_handle_t* handle) { delete static_cast<WatchState*>(handle->data); });
}

FdWatch::FdWatch(uv_loop_t* loop, int fd, Ready ready) {
  auto state = std::make_unique<WatchState>(WatchState{std::move(ready)});
  if (const int status = uv_poll_init(loop, &state->handle.poll, fd); status != 0) {
    errno = -status;
    return;
  }
  state->handle.handle.data = state.get();
  state_.reset(state.release());
}

void FdWatch::want(int events) {
  if (!state_ || events == state_->wanted) return;
  state_->wanted = events;
  if (events == 0) {
    uv_poll_stop(&state_->handle.poll);
    return;
  }
  uv_poll_start(&state_->handle.poll, events, [](uv_poll_t* handle, int status, int ready) {
    auto* state = static_cast<WatchState*>(handle->data);
    if (status < 0) state->wanted = 0;
    state->ready(status, ready);
  });
}

SignalWatch::SignalWatch(uv_loop_t* loop, int signal, std::function<void()> raised)
    : state_(new WatchState{[raised = std::move(raised)](int, int) { raised(); }}) {
  uv_signal_init(loop, &state_->handle.signal);
  state_->handle.handle.data = state_.get();
  uv_signal_start(
      &state_->handle.signal,
      [](uv_signal_t* handle, int) { static_cast<WatchState*>(handle->data)->ready(0, 0); },
      signal);
}

}  // namespace moonlet
