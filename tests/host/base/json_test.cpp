#include "host/base/json.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "tests/catch.h"

using namespace moonlet;
using nlohmann::json;

namespace {

std::string error_place(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed ? "parsed: " + json_text(*parsed) : parsed.error().at;
}

std::string error_of(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed ? "parsed: " + json_text(*parsed) : parsed.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string out;
  out.reserve(part.size() * times);
  while (times-- > 0) out += part;
  return out;
}

json nested(std::size_t depth) {
  json value = 1;
  for (std::size_t i = 0; i < depth; ++i) {
    json outer = json::array();
    outer.get_ref<json::array_t&>().push_back(std::move(value));
    value = std::move(outer);
  }
  return value;
}

}  // namespace

TEST_CASE("JSON text reads back as it was written") {
  for (const char* text : {"null", "true", "0", "-1", "1.5", "\"\"", "[]", "{}",
                           "[1,[2,{\"a\":[]}]]", "{\"a\":1,\"b\":{\"c\":null}}",
                           "9223372036854775807", "-9223372036854775808", "18446744073709551615",
                           "\"\\u0000\\\"\\\\\\n\"", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb2\""}) {
    const auto parsed = parse_json(text);
    REQUIRE(parsed);
    CHECK(json_text(*parsed) == text);
  }
}

TEST_CASE("integers stay integers and floats stay floats") {
  CHECK(parse_json("1")->is_number_unsigned());
  CHECK(parse_json("-1")->is_number_integer());
  CHECK(parse_json("1.0")->is_number_float());
  CHECK(parse_json("1e2")->is_number_float());
  CHECK(json_text(*parse_json("1.0")) == "1.0");
}

TEST_CASE("an integer that 64 bits do not hold is an error at its place") {
  CHECK(error_place("18446744073709551616") == "1:1");
  CHECK(error_place("[1,\n  -9223372036854775809 ]") == "2:3");
  CHECK(error_place("{\"a\":111111111111111111111}") == "1:6");
  CHECK(error_place("11111111111111111111111111") == "1:1");
  CHECK(error_place("[11111111111111111111111111]") == "1:2");
  CHECK(contains(error_of("[18446744073709551616]"), "18446744073709551616"));
  JsonLimits limits;
  limits.big_integers = BigIntegers::kDouble;
  CHECK(parse_json("18446744073709551616", limits)->get<double>() == 18446744073709551616.0);
}

TEST_CASE("a key that occurs twice is an error at its place") {
  CHECK(error_place("{\"a\":1,\"a\":2}") == "1:8");
  CHECK(error_place("{\"a\":1,\n \"\\u0061\":2}") == "2:2");
  CHECK(error_place("{\"x\\\"\":1, \"x\\\"\":2}") == "1:11");
  CHECK(error_place("{\"\xc3\xa4\":{\"b\":1,\"b\":2}}") == "1:13");
  CHECK(parse_json("[{\"a\":1},{\"a\":1}]"));
  CHECK(contains(error_of("{\"a\":1,\"a\":2}"), "\"a\" occurs twice"));
}

TEST_CASE("text that is not JSON is an error with a place and a hint") {
  for (const char* text :
       {"",         " ",           "nul",         "[1,]",        "{\"a\":1,}", "{a:1}",
        "'a'",      "01",          "+1",          ".5",          "1.",         "- 1",
        "[1 2]",    "{\"a\" 1}",   "\"a",         "[",           "{",          "]",
        "1 2",      "// x\n1",     "NaN",         "Infinity",    "-Infinity",  "[NaN]",
        "\"\t\"",   "\"\\x\"",     "\"\\ud800\"", "\"\\udc00\"", "1e400",      "True",
        "\xef\xbb", "\xef\xbb\xbf"}) {
    INFO(text);
    const auto parsed = parse_json(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == ErrorKind::kInvalid);
    CHECK(contains(parsed.error().at, ":"));
    CHECK(parsed.error().message.size() < 300);
  }
  CHECK(contains(parse_json("[1,\n2,\n]").error().hint, "comma"));
  CHECK(error_place("[1,\n2,\n]") == "3:1");
  CHECK(contains(parse_json("{\"a\": NaN}").error().hint, "NaN"));
  CHECK(contains(parse_json("```json\n{}\n```").error().hint, "fence"));
  CHECK(contains(parse_json("{'a': 1}").error().hint, "double quotes"));
  CHECK(contains(parse_json("{\"a\": True}").error().hint, "lower case"));
  CHECK(contains(parse_json("{\"a\": 1").error().hint, "ends too early"));
}

TEST_CASE("a NUL byte does not end the text early") {
  using namespace std::string_view_literals;
  CHECK(error_place("1\0"sv) == "1:2");
  CHECK(error_place("{}\0garbage"sv) == "1:3");
  CHECK(error_place("[1,\0"sv) == "1:4");
  CHECK(error_place("\"a\0b\""sv) == "1:3");
}

