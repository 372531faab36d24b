// The folders of sessions: `sessions/S-003/`. Ids are unique under any number of processes. Plain
// functions on the `.agent` folder; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Makes the next session's folder; its id, whose number is greater than `taken`.
Result<std::string> make_session_dir(const Dir& agent, std::uint64_t taken = 0);
/// kInvalid when the id is malformed or there is none.
Result<Dir> open_session_dir(const Dir& agent, std::string_view id);
/// All ids, oldest first; empty where no session ever was.
Result<std::vector<std::string>> list_sessions(const Dir& agent);

}  // namespace moonlet
