// A regular expression of a schema, compiled and run by RE2 in linear time: its syntax is that of
// RE2, which knows no lookaround and no back-references. Immutable, any thread.
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
  /// Compiles `source`, of at most `max_bytes`; the error has RE2's message.
  static Result<Pattern> compile(std::string_view source, std::size_t max_bytes);

  /// True when the expression matches anywhere in `text`.
  bool matches(std::string_view text) const;

  /// Steps of the budget that matching `bytes` of text may cost at worst.
  std::uint64_t cost(std::size_t bytes) const;
  /// Instructions of the compiled program, a measure of its memory.
  std::size_t size() const;

  const std::string& source() const { return source_; }

 private:
  std::string source_;
  std::shared_ptr<const re2::RE2> program_;
};

/// True when `source` compiles (format "regex").
bool is_pattern(std::string_view source);

}  // namespace moonlet::schema
