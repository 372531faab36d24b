// CancelRequest: a file in a run's folder by which another process asks its host to end it. The
// removal of that folder asks the same, 20 seconds later. The host looks a few times a second,
// which works in any program that embeds the engine. Owns a timer that does not keep the loop
// alive. Loop thread only.
#pragma once

#include <uv.h>

#include <functional>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

class CancelRequest {
 public:
  /// Makes the request. No host has to listen.
  static Result<void> make(const Dir& run_dir);

  /// Forgets older requests, and calls `fn` once when there is a new one. `run_dir` is borrowed.
  CancelRequest(uv_loop_t* loop, const Dir& run_dir, std::function<void()> fn);
  ~CancelRequest();
  /// Checks for a request now, for a host that does not turn its loop. Further calls within a tenth
  /// of a second return at once.
  void look();
  CancelRequest(const CancelRequest&) = delete;
  CancelRequest& operator=(const CancelRequest&) = delete;

 private:
  bool is_removed(std::uint64_t now_ms);

  const Dir& run_dir_;
  std::function<void()> fn_;
  uv_timer_t* timer_;
  std::uint64_t looked_ms_ = 0;
  std::uint64_t removed_ms_ = 0;  // when it was first seen to be removed; 0: it is there
};

}  // namespace moonlet
