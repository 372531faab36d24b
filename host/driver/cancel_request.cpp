#include "host/driver/cancel_request.h"

#include <sys/stat.h>

namespace moonlet {

namespace {
constexpr const char* kName = "cancel";
constexpr std::uint64_t kPeriodMs = 200;
constexpr std::uint64_t kRemovedMs = 20'000;
}  // namespace

Result<void> CancelRequest::make(const Dir& run_dir) {
  // Create the file under its final name, because the next lock holder deletes temporary files.
  auto file = run_dir.open_update(kName);
  return file ? Result<void>() : file.error();
}

CancelRequest::CancelRequest(uv_loop_t* loop, const Dir& run_dir, std::function<void()> fn)
    : run_dir_(run_dir), fn_(std::move(fn)), timer_(new uv_timer_t{}) {
  (void)run_dir_.remove_file(kName);
  uv_timer_init(loop, timer_);
  timer_->data = this;
  uv_timer_start(
      timer_, [](uv_timer_t* timer) { static_cast<CancelRequest*>(timer->data)->look(); },
      kPeriodMs, kPeriodMs);
  uv_unref(reinterpret_cast<uv_handle_t*>(timer_));
}

CancelRequest::~CancelRequest() {
  uv_close(reinterpret_cast<uv_handle_t*>(timer_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
}

// Returns true if the run's folder has been missing for 20 seconds.
// The run can then no longer be recorded, and its keeper has ended its children.
bool CancelRequest::is_removed(std::uint64_t now_ms) {
  struct stat info;
  if (fstat(run_dir_.fd(), &info) != 0 || info.st_nlink > 0) return false;
  if (removed_ms_ == 0) removed_ms_ = now_ms;
  return now_ms - removed_ms_ >= kRemovedMs;
}

void CancelRequest::look() {
  const std::uint64_t now = uv_hrtime() / 1'000'000;
  if (now - looked_ms_ < kPeriodMs / 2) return;
  looked_ms_ = now;
  if (!is_removed(now) && !run_dir_.exists(kName)) return;
  uv_timer_stop(timer_);
  (void)run_dir_.remove_file(kName);
  fn_();
}

}  // namespace moonlet
