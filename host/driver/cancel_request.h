// CancelRequest watches a run's folder for the file by which another process asks to end the run.
// A folder that stays removed for 20 seconds counts as a request, too.
// Polls a few times a second, because polling works in any program that embeds moonlet.
// Owns a timer that does not keep the loop alive. Loop thread only.
#pragma once

#include <uv.h>

#include <functional>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

class CancelRequest {
 public:
  /// Writes a cancel request, even if no process drives the run.
  static Result<void> make(const Dir& run_dir);

  /// Removes an older cancel request. Calls `fn` once, when a new one appears. Borrows `run_dir`.
  CancelRequest(uv_loop_t* loop, const Dir& run_dir, std::function<void()> fn);
  ~CancelRequest();
  /// Checks for a request now, for a host that blocks its loop.
  /// Does nothing if the last check was less than 100 ms ago.
  void look();
  CancelRequest(const CancelRequest&) = delete;
  CancelRequest& operator=(const CancelRequest&) = delete;

 private:
  bool is_removed(std::uint64_t now_ms);

  const Dir& run_dir_;
  std::function<void()> fn_;
  uv_timer_t* timer_;
  std::uint64_t looked_ms_ = 0;
  std::uint64_t removed_ms_ = 0;  // when the folder was first missing; 0: the folder exists
};

}  // namespace moonlet