TEST_CASE("invalid UTF-8 is an error at its byte, and a byte order mark is not") {
  for (const char* bytes : {"\x80", "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                            "\xf4\x90\x80\x80", "\xe2\x82"}) {
    const auto text = "[\"ab" + std::string(bytes) + "\"]";
    INFO(text.size());
    CHECK_FALSE(parse_json(text));
  }
  CHECK(error_place("[1,\n\"ab\xff\"]") == "2:4");
  CHECK(*parse_json("\xef\xbb\xbf{\"a\":1}") == json{{"a", 1}});
  CHECK(error_place("\xef\xbb\xbf{\"a\":}") == "1:6");
}

TEST_CASE("depth, size and number of values are limited") {
  CHECK(parse_json(repeated("[", 64) + repeated("]", 64)));
  const auto deep = parse_json(repeated("[", 65) + repeated("]", 65));
  REQUIRE_FALSE(deep);
  CHECK(deep.error().kind == ErrorKind::kLimit);
  CHECK(deep.error().at == "1:65");
  CHECK(parse_json(repeated("[", 100'000)).error().kind == ErrorKind::kLimit);
  CHECK(parse_json(repeated("{\"a\":", 100'000)).error().at == "1:321");

  JsonLimits small;
  small.max_bytes = 10;
  small.max_values = 3;
  CHECK(parse_json("[1,2]", small));
  CHECK(parse_json("[1,2,3]", small).error().kind == ErrorKind::kLimit);
  CHECK(parse_json("          1", small).error().kind == ErrorKind::kLimit);
}

TEST_CASE("a text of 100 MB is refused by its size, and a megabyte token shown shortly") {
  const std::string huge(std::size_t{100} << 20, 'x');
  CHECK(parse_json("\"" + huge + "\"").error().kind == ErrorKind::kLimit);
  const auto broken =
      "{\"" + huge.substr(0, 4 << 20) + "\": 1, \"" + huge.substr(0, 4 << 20) + "\": 1}";
  const auto error = parse_json(broken).error();
  CHECK(error.message.size() < 400);
  CHECK(parse_json("[" + huge.substr(0, 1 << 20) + "]").error().message.size() < 400);
}

TEST_CASE("values of any depth are parsed, written and destroyed without recursion") {
  constexpr std::size_t kDepth = 100'000;
  JsonLimits limits;
  limits.max_depth = 200'000;
  auto parsed = parse_json(repeated("[", kDepth) + repeated("]", kDepth), limits);
  REQUIRE(parsed);
  CHECK(json_text(*parsed).size() == 2 * kDepth);
  auto objects = parse_json(repeated("{\"a\":[", kDepth / 2) + repeated("]}", kDepth / 2), limits);
  REQUIRE(objects);
  CHECK(json_text(*objects).size() == kDepth / 2 * 8);
  CHECK(json_text(nested(kDepth)).size() == 2 * kDepth + 1);
}

TEST_CASE("JSON output escapes control characters and parses to the same text") {
  const std::pair<const char*, const char*> kUnsafe[] = {
      {"\x7f", "\\u007f"},         {"\xc2\x80", "\\u0080"},
      {"\xc2\x9b", "\\u009b"},     {"\xc2\x9f", "\\u009f"},
      {"\xd8\x9c", "\\u061c"},     {"\xe2\x80\x8e", "\\u200e"},
      {"\xe2\x80\x8f", "\\u200f"}, {"\xe2\x80\xaa", "\\u202a"},
      {"\xe2\x80\xae", "\\u202e"}, {"\xe2\x81\xa6", "\\u2066"},
      {"\xe2\x81\xa9", "\\u2069"}, {"\xf3\xa0\x81\x81", "\\udb40\\udc41"},
      {"\x1b", "\\u001b"},
  };
  for (const auto& [raw, escaped] : kUnsafe) {
    const json value = {{std::string("k") + raw, std::string("\"\\") + raw + "\xc3\xa4"}};
    const std::string text = json_text(value);
    CHECK(text == std::string("{\"k") + escaped + R"(":"\"\\)" + escaped + "\xc3\xa4\"}");
    const auto read = parse_json(text);
    REQUIRE(read.ok());
    CHECK(*read == value);
  }
  const std::string harmless = "\xc2\xa0 \xe2\x80\x93 \xe2\x80\x8d \xf0\x9f\x98\x80";
  CHECK(json_text(json(harmless)) == "\"" + harmless + "\"");
}

TEST_CASE("writing JSON never fails") {
  CHECK(json_text(json("a\xff"
                       "b")) ==
        "\"a\xef\xbf\xbd"
        "b\"");
  CHECK(json_text(json{{"\x80", 1}}) == "{\"\xef\xbf\xbd\":1}");
  CHECK(json_text(json(std::numeric_limits<double>::quiet_NaN())) == "null");
  CHECK(json_text(json(std::numeric_limits<double>::infinity())) == "null");
  CHECK(json_text(json::binary({1, 2, 3})) == "null");
  CHECK(json_text(json(json::value_t::discarded)) == "null");
  CHECK(json_text(json{{"b", {1, 2}}, {"a", json::object()}, {"c", json::array()}}, 2) ==
        "{\n  \"a\": {},\n  \"b\": [\n    1,\n    2\n  ],\n  \"c\": []\n}");
}

TEST_CASE("a long text is written whole, wherever its characters lie") {
  // Texts are longer than a chunk of the writer. The shift puts each byte of a character at its
  // end.
  for (const std::string unit : {"a\x1b\"", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x80",
                                 "\xf0\x9f\x98", "\xe2\x80\xae"}) {
    for (std::size_t shift = 0; shift < 5; ++shift) {
      std::string text(shift, 'x');
      while (text.size() < 200000) text += unit;
      const std::string alone = json_text(unit, -1);
      std::string wanted = '"' + std::string(shift, 'x');
      for (std::size_t at = shift; at < text.size(); at += unit.size()) {
        wanted += alone.substr(1, alone.size() - 2);
      }
      CHECK((json_text(text, -1) == wanted + '"'));
    }
  }
}
