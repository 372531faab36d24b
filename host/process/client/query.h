// A query to another program, such as git, before there is a run and so a keeper: it reads, prints
// a little and ends. It has no input, and its process group does not outlive the query. Blocking,
// any thread.
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
  std::vector<std::string> environment;     ///< complete, NAME=value
  std::int64_t patience_ms = 20'000;        ///< until its end
  std::size_t longest = 1 << 16;            ///< bytes of output; the rest is not read
  const std::atomic<bool>* stop = nullptr;  ///< when it becomes true the query is given up
};

struct QueryAnswer {
  int code = -1;    ///< its exit code; -1 after a signal, or where it was ended at `longest`
  std::string out;  ///< its standard output; standard error is dropped
};

/// Asks it. kTimeout and kCancelled when it was ended before it had answered.
Result<QueryAnswer> ask(Query query);

}  // namespace moonlet
