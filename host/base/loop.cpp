#include "host/base/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace moonlet {

namespace {

// Opens and closes the descriptors that libuv needs for the first loop and its signal pipe.
// Without free descriptors, libuv aborts the process. Returns 0 or an errno.
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
  // Owners close their handles before the loop's end. The close callbacks run here.
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
  // libuv may call a due timer again and again before it polls.
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
  // libuv would count from its cached time, which is in the past after a long callback.
  uv_update_time(&loop_);
  uv_timer_start(
      &wake_, [](uv_timer_t* timer) { static_cast<Loop*>(timer->data)->fire_due(); },
      static_cast<std::uint64_t>(wait), 0);
}

void Loop::fire_due() {
  // Run timers that a callback adds only later, so that zero delays cannot starve I/O.
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
  // uv_run(ONCE) fires due timers before polling. Stop now, so that uv_run() does not wait.
  if (fired) uv_stop(&loop_);
}

int Loop::timeout() {
  // libuv registers new descriptors with the kernel at its next poll, so do not wait before.
  // They wait in a circular queue, which is empty if its head points to itself.
  const void* queue = &loop_.watcher_queue;
  if (*static_cast<void* const*>(queue) != queue) return 0;
  uv_update_time(&loop_);
  return uv_backend_timeout(&loop_);
}

bool Loop::run_once(bool wait) { return uv_run(&loop_, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0; }

}  // namespace moonlet
