#include "host/base/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace moonlet {

namespace {

// Opens and closes the descriptors that libuv needs for its first loop and its signal pipe. libuv
// would abort the process if no descriptors were free. Returns 0 or an errno.
int try_descriptors() {
  uv_file ends[2];
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int status = uv_pipe(ends, 0, 0);
  close(fd);
  if (status != 0) return -status;
  close(ends[0]);
  close(ends[1]);
  return 0;
}

}  // namespace

Loop::Loop(const Clock& clock) : clock_(clock) {
  failure_ = try_descriptors();
  if (failure_ == 0) failure_ = -uv_loop_init(&loop_);
  if (failure_ != 0) return;
  uv_timer_init(&loop_, &wake_);
  uv_idle_init(&loop_, &poll_at_once_);
  uv_check_init(&loop_, &after_poll_);
  wake_.data = after_poll_.data = this;
}

Loop::~Loop() {
  if (failure_ != 0) return;
  for (auto* handle :
       {reinterpret_cast<uv_handle_t*>(&wake_), reinterpret_cast<uv_handle_t*>(&poll_at_once_),
        reinterpret_cast<uv_handle_t*>(&after_poll_)}) {
    uv_close(handle, nullptr);
  }
  // The owners have closed their handles. Run the close callbacks.
  while (uv_run(&loop_, UV_RUN_NOWAIT) != 0) {
  }
  uv_loop_close(&loop_);
}

Loop::TimerId Loop::after(std::int64_t delay_ms, std::function<void()> fn) {
  TimerId id{clock_.monotonic_ms() + std::max<std::int64_t>(delay_ms, 0), next_++};
  timers_.emplace(id, std::move(fn));
  arm();
  return id;
}

void Loop::cancel(TimerId id) {
  if (timers_.erase(id) != 0) arm();
}

void Loop::arm() {
  const std::int64_t wait =
      timers_.empty() ? 0 : timers_.begin()->first.first - clock_.monotonic_ms();
  const bool due = !timers_.empty() && wait <= 0;
  // Do not give libuv a timer that is due. It may fire such timers repeatedly before it polls for
  // I/O.
  if (due) {
    uv_idle_start(&poll_at_once_, [](uv_idle_t*) {});
    uv_check_start(&after_poll_,
                   [](uv_check_t* check) { static_cast<Loop*>(check->data)->fire_due(); });
  } else {
    uv_idle_stop(&poll_at_once_);
    uv_check_stop(&after_poll_);
  }
  if (due || timers_.empty()) {
    uv_timer_stop(&wake_);
    return;
  }
  // libuv counts from its cached time, which is outdated after a long callback.
  uv_update_time(&loop_);
  uv_timer_start(
      &wake_, [](uv_timer_t* timer) { static_cast<Loop*>(timer->data)->fire_due(); },
      static_cast<std::uint64_t>(wait), 0);
}

void Loop::fire_due() {
  // Do not run timers that the callbacks add now. If they had no delay, they could starve I/O.
  const std::uint64_t last = next_;
  const std::int64_t now = clock_.monotonic_ms();
  bool fired = false;
  while (!timers_.empty()) {
    auto first = timers_.begin();
    if (first->first.first > now || first->first.second >= last) break;
    auto fn = std::move(first->second);
    timers_.erase(first);
    fn();
    fired = true;
  }
  arm();
  // uv_run(ONCE) fires timers before it polls. Stop the loop, so that the poll does not wait.
  if (fired) uv_stop(&loop_);
}

int Loop::timeout() {
  // libuv registers new descriptors with the kernel only when it polls, so make the caller poll at
  // once. New descriptors are in a circular queue, which is empty if its head points to itself.
  const void* queue = &loop_.watcher_queue;
  if (*static_cast<void* const*>(queue) != queue) return 0;
  uv_update_time(&loop_);
  return uv_backend_timeout(&loop_);
}

bool Loop::run_once(bool wait) { return uv_run(&loop_, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0; }

}  // namespace moonlet
