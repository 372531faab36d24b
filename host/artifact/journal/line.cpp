#include "host/artifact/journal/line.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "host/base/digest.h"

namespace moonlet {

namespace {

// JSON readers recurse, so limit the depth.
constexpr int kDeepestJson = 500;

constexpr std::size_t kHashSize = 32;

std::string hash_of(std::string_view before, std::string_view after) {
  Sha256 sha;
  sha.update(before);
  sha.update(after);
  return sha.hex().substr(0, kHashSize);
}

/// Cursor removes fixed text, numbers and words from the front of a line.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool skip(std::string_view text) {
    if (rest_.substr(0, text.size()) != text) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  bool number(std::uint64_t& value) {
    const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (problem != std::errc() || value == 0 || rest_[0] == '0') return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  bool word(std::string_view& value) {
    const auto quote = rest_.substr(0, kHashSize + 1).find('"');
    if (quote == std::string_view::npos) return false;
    value = rest_.substr(0, quote);
    rest_.remove_prefix(quote + 1);
    return true;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// Each constant is the text before a field's value in a journal line.
constexpr std::string_view kNumberField = "{\"number\":";
constexpr std::string_view kGenerationField = ",\"generation\":";
constexpr std::string_view kDurableField = ",\"rest_durable\":true";
constexpr std::string_view kPreviousField = ",\"previous\":\"";
constexpr std::string_view kHashField = ",\"hash\":\"";
constexpr std::string_view kBodyField = ",\"body\":";

}  // namespace

std::string append_journal_line(std::string& out, const JournalLine& line) {
  const std::size_t start = out.size();
  out.append(kNumberField).append(std::to_string(line.n));
  out.append(kGenerationField).append(std::to_string(line.generation));
  if (line.rest_durable) out += kDurableField;
  out += kPreviousField;
  out += line.previous;
  out += '"';
  const std::size_t middle = out.size();
  out += kBodyField;
  out += line.body;
  out += '}';
  const std::string_view text = std::string_view(out).substr(start);
  const auto hash = hash_of(text.substr(0, middle - start), text.substr(middle - start));
  out.insert(middle, std::string(kHashField) + hash + '"');
  out += '\n';
  return hash;
}

std::optional<JournalLine> parse_journal_line(std::string_view text) {
  JournalLine line;
  Cursor at(text);
  if (!at.skip(kNumberField) || !at.number(line.n)) return std::nullopt;
  if (!at.skip(kGenerationField) || !at.number(line.generation)) return std::nullopt;
  line.rest_durable = at.skip(kDurableField);
  if (!at.skip(kPreviousField) || !at.word(line.previous)) return std::nullopt;
  if (!at.skip(kHashField) || !at.word(line.hash)) return std::nullopt;
  if (!at.skip(kBodyField) || at.rest().size() < 3) return std::nullopt;
  line.body = at.rest().substr(0, at.rest().size() - 1);
  if (line.body.front() != '{' || line.body.back() != '}' || text.back() != '}') {
    return std::nullopt;
  }
  return line;
}

bool is_older_journal(std::string_view text) {
  // Version 1 had field names of one letter.
  return text.substr(0, kLongestEnvelope).find("\"p\":\"moonlet-journal-1\"") !=
         std::string_view::npos;
}

bool journal_line_is_whole(std::string_view text, const JournalLine& line) {
  const auto before = static_cast<std::size_t>(line.hash.data() - text.data()) - kHashField.size();
  const auto after = before + kHashField.size() + line.hash.size() + 1;
  return line.hash == hash_of(text.substr(0, before), text.substr(after));
}

Result<void> check_journal_body(std::string_view body) {
  const auto refuse = [](ErrorKind kind, const std::string& why, const char* hint = "") {
    return Error{kind, "a record for the journal " + why, hint, {}};
  };
  if (body.size() > kLongestBody) {
    return refuse(ErrorKind::kLimit,
                  "has " + std::to_string(body.size()) + " bytes; at most " +
                      std::to_string(kLongestBody) + " are allowed",
                  "keep large texts in a file of the step and journal its hash");
  }
  if (body.empty() || body.front() != '{' || body.back() != '}') {
    return refuse(ErrorKind::kInvalid, "is not a JSON object");
  }
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char byte = body[i];
    if (static_cast<unsigned char>(byte) < 0x20) {
      return refuse(ErrorKind::kInvalid, "has a line end or another control character in it");
    }
    if (byte == '"') {
      in_string = !in_string;
    } else if (in_string) {
      if (byte == '\\') ++i;
    } else if (byte == '{' || byte == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (byte == '}' || byte == ']') {
      --depth;
    }
  }
  if (deepest > kDeepestJson) {
    return refuse(ErrorKind::kLimit,
                  "is nested more than " + std::to_string(kDeepestJson) + " levels deep");
  }
  if (!nlohmann::json::accept(body.begin(), body.end())) {
    return refuse(ErrorKind::kInvalid, "is not valid JSON");
  }
  return {};
}

}  // namespace moonlet
