// Provides the page's own files, which are compiled in from stdlib/web. Constants, any thread.
#pragma once

#include <string_view>

namespace moonlet::web {

struct Asset {
  std::string_view name;  ///< such as "live/app.js"
  std::string_view text;
};

/// Returns the file with this name; null if there is none.
const Asset* find_asset(std::string_view name);
/// Returns a hash of all files. It is part of their URLs, so that browsers can cache the files.
std::string_view assets_hash();

}  // namespace moonlet::web
