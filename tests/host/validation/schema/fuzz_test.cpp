// Validates seeded random values with seeded random schemas. Every validation ends within the
// budget. 2,000 pairs, or 10,000 with MOONLET_SOAK=1.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <random>
#include <string>

#include "host/base/json.h"
#include "host/validation/schema/schema.h"
#include "tests/catch.h"

using namespace moonlet;
using nlohmann::json;

namespace {

class Generator {
 public:
  // One schema in four has patterns, references and keywords that compile() must refuse.
  explicit Generator(std::uint64_t seed) : random_(seed), wild_(seed % 4 == 0) {}

  json schema() {
    json root = object_schema(0);
    json definitions = json::object();
    for (level_ = 0; level_ < kDefinitions; ++level_) {
      inside_ = 0;
      definitions["d" + std::to_string(level_)] = object_schema(1);
    }
    if (wild_ && chance(30)) {
      root["$id"] = pick({"http://example.com/a.json", "urn:x:y", "a/b#frag", "#top"});
    }
    root["definitions"] = std::move(definitions);
    return root;
  }

  json instance(int depth = 0) {
    switch (number(depth > 5 ? 6 : 9)) {
      case 0:
        return nullptr;
      case 1:
        return chance(50);
      case 2:
      case 3:
        return a_number();
      case 4:
      case 5:
        return text();
      case 6: {
        json array = json::array();
        for (auto i = number(chance(2) ? 500 : 5); i > 0; --i) array.push_back(instance(depth + 1));
        return array;
      }
      case 7:
        return chance(5) ? deep_value() : json::object();
      default: {
        json object = json::object();
        for (auto i = number(5); i > 0; --i) object[key()] = instance(depth + 1);
        return object;
      }
    }
  }

 private:
  std::size_t number(std::size_t below) { return random_() % below; }
  bool chance(std::size_t percent) { return number(100) < percent; }
  std::string pick(std::initializer_list<const char*> texts) {
    return *(texts.begin() + static_cast<std::ptrdiff_t>(number(texts.size())));
  }

  std::string key() {
    return pick({"a", "b", "c", "aa", "ab", "kind", "\xc3\xa4", "", "a/b~c", "x y"});
  }

