// The folders of sessions, `sessions/S-003/`, in the `.agent` folder. Any thread.
// Session ids are unique even if several processes make sessions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Makes the next session's folder and returns its id, whose number is above `taken`.
Result<std::string> make_session_dir(const Dir& agent, std::uint64_t taken = 0);
/// Opens a session's folder. Fails with kInvalid if the id is malformed or unknown.
Result<Dir> open_session_dir(const Dir& agent, std::string_view id);
/// Returns the ids of all sessions, oldest first.
Result<std::vector<std::string>> list_sessions(const Dir& agent);

}  // namespace moonlet
