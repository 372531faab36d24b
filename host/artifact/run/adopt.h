// Adopting the record of a run that another machine made: it was checked and lies complete in a
// folder of `.agent`, and becomes a run here by one rename. Blocking, loop thread only.
#pragma once

#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/loop.h"
#include "host/base/result.h"

namespace moonlet {

struct Adoption {
  std::string_view staged;  ///< the complete folder, below `.agent`
  std::string_view id;      ///< the run that it becomes
  std::string_view record;  ///< the run.json of that run
  std::string body;         ///< the record for its journal, a JSON object on one line
};

/// Appends `body` to the journal, writes run.json and renames the folder to runs/<id>. False, with
/// the journal as it was, when that id is taken. kFailed when the journal is damaged.
Result<bool> adopt_run(Loop& loop, const Dir& agent, Adoption adoption);

}  // namespace moonlet
