#include "host/validation/schema/pattern.h"

#include <string>
#include <vector>

#include "tests/catch.h"

using namespace moonlet;
using moonlet::schema::is_ecma_pattern;
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

TEST_CASE("the escapes of ECMA-262 are translated") {
  CHECK(
      matches(R"(^\cJ\x41\u0042\u{1F432}\t\v\0$)", std::string("\nAB\xf0\x9f\x90\xb2\t\v\0", 10)));
  CHECK(matches(R"(^\ud83d\udc32$)", "\xf0\x9f\x90\xb2"));
  CHECK(matches(R"(^[\u{1F432}-\u{1F433}]$)", "\xf0\x9f\x90\xb3"));
  CHECK(matches(R"(^\/\-\.\_\@\$\ $)", "/-._@$ "));
  CHECK(matches(R"(^\d\D\w\W$)", "1a_-"));
  CHECK(matches(R"(\bword\b)", "a word."));
  CHECK(matches(R"(^[\b]$)", "\b"));
  CHECK(matches(R"(^[\w.-]+@[^\s\d]+$)", "a.b-c@host"));
  CHECK(matches(R"(^[\w-.]+$)", "a-."));
  CHECK(matches(R"(^[[:alpha:]]$)", ":]"));
  CHECK(matches(R"(^[^\S\n]$)", "\xc2\xa0"));
  CHECK_FALSE(matches(R"(^[^\S\n]$)", "\n"));
  CHECK(matches(R"(^(?<year>\d{4})-(?:\d\d)$)", "2024-05"));
  CHECK(matches(R"(^a{2,}b{0,1}c{3}$)", "aaaccc"));
  CHECK(matches(R"(^{a}$)", "{a}"));
  CHECK(matches(R"(^\p{Lu}\p{Script=Greek}\P{L}\p{L}+$)",
                "A\xce\xb1"
                "1b"));
  CHECK(matches(R"(^[\p{L}\p{gc=Nd}_]+$)",
                "\xc3\xa4"
                "1_"));
  CHECK_FALSE(matches("[]", "a"));
  CHECK(matches("^[^]$", "\n"));
  CHECK_FALSE(matches("^.$", "\n"));
  CHECK_FALSE(matches("^.$", "\xe2\x80\xa8"));
  CHECK(matches("^.$", "\xf0\x9f\x90\xb2"));
}

TEST_CASE("what RE2 cannot run is refused by name") {
  CHECK(contains(refusal("(?=a)"), "lookahead"));
  CHECK(contains(refusal("^(?!.*secret)"), "lookahead"));
  CHECK(contains(refusal("(?<=a)b"), "lookbehind"));
  CHECK(contains(refusal("(?<!a)b"), "lookbehind"));
  CHECK(contains(refusal(R"((a)\1)"), "back-reference"));
  CHECK(contains(refusal(R"((?<n>a)\k<n>)"), "back-reference"));
  CHECK(contains(refusal("a{1,2000}"), "1000"));
  CHECK(contains(refusal(R"([\ud800-\udbff])"), "surrogate"));
  CHECK(contains(refusal(R"(\p{Emoji})"), "Emoji"));
  CHECK(contains(refusal(R"(\p{L}{1000})"), "large"));
}

TEST_CASE("what is no expression of ECMA-262 is refused") {
  for (const char* source :
       {"(",       ")",      "[",     "a**",  "*",     "(?i)a",       "(?P<n>a)", "\\",  "\\a",
        "\\Z",     "\\z",    "[b-a]", "\\x1", "\\u12", "\\u{110000}", "\\c1",     "\\p", "\\p{",
        "(?<1>a)", "a{2,1}", "\xff",  "(?",   "[\\",   "\\k",         "(?<n"}) {
    INFO(source);
    CHECK_FALSE(refusal(source).empty());
    CHECK_FALSE(is_ecma_pattern(source));
  }
  for (const char* source : {"(?=a)b", "(a)\\1", "(?<n>a)\\k<n>", "a{1,2000}", "[]", "a|b"}) {
    INFO(source);
    CHECK(is_ecma_pattern(source));
  }
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
