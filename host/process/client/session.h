// Starts, views, types into and attaches to sessions: programs on a terminal under a keeper.
// The keeper outlives the caller. Any thread.
// Each function blocks for at most a few seconds, except for attach_session().
#pragma once

#include <cstdint>
#include <string>

#include "host/base/result.h"
#include "host/process/client/keeper.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

/// keeper.log names a session's program by this step and attempt.
inline constexpr const char* kSessionStep = "session";
inline constexpr const char* kSessionAttempt = "1";

struct StartedSession {
  int pid = 0;
  ChildExit exit;  ///< why the program did not start; valid if `pid` is 0
};
/// Starts `spec` on a terminal. Returns when it runs or could not be started.
/// The next start, or init, reaps the session's keeper.
Result<StartedSession> start_session(const KeeperOptions& options, ChildSpec spec);

/// Returns the screen and facts of a live session as JSON, with `history` lines above the screen.
Result<std::string> look_at_session(int dir_fd, std::int64_t history);
Result<void> type_into_session(int dir_fd, const TypeFrame& typed);
Result<void> resize_session(int dir_fd, int rows, int cols);
/// Asks the tree to end, and kills it after `grace_ms`.
Result<void> end_session(int dir_fd, std::int64_t grace_ms);

/// Detached is the reason for the end of attach_session().
enum class Detached { kByKey, kSessionEnded, kTerminalGone };
/// Connects the terminal on descriptors 0 and 1 with the session. Handles SIGWINCH.
/// Blocks until the user presses `key` (a control character), or either side ends.
/// attach_session() restores the terminal's settings.
Result<Detached> attach_session(int dir_fd, char key);

}  // namespace moonlet
