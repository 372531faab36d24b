// Sessions from outside: starting a program on a terminal under a keeper that outlives the caller,
// asking for its screen, typing, and taking it over. Blocking, a few seconds at most each, but for
// attach_session(). Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/process/client/keeper.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

/// The step and the attempt that a session's program is in keeper.log.
inline constexpr const char* kSessionStep = "session";
inline constexpr const char* kSessionAttempt = "1";

struct StartedSession {
  int pid = 0;
  ChildExit exit;  ///< meaningful where the pid is 0: it did not start
};
/// Starts `spec` on a terminal and returns as soon as it runs or could not be started. The keeper
/// is a child of this process that is reaped by the next start, or by init.
Result<StartedSession> start_session(const KeeperOptions& options, ChildSpec spec);

/// The screen and the facts of a session that runs, as JSON, with `history` lines above it.
Result<std::string> look_at_session(int dir_fd, std::int64_t history);
Result<void> type_into_session(int dir_fd, const TypeFrame& typed);
Result<void> resize_session(int dir_fd, int rows, int cols);
/// Asks its tree to end, and kills it after `grace_ms`.
Result<void> end_session(int dir_fd, std::int64_t grace_ms);

/// How attach_session() ended.
enum class Detached { kByKey, kSessionEnded, kTerminalGone };
/// Connects the terminal on descriptors 0 and 1 with the session until the person presses `key` (a
/// control character), the session ends, or the terminal is gone. The terminal gets its settings
/// back. Blocks for as long as that takes; SIGWINCH is handled meanwhile.
Result<Detached> attach_session(int dir_fd, char key);

}  // namespace moonlet
