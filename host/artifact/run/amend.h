// Changing a run that nobody drives: a record in its journal and a file of `.agent` that goes with
// it, under the run's lock. Blocking, loop thread only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/artifact/run/directory.h"
#include "host/base/loop.h"
#include "host/base/result.h"

namespace moonlet {

struct Amendment {
  std::string body;             ///< the record, a JSON object on one line
  std::string_view was;         ///< the hash of run.json that it rests on; empty: any
  std::string_view path, text;  ///< the file of `.agent` that goes with it; no path: none
};

struct Amended {
  bool done = false;  ///< false: somebody drives the run, or has written its run.json since
  std::optional<Error> unrecorded;  ///< the journal does not have it; or why it was not done
};

/// All of it under one lock: nobody begins to drive between the look, the record and the file. A
/// record that the journal cannot have (kInvalid, kLimit) does not keep the file from being
/// written; then `unrecorded` says so.
Result<Amended> amend_run(Loop& loop, const Dir& agent, const RunDir& run, Amendment amendment);

}  // namespace moonlet
