#include "host/artifact/journal/body.h"

#include <algorithm>
#include <vector>

namespace moonlet {

namespace {

/// A value up to this size stays in memory, because reading it again would cost more memory and
/// time.
constexpr std::size_t kLargeValue = 256;
/// A record that is nested deeper keeps all its members. It is then refused as soon as the journal
/// is read, and not later during a replay.
constexpr std::size_t kDeepest = 100;

struct Member {
  std::string_view name;  // including its quotes
  std::string_view value;
};

/// Scan finds the members of a JSON object without decoding them.
/// The journal has checked that the text is valid JSON. If the scan fails nevertheless, for example
/// because the object is nested too deep, no member is removed from the text.
class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  bool members(std::vector<Member>& found) {
    if (!take('{')) return false;
    if (take('}')) return at_ == text_.size();
    do {
      Member member;
      if (!string(member.name) || !take(':') || !value(member.value)) return false;
      found.push_back(member);
    } while (take(','));
    return take('}') && at_ == text_.size();
  }

 private:
  bool take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool string(std::string_view& found) {
    const std::size_t start = at_;
    if (!take('"')) return false;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        found = text_.substr(start, at_ - start);
        return true;
      }
    }
    return false;
  }

  bool value(std::string_view& found) {
    const std::size_t start = at_;
    std::size_t depth = 0;
    std::string_view skipped;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!string(skipped)) return false;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}')) break;
      if ((c == '{' || c == '[') && ++depth > kDeepest) return false;
      if ((c == '}' || c == ']') && depth-- == 0) return false;
      ++at_;
    }
    found = text_.substr(start, at_ - start);
    return depth == 0 && !found.empty();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string> body_without_large(std::string_view body,
                                              const std::vector<std::string>& names) {
  std::vector<Member> members;
  if (!Scan(body).members(members)) return {};
  const auto is_large = [&names](const Member& member) {
    const auto name = member.name.substr(1, member.name.size() - 2);
    return member.value.size() > kLargeValue &&
           std::find(names.begin(), names.end(), name) != names.end();
  };
  if (std::none_of(members.begin(), members.end(), is_large)) return {};
  std::string rest = "{";
  for (const Member& member : members) {
    if (is_large(member)) continue;
    if (rest.size() > 1) rest += ',';
    rest += member.name;
    rest += ':';
    rest += member.value;
  }
  return rest += '}';
}

}  // namespace moonlet
