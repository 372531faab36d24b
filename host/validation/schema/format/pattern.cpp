#include "host/validation/schema/format/pattern.h"

#include <re2/re2.h>

#include "host/base/text.h"

namespace moonlet::schema {
namespace {

// RE2 uses this memory for its program and for the caches of its automata.
constexpr std::int64_t kMemory = 1 << 20;

re2::RE2::Options options() {
  re2::RE2::Options chosen;
  chosen.set_log_errors(false);
  chosen.set_never_capture(true);
  chosen.set_max_mem(kMemory);
  return chosen;
}

Error wrong(std::string message, std::string hint) {
  return {ErrorKind::kInvalid, std::move(message), std::move(hint), ""};
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view source, std::size_t max_bytes) {
  if (source.size() > max_bytes) {
    return wrong("it is longer than " + std::to_string(max_bytes) + " bytes", "split it");
  }
  auto program =
      std::make_shared<const re2::RE2>(re2::StringPiece(source.data(), source.size()), options());
  if (!program->ok()) {
    return wrong(printable(program->error(), 200),
                 "write it in the syntax of RE2: no lookahead, lookbehind or back-references");
  }
  Pattern pattern;
  pattern.source_ = source;
  pattern.program_ = std::move(program);
  return pattern;
}

bool Pattern::matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *program_);
}

// Returns the cost of a hostile expression, for which RE2 creates a new state at each byte. Typical
// expressions cost far less.
std::uint64_t Pattern::cost(std::size_t bytes) const {
  return 4 + (bytes + 16) * (64 + static_cast<std::uint64_t>(program_->ProgramSize())) / 256;
}

std::size_t Pattern::size() const { return static_cast<std::size_t>(program_->ProgramSize()); }

bool is_pattern(std::string_view source) { return Pattern::compile(source, source.size()).ok(); }

}  // namespace moonlet::schema
