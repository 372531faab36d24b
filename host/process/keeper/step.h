// Step is the keeper's state of a child: its phase, its two streams and their capture.
// The Supervisor owns the steps and makes every decision. Worker thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "host/base/fd.h"
#include "host/base/loop.h"
#include "host/process/child/capture.h"
#include "host/process/child/child.h"
#include "host/process/keeper/watch.h"
#include "host/process/session/terminal.h"

namespace moonlet {

class Stream {
 public:
  /// Takes ownership of `fd` and watches it. Returns false with errno if that is impossible.
  bool start(uv_loop_t* loop, int fd, FdWatch::Ready readable);
  bool is_open() const { return static_cast<bool>(fd_); }
  /// Feeds the available bytes, up to about `limit`, to `sink`. Closes the stream at its end.
  /// Returns the number of bytes read.
  std::size_t drain(std::size_t limit, const std::function<void(std::string_view)>& sink);
  void close();

 private:
  Fd fd_;
  FdWatch watch_;  // declared after fd_, so that it is destroyed first
};

struct Step : ChildRecord {
  enum class Phase {
    kRunning,   ///< the main process runs; no limit or cancel has ended it
    kDraining,  ///< the main process has ended, but streams or processes remain
    kTerm,      ///< the process tree was asked to end
    kKill,      ///< the process tree is being killed
  };

  std::uint64_t spawned_as = 0;  ///< how many programs the worker had started, this one included
  std::string cgroup;
  Phase phase = Phase::kRunning;
  bool ended = false;       ///< the main process was reaped
  bool tree_empty = false;  ///< no process of the child's process tree is left
  bool durable = false;
  bool outlives_host = false;
  bool reaped_logged = false;

  std::int64_t wall_ms = 0, idle_ms = 0, grace_ms = 0, drain_ms = 0;
  std::int64_t started = 0, born_ms = 0;  ///< start on the monotonic clock, and since boot
  std::int64_t last_output = 0;
  std::int64_t phase_deadline_ms = 0;  ///< when the phase kDraining or kTerm times out
  std::int64_t kill_since = 0;
  Loop::TimerId timer{};

  Stream out, err;
  Capture out_capture, err_capture;
  std::unique_ptr<Terminal> terminal;  ///< gets the output of a child on a terminal
  Fd held;                   ///< stdin_fd of a child on a terminal; kept open for its file lock
  bool idle_held = false;    ///< the idle limit is paused
  bool settling = false;     ///< the streams are closed; the process tree gets a short time to end
  bool left_behind = false;  ///< the child has ended, but its process tree must still be ended
  std::unique_ptr<std::unordered_set<pid_t>> asked;  ///< processes that got SIGTERM
  ChildExit exit;

  bool idles() const { return idle_ms > 0 && !idle_held; }
  bool streams_open() const { return out.is_open() || err.is_open(); }
};

}  // namespace moonlet
