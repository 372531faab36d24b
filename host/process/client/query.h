// Runs another program, such as git, for a short answer before a run and its keeper exist.
// The program has no input, and its process group does not outlive the query.
// The function blocks, and may run on any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct Query {
  std::vector<std::string> argv;            ///< argv[0] is looked up in the PATH of `environment`
  std::vector<std::string> environment;     ///< the whole environment, as "NAME=value"
  std::int64_t patience_ms = 20'000;        ///< the longest time to wait for the end
  std::size_t longest = 1 << 16;            ///< limit of the output in bytes; the rest is not read
  const std::atomic<bool>* stop = nullptr;  ///< true: abort the query
};

struct QueryAnswer {
  int code = -1;    ///< the exit code; -1 after a signal or too much output
  std::string out;  ///< the standard output; standard error is dropped
};

/// Runs the query. Fails with kTimeout or kCancelled if the program was ended before its answer.
Result<QueryAnswer> ask(Query query);

}  // namespace moonlet
