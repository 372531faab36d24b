// Imports a run from another machine. The caller has checked its record and stored it in a folder
// below `.agent`. A single rename then moves this folder to the other runs.
// Blocks. Loop thread only.
#pragma once

#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/loop.h"
#include "host/base/result.h"

namespace moonlet {

struct Adoption {
  std::string_view staged;  ///< the folder below `.agent` that becomes the run's folder
  std::string_view id;      ///< the id of the new run
  std::string_view record;  ///< the text of the new run's run.json
  std::string body;         ///< the journal record to append, a JSON object on one line
};

/// Appends `body` to the journal, writes run.json and renames the folder to runs/<id>.
/// Returns false if that id is taken. Fails with kFailed if the journal is damaged.
Result<bool> adopt_run(Loop& loop, const Dir& agent, Adoption adoption);

}  // namespace moonlet
