// Parses the options of `moonlet web`. Any thread may use it.
#pragma once

#include <string>
#include <vector>

#include "host/base/result.h"

namespace moonlet::web {

constexpr int kDefaultPort = 8747;

struct Options {
  int port = kDefaultPort;
  std::string socket;  ///< absolute path of a Unix socket; empty: use the port
  bool open = false;   ///< open the page in the user's browser
  bool version = false;
  std::vector<std::string> repos;  ///< absolute paths of the work trees; at least one
};

/// Parses the arguments after `moonlet web`. Makes relative paths absolute.
Result<Options> read_options(const std::vector<std::string>& words);

}  // namespace moonlet::web
