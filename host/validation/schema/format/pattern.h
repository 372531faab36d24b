// Pattern is a regular expression of a schema, which RE2 runs in linear time.
// RE2's syntax has neither lookaround nor back-references. Immutable, any thread.
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
  /// Compiles `source`, of at most `max_bytes`. The error contains RE2's message.
  static Result<Pattern> compile(std::string_view source, std::size_t max_bytes);

  /// Returns true if the expression matches anywhere in `text`.
  bool matches(std::string_view text) const;

  /// Returns the worst-case cost of matching `bytes` of text, in steps of the budget.
  std::uint64_t cost(std::size_t bytes) const;
  /// Returns the number of instructions, which measures the program's memory.
  std::size_t size() const;

  const std::string& source() const { return source_; }

 private:
  std::string source_;
  std::shared_ptr<const re2::RE2> program_;
};

/// Returns true if `source` compiles (format "regex").
bool is_pattern(std::string_view source);

}  // namespace moonlet::schema
