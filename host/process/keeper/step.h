// Step is one child as its keeper sees it: where it stands between start and completion, its two
// streams and their capture. Owned by the Supervisor, which makes every decision; this only holds
// and reads. Worker thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "host/base/loop.h"
#include "host/process/child/capture.h"
#include "host/process/child/child.h"
#include "host/process/keeper/poller.h"
#include "host/process/session/terminal.h"

namespace moonlet {

/// The reading end of one pipe.
class Stream {
 public:
  Stream() = default;
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Takes over `fd` and has it watched under `key`. False with errno; then it is closed.
  bool start(Poller& poller, int fd, std::uint64_t key);
  bool is_open() const { return fd_ >= 0; }
  /// Feeds the waiting bytes, up to about `limit`, to `sink`; closes at the end. Returns the bytes
  /// read.
  std::size_t drain(std::size_t limit, const std::function<void(std::string_view)>& sink);
  void close();

 private:
  Poller* poller_ = nullptr;
  int fd_ = -1;
};

struct Step : ChildRecord {
  enum class Phase {
    kRunning,   ///< until its main process has ended, or a limit or a cancel came
    kDraining,  ///< the main process has ended; waiting for the end of its streams
    kTerm,      ///< its tree was asked to end
    kKill,      ///< its tree is being killed, until it is empty
  };

  std::uint64_t spawned_as = 0;  ///< how many processes the worker had made by then
  std::string cgroup;
  Phase phase = Phase::kRunning;
  bool ended = false;       ///< the main process was reaped
  bool tree_empty = false;  ///< and the rest of its tree is gone
  bool durable = false;
  bool outlives_host = false;
  bool reaped_logged = false;

  std::int64_t wall_ms = 0, idle_ms = 0, grace_ms = 0, drain_ms = 0;
  std::int64_t started = 0, born_ms = 0;  ///< monotonic, after boot
  std::int64_t last_output = 0;
  std::int64_t phase_deadline_ms = 0;  ///< the end of kDraining and kTerm
  std::int64_t kill_since = 0;
  Loop::TimerId timer{};

  Stream out, err;
  Capture out_capture, err_capture;
  std::unique_ptr<Terminal> terminal;  ///< gets its output, where it has one
  Fd held;                             ///< with a terminal: closed with the step
  bool idle_held = false;              ///< its idle limit stands still
  bool settling = false;               ///< its streams are closed, its last processes may be ending
  bool left_behind = false;            ///< its tree is being ended after it ended by itself
  bool group_asked = false;            ///< the process group got its TERM
  std::unique_ptr<std::unordered_set<pid_t>> asked;  ///< the processes of the tree that got a
                                                     ///< signal
  ChildExit exit;

  bool idles() const { return idle_ms > 0 && !idle_held; }
  bool streams_open() const { return out.is_open() || err.is_open(); }
};

}  // namespace moonlet
