// The options of `moonlet web`. Plain values; any thread.
#pragma once

#include <string>
#include <vector>

#include "host/base/result.h"

namespace moonlet::web {

constexpr int kDefaultPort = 8747;

struct Options {
  int port = kDefaultPort;
  std::string socket;  ///< an absolute path; empty: the port is used
  bool open = false;   ///< start the user's browser
  bool version = false;
  std::vector<std::string> repos;  ///< absolute folders; at least one
};

/// Parses the arguments after `moonlet web`. Resolves relative paths.
Result<Options> read_options(const std::vector<std::string>& words);

}  // namespace moonlet::web
