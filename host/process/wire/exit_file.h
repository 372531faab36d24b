// exit.json records how a keeper's only child has ended.
// It is written to a temporary file, synced and linked to its name, so readers never see a part of
// it, and the first writer wins. On a machine without a host, it is the authoritative record.
// Blocking, any thread.
#pragma once

#include <string>

#include "host/base/result.h"
#include "host/process/child/child.h"

namespace moonlet {

inline constexpr const char* kExitFileName = "exit.json";

/// Formats the exit as an exit record of keeper.log, and adds the name of this machine.
std::string exit_file_text(const ChildExit& exit, std::int64_t now_ms);

/// Publishes exit.json in `dir_fd`. Does nothing if the file exists.
Result<void> write_exit_file(int dir_fd, const ChildExit& exit, std::int64_t now_ms);

/// Publishes the exit of the first child of the newest keeper in keeper.log.
/// Fails with kInvalid if no child in the log has ended or was lost.
Result<void> publish_logged_exit(int dir_fd, std::int64_t now_ms);

}  // namespace moonlet
