#include "host/validation/schema/format/pattern.h"

#include <string>
#include <vector>

#include "tests/catch.h"

using namespace moonlet;
using moonlet::schema::is_pattern;
using moonlet::schema::Pattern;

namespace {

bool matches(const std::string& source, const std::string& text) {
  const auto pattern = Pattern::compile(source, 4'000);
  INFO(source);
  if (!pattern) FAIL(pattern.error().message);
  return pattern->matches(text);
}

std::string refusal(const std::string& source) {
  const auto pattern = Pattern::compile(source, 4'000);
  return pattern ? "" : pattern.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("patterns are not anchored, and anchors mean the whole text") {
  CHECK(matches("b", "abc"));
  CHECK(matches("", ""));
  CHECK_FALSE(matches("^b$", "a\nb"));
  CHECK_FALSE(matches("^b$", "b\n"));
}

TEST_CASE("a pattern is one of RE2, on characters") {
  CHECK(matches(R"(^\x{1F432}\x41\t$)",
                "\xf0\x9f\x90\xb2"
                "A\t"));
  CHECK(matches(R"(^\/\-\.\_\@\$$)", "/-._@$"));
  CHECK(matches(R"(^\d\D\w\W$)", "1a_-"));
  CHECK(matches(R"(\bword\b)", "a word."));
  CHECK(matches(R"(^[\w.-]+@[^\s\d]+$)", "a.b-c@host"));
  CHECK(matches(R"(^(\d{4})-(?:\d\d)$)", "2024-05"));
  CHECK(matches(R"(^\p{Lu}\p{Greek}\pL+$)", "A\xce\xb1z"));
  CHECK(matches("^.$", "\xf0\x9f\x90\xb2"));
  CHECK_FALSE(matches("^.$", "\n"));
}

TEST_CASE("a pattern that RE2 refuses is refused with its message") {
  CHECK(refusal("(?=a)") == "invalid perl operator: (?=");
  CHECK(refusal("^(?!.*secret)") == "invalid perl operator: (?!");
  CHECK(refusal(R"((a)\1)") == "invalid escape sequence: \\1");
  CHECK(contains(refusal("a{1,2000}"), "invalid repetition size"));
  CHECK(contains(refusal(R"(\p{L}{1000})"), "too large"));
  CHECK(contains(refusal(R"(\p{Emoji})"), "Emoji"));
  CHECK(Pattern::compile("(?=a)", 4'000).error().hint.find("lookahead") != std::string::npos);
  for (const char* source :
       {"(", ")", "[", "a**", "*", "\\", "\\Z", "[b-a]", "\xff", "(?", "[\\"}) {
    INFO(source);
    CHECK_FALSE(refusal(source).empty());
    CHECK_FALSE(is_pattern(source));
  }
  CHECK(is_pattern("a|b"));
}

TEST_CASE("hostile patterns are compiled or refused in bounded work") {
  const auto repeated = [](const std::string& part, int times) {
    std::string out;
    while (times-- > 0) out += part;
    return out;
  };
  for (const std::string& source : std::vector<std::string>{
           repeated("(", 1'900) + repeated(")", 1'900), repeated("(a*", 900) + repeated(")*", 900),
           repeated("a?", 1'900) + repeated("a", 100), std::string("((((a{10}){10}){10}){10}){10}"),
           repeated("\\p{L}", 700), repeated("[^a]{1000}", 300),
           repeated("(a|", 900) + repeated(")", 900), std::string("(x+x+)+y"),
           repeated("\\", 3'999), repeated("[", 3'999)}) {
    const auto pattern = Pattern::compile(source, 4'000);
    if (pattern) {
      CHECK(pattern->cost(1'000) > 0);
      pattern->matches(std::string(1'000, 'a'));
    }
  }
  CHECK(Pattern::compile(std::string(4'001, 'a'), 4'000).error().message.size() < 100);
}
