// Pattern is a regular expression in a schema. RE2 matches in linear time, and supports neither
// lookaround nor backreferences. Immutable, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace re2 {
class RE2;
}

namespace moonlet::schema {

class Pattern {
 public:
  /// Compiles `source`. Fails with RE2's message, or if `source` has more than `max_bytes` bytes.
  static Result<Pattern> compile(std::string_view source, std::size_t max_bytes);

  /// Returns true if the expression matches anywhere in `text`.
  bool matches(std::string_view text) const;

  /// Returns the worst-case cost of matching a text of `bytes` bytes, in budget steps.
  std::uint64_t cost(std::size_t bytes) const;
  /// Returns the number of RE2 instructions, as a measure of memory.
  std::size_t size() const;

  const std::string& source() const { return source_; }

 private:
  std::string source_;
  std::shared_ptr<const re2::RE2> program_;
};

/// Returns true if `source` is a valid regular expression (format "regex").
bool is_pattern(std::string_view source);

}  // namespace moonlet::schema