  std::string text() {
    if (chance(5)) return std::string(number(200'000), 'a') + "!";
    if (chance(3)) return std::string("\x00\xff\xc3", 3);
    return pick({"a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "2024-05-31", "12:00:00Z",
                 "http://[::1]:80/a?b#c", "a@b.c", "1.2.3.4", "::1", "/a/b", "{a,b*}", "(a+)+$",
                 "\xf0\x9f\x90\xb2", "", "-1.5e3", "xn--abc", "eyJhIjoxfQ=="});
  }

  json a_number() {
    switch (number(8)) {
      case 0:
        return std::numeric_limits<std::int64_t>::min();
      case 1:
        return std::numeric_limits<std::uint64_t>::max();
      case 2:
        return 1e308;
      case 3:
        return 5e-324;
      case 4:
        return 0.1 * static_cast<double>(number(100));
      case 5:
        return -0.0;
      default:
        return static_cast<std::int64_t>(number(10)) - 3;
    }
  }

  json deep_value() {
    json value = 1;
    for (auto i = number(300); i > 0; --i) {
      json outer = chance(50) ? json::array() : json::object();
      if (outer.is_array()) {
        outer.get_ref<json::array_t&>().push_back(std::move(value));
      } else {
        outer.get_ref<json::object_t&>()["a"] = std::move(value);
      }
      value = std::move(outer);
    }
    return value;
  }

  std::string pattern() {
    if (wild_ && chance(30)) return pick({"(?=a)b", "(a)\\1", "[", "(x", "a{5000}"});
    if (chance(5)) return pick({"\\p{L}{1,50}x", "a{1000}", ".{0,500}a"});
    return pick({"(a+)+$", "^(a|aa)+$", "(a*)*b", "^[a-z]+$", "\\p{L}x", "(.*)*(.*)*(.*)*!",
                 "^\\d{4}", "(x+x+)+y", "\\x{e4}", "(a|b)*a(a|b){12}"});
  }

  // Unless `wild_`, references in a definition lead only to later definitions, because cycles are
  // refused.
  json reference() {
    if (wild_) {
      return {{"$ref", pick({"#", "#/definitions/d0", "#/definitions/d1", "#/definitions/d4",
                             "#/properties/a", "#frag", "b.json", "#/%41", "#/a/0"})}};
    }
    if (chance(10)) return {{"$ref", "http://json-schema.org/draft-07/schema#"}};
    if (inside_ > 0 && chance(20)) return {{"$ref", "#"}};
    const int first = inside_ > 0 ? 0 : level_ + 1;
    if (first >= kDefinitions) return true;
    const auto target =
        first + static_cast<int>(number(static_cast<std::size_t>(kDefinitions - first)));
    return {{"$ref", "#/definitions/d" + std::to_string(target)}};
  }

  json names() {
    json out = json::array();
    for (auto i = number(4); i > 0; --i) out.push_back(key());
    return out;
  }

  json subschema(int depth) {
    if (chance(8)) return chance(70);
    return chance(18) ? reference() : object_schema(depth);
  }

  // Returns a schema that applies to a part of the value.
  json inner(int depth) {
    ++inside_;
    auto schema = subschema(depth);
    --inside_;
    return schema;
  }

  json list(int depth) {
    json out = json::array();
    for (auto i = 1 + number(4); i > 0; --i) out.push_back(subschema(depth));
    return out;
  }

  json object_schema(int depth) {
    json out = json::object();
    for (auto i = number(depth > 4 ? 2 : 4); i > 0; --i) add_keyword(out, depth + 1);
    return out;
  }

  void add_keyword(json& out, int depth) {
    if (wild_ && chance(3))
      return void(out[pick({"type", "items", "required", "$ref", "enum"})] = instance());
    if (depth <= 6 && chance(60)) return add_applicator(out, depth);
    switch (number(14)) {
      case 0:
        out["type"] = pick({"null", "boolean", "integer", "number", "string", "array", "object"});
        break;
      case 1:
        out["enum"] = json::array({instance(3), instance(3), "a", 1});
        break;
      case 2:
        out["const"] = instance(3);
        break;
      case 3:
        out["minimum"] = a_number();
        break;
      case 4:
        out["exclusiveMaximum"] = a_number();
        break;
      case 5:
        out["multipleOf"] = chance(50) ? json(0.01) : json(1 + number(9));
        break;
      case 6:
        out["minLength"] = number(5);
        break;
      case 7:
        out["maxLength"] = number(50);
        break;
      case 8:
      case 9:
        out["pattern"] = pattern();
        break;
      case 10:
        out["uniqueItems"] = true;
        break;
      case 11:
        out["required"] = names();
        break;
      case 12:
        out["format"] =
            pick({"date-time", "email", "ipv4", "ipv6", "uri", "regex", "uuid", "nothing"});
        break;
      default:
        out["contentEncoding"] = "base64", out["contentMediaType"] = "application/json";
    }
  }

  void add_applicator(json& out, int depth) {
    switch (number(14)) {
      case 0:
        out["allOf"] = list(depth);
        break;
      case 1:
      case 2:
        out["anyOf"] = list(depth);
        break;
      case 3:
      case 4:
        out["oneOf"] = list(depth);
        break;
      case 5:
        out["not"] = subschema(depth);
        break;
      case 6:
        out["if"] = subschema(depth);
        out["then"] = subschema(depth);
        out["else"] = subschema(depth);
        break;
      case 7:
        out["items"] = chance(60) ? inner(depth) : json::array({inner(depth), inner(depth)});
        break;
      case 8:
        out["additionalItems"] = inner(depth);
        break;
      case 9:
        out["contains"] = inner(depth);
        break;
      case 10:
        out["patternProperties"][pattern()] = inner(depth);
        break;
      case 11:
        out["additionalProperties"] = inner(depth);
        break;
      case 12:
        out["dependencies"][key()] = chance(50) ? names() : subschema(depth);
        break;
      default:
        for (auto i = 1 + number(4); i > 0; --i) out["properties"][key()] = inner(depth);
    }
  }

  static constexpr int kDefinitions = 4;

  std::mt19937_64 random_;
  bool wild_;
  int level_ = -1;  // the current definition, or -1 in the root
  int inside_ = 0;  // the number of enclosing schemas that apply to a larger value
};

struct Counts {
  int pairs = 0, refused = 0, valid = 0, invalid = 0, limited = 0;
  double slowest = 0;
};

// CPU time, because other programs run too.
double seconds_since(std::clock_t start) {
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

void run_pair(std::uint64_t seed, Counts& counts) {
  Generator generator(seed);
  const auto document = generator.schema();
  const auto instance = generator.instance();
  INFO("seed " << seed);
  const auto start = std::clock();
  const auto schema = Schema::compile(document);
  ++counts.pairs;
  if (!schema) {
    ++counts.refused;
    CHECK(schema.error().message.size() < 3'000);
    return;
  }
  const auto report = schema->validate(instance);
  const auto text = to_text(report);
  const double took = seconds_since(start);
  counts.slowest = std::max(counts.slowest, took);
  CHECK(report.ok == report.errors.empty());
  CHECK(report.ok == text.empty());
  CHECK_FALSE((report.ok && report.limit_hit));
  CHECK(text.size() < 200'000);
  ++(report.limit_hit ? counts.limited : report.ok ? counts.valid : counts.invalid);
}

}  // namespace

TEST_CASE("random schemas and values always get an answer within the budget") {
  const char* soak = std::getenv("MOONLET_SOAK");
  const std::uint64_t pairs = soak != nullptr && *soak == '1' ? 10'000 : 2'000;
  Counts counts;
  for (std::uint64_t seed = 1; seed <= pairs; ++seed) run_pair(seed, counts);
  std::printf(
      "schema fuzz: %d pairs: %d schemas refused, %d valid, %d invalid, %d limited; slowest %.3f "
      "s\n",
      counts.pairs, counts.refused, counts.valid, counts.invalid, counts.limited, counts.slowest);
  CHECK(counts.valid > counts.pairs / 20);
  CHECK(counts.invalid > counts.pairs / 20);
}

TEST_CASE("random bytes are JSON or an error with a place") {
  std::mt19937_64 random(7);
  using namespace std::string_literals;
  const auto alphabet = "[]{}:,\"\\u0123456789eE+-. \n\ttrufalsn\0\xff\xc3\xa4\xef\xbb\xbf"s;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto size = random() % 24; size > 0; --size) text += alphabet[random() % alphabet.size()];
    const auto parsed = parse_json(text);
    if (parsed) {
      CHECK(parse_json(json_text(*parsed)));
    } else {
      CHECK(parsed.error().at.find(':') != std::string::npos);
    }
  }
}
