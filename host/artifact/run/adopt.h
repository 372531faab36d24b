// Imports the record of a run of another machine. The caller has checked the record and put it
// into a folder below `.agent`. A single rename makes the folder a run.
// Blocking, loop thread only.
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
  std::string_view record;  ///< the text of the new run's run.json
  std::string body;         ///< the journal record to append, a JSON object on one line
};

/// Appends `body` to the journal, writes run.json and renames the folder to runs/<id>.
/// Returns false if that id is taken. Fails with kFailed if the journal is damaged.
Result<bool> adopt_run(Loop& loop, const Dir& agent, Adoption adoption);

}  // namespace moonlet
