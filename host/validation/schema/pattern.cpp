#include "host/validation/schema/pattern.h"

#include <re2/re2.h>

#include "host/validation/schema/pattern_syntax.h"

namespace moonlet::schema {
namespace {

// RE2 divides this between its program and the caches of its automata.
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

std::string reason_of(const re2::RE2& program) {
  if (program.error_code() == re2::RE2::ErrorPatternTooLarge) return "it is too large";
  // What follows the colon quotes the translation, which its author never saw.
  const auto reason = program.error().substr(0, program.error().find(": "));
  return reason;
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view source, std::size_t max_bytes) {
  if (source.size() > max_bytes) {
    return wrong("it is longer than " + std::to_string(max_bytes) + " bytes", "split it");
  }
  const auto translation = translate_pattern(source);
  if (!translation) return translation.error();
  if (!translation->unsupported.empty()) {
    return wrong("it uses what moonlet does not run: " + translation->unsupported,
                 "patterns run in linear time, as RE2 does it");
  }
  auto program = std::make_shared<const re2::RE2>(translation->re2, options());
  if (!program->ok()) return wrong(reason_of(*program), "");
  Pattern pattern;
  pattern.source_ = source;
  pattern.program_ = std::move(program);
  return pattern;
}

bool Pattern::matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *program_);
}

// The automata of hostile expressions have a new state at each byte; the usual ones cost far less.
std::uint64_t Pattern::cost(std::size_t bytes) const {
  return 4 + (bytes + 16) * (64 + static_cast<std::uint64_t>(program_->ProgramSize())) / 256;
}

std::size_t Pattern::size() const { return static_cast<std::size_t>(program_->ProgramSize()); }

bool is_ecma_pattern(std::string_view source) { return translate_pattern(source).ok(); }

}  // namespace moonlet::schema
