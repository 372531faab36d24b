// The page's own files, which the build embeds from stdlib/web. Constants; any thread.
#pragma once

#include <string_view>

namespace moonlet::web {

struct Asset {
  std::string_view name;  ///< "live/app.js"
  std::string_view text;
};

/// Returns the file with this name; null if there is none.
const Asset* find_asset(std::string_view name);
/// Returns the hash of all files. It is part of their URLs, so that browsers may cache them.
std::string_view assets_hash();

}  // namespace moonlet::web
