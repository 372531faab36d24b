// Adopts the record of another machine's run. The checked record lies in a folder of `.agent`.
// A single rename makes the folder a run. Blocking, loop thread only.
#pragma once

#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/loop.h"
#include "host/base/result.h"

namespace moonlet {

struct Adoption {
  std::string_view staged;  ///< the complete folder, below `.agent`
  std::string_view id;      ///< the id of the new run
  std::string_view record;  ///< the run.json of that run
  std::string body;         ///< the record to journal, a JSON object on one line
};

/// Appends `body` to the journal, writes run.json and renames the folder to runs/<id>.
/// Returns false if that id is taken. Fails with kFailed if the journal is damaged.
Result<bool> adopt_run(Loop& loop, const Dir& agent, Adoption adoption);

}  // namespace moonlet
