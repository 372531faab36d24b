// Orphans: processes and folders of runs that no host drives any more. Each function takes the lock
// of a run for a moment and leaves a run alone that another process drives. Blocking, loop thread
// only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/run/directory.h"
#include "host/artifact/run/home.h"
#include "host/base/result.h"

namespace moonlet {

struct SweptRun {
  std::string id;
  int killed = 0;  ///< how many of its processes were ended
};

/// Ends what dead hosts left behind and marks their runs as finished. A run whose keeper still
/// answers waits to be resumed, and is left alone.
std::vector<SweptRun> sweep_runs(Home& home);

/// Ends the children of a run that nobody drives, and its keeper. Waits up to ten seconds. kInvalid
/// when there is no such run, kFailed while another process drives it.
Result<void> end_orphans(Home& home, std::string_view id);

/// The run `id` of the home; kInvalid when there is none.
Result<RunDir> open_run(Home& home, std::string_view id);

}  // namespace moonlet
