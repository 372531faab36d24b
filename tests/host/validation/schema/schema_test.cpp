#include "host/validation/schema/schema.h"

#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "host/base/json.h"
#include "tests/catch.h"

using namespace moonlet;
using nlohmann::json;

namespace {

Schema compiled(const std::string& text, const SchemaLimits& limits = {}) {
  const auto document = parse_json(text);
  REQUIRE(document);
  auto schema = Schema::compile(*document, limits);
  INFO(text);
  if (!schema) FAIL(schema.error().message);
  return std::move(schema).value();
}

Error compile_error(const std::string& text) {
  const auto document = parse_json(text);
  REQUIRE(document);
  const auto schema = Schema::compile(*document);
  INFO(text);
  REQUIRE_FALSE(schema);
  return schema.error();
}

ValidationReport report_of(const std::string& schema, const std::string& instance) {
  const auto value = parse_json(instance);
  REQUIRE(value);
  return compiled(schema).validate(*value);
}

// Returns the first message about an instance, or "" if it is valid.
std::string verdict(const std::string& schema, const std::string& instance) {
  const auto report = report_of(schema, instance);
  CHECK(report.ok == report.errors.empty());
  return report.ok ? std::string() : report.errors.front().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
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

const char* const kFindings = R"({
  "type": "object",
  "required": ["findings"],
  "additionalProperties": false,
  "properties": {
    "findings": {"type": "array", "items": {"$ref": "#/definitions/finding"}},
    "summary": {"type": ["string", "null"]}
  },
  "definitions": {
    "finding": {
      "type": "object",
      "required": ["file", "line", "severity"],
      "additionalProperties": false,
      "properties": {
        "file": {"type": "string", "minLength": 1},
        "line": {"type": "integer", "minimum": 1},
        "severity": {"enum": ["low", "medium", "high"]}
      }
    }
  }
})";

}  // namespace

TEST_CASE("errors name the place, the value found and the value expected") {
  auto report =
      report_of(kFindings, R"({"findings": [{"file": "a.c", "line": 1, "severity": "hgih"}]})");
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].instance == "/findings/0/severity");
  CHECK(report.errors[0].schema == "#/definitions/finding/properties/severity/enum");
  CHECK(report.errors[0].message ==
        "/findings/0/severity is \"hgih\"; expected one of \"low\", \"medium\", \"high\"; did you "
        "mean \"high\"?");

  report = report_of(kFindings,
                     R"({"findings": [{"file": "", "line": "3", "sevrity": "low"}], "sumary": 1})");
  const auto text = to_text(report);
  INFO(text);
  CHECK(report.errors.size() == 5);
  CHECK(contains(text,
                 "the value has the unexpected property \"sumary\"; did you mean \"summary\"?"));
  CHECK(contains(text, "/findings/0 lacks the property \"severity\"; is \"sevrity\" meant to be"));
  CHECK(contains(text, "/findings/0/line is \"3\"; expected an integer; write it without quotes"));
  CHECK(contains(text, "/findings/0/file has 0 characters; expected at least 1"));
  CHECK(to_text(report_of(kFindings, R"({"findings": []})")).empty());
}

TEST_CASE("every keyword has its sentence") {
  CHECK(verdict(R"({"type": ["string", "null"]})", "12") ==
        "the value is 12; expected a string or null");
  CHECK(verdict(R"({"const": {"a": [1]}})", "2") ==
        "the value is 2; expected an object with 1 property (\"a\")");
  CHECK(verdict(R"({"maximum": 3})", "3.5") == "the value is 3.5; expected at most 3");
  CHECK(verdict(R"({"exclusiveMinimum": 3})", "3") == "the value is 3; expected more than 3");
  CHECK(verdict(R"({"multipleOf": 0.01})", "0.125") ==
        "the value is 0.125; expected a multiple of 0.01");
  CHECK(verdict(R"({"items": {"maxLength": 2}})", R"(["abc"])") ==
        "/0 has 3 characters; expected at most 2");
  CHECK(verdict(R"({"pattern": "^a+$"})", R"("b")") ==
        "the value is \"b\"; expected a text that matches the pattern \"^a+$\"");
  CHECK(verdict(R"({"format": "date"})", R"("31.5.24")") ==
        "the value is \"31.5.24\"; expected the format date, such as \"2024-05-31\"");
  CHECK(verdict(R"({"minItems": 1})", "[]") == "the value has 0 items; expected at least 1");
  CHECK(verdict(R"({"uniqueItems": true})", R"([1, {"a": 1}, 2, {"a": 1.0}])") ==
        "the value has the same value at 1 and 3; expected each only once");
  CHECK(verdict(R"({"contains": {"type": "string"}})", "[1]") ==
        "the value has no item of the form that at least one must have");
  CHECK(verdict(R"({"minProperties": 2})", R"({"a": 1})") ==
        "the value has 1 property; expected at least 2");
  CHECK(verdict(R"({"propertyNames": {"pattern": "^[a-z]+$"}})", R"({"A b": 1})") ==
        "the value has a property of the wrong name \"A b\"; expected a text that matches the "
        "pattern \"^[a-z]+$\"");
  CHECK(verdict(R"({"dependencies": {"a": ["b", "c"]}})", R"({"a": 1, "c": 2})") ==
        "the value has the property \"a\" and so needs \"b\"");
  CHECK(verdict(R"({"not": {"type": "null"}})", "null") ==
        "the value has a form that is not allowed");
  CHECK(verdict(R"({"properties": {"a": false}})", R"({"a": 1})") == "/a is not allowed here");
  CHECK(verdict(R"({"oneOf": [{"type": "integer"}, {"minimum": 2}]})", "3") ==
        "the value has form 1 and form 2 of the 2 allowed; expected exactly one of them");
  CHECK(verdict(R"({"enum": []})", "1") ==
        "the value is 1; expected nothing: the list of allowed values is empty");
  CHECK(verdict(R"({"required": ["a", "b", "c"]})", "{}") ==
        "the value lacks the properties \"a\", \"b\" and \"c\"");
  CHECK(verdict(R"({"if": {"minimum": 5}, "then": {"multipleOf": 2}})", "7") ==
        "the value is 7; expected a multiple of 2");
  CHECK(verdict("false", "7") == "the value is not allowed here");
}

TEST_CASE("the closest alternative is explained") {
  const char* shapes = R"({"anyOf": [
    {"title": "circle", "type": "object", "required": ["kind", "radius"],
     "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}}},
    {"title": "box", "type": "object", "required": ["kind", "width", "height"],
     "properties": {"kind": {"const": "box"}, "width": {"type": "number"}, "height": {"type": "number"}}},
    {"type": "string"}]})";
  // A "const" selects the branch, and the report leaves out the other one.
  CHECK(verdict(shapes, R"({"kind": "box", "width": 1, "height": "2"})") ==
        "/height is \"2\"; expected a number; write it without quotes");
  auto report = report_of(shapes, R"({"kind": "boks", "width": 1, "height": 2})");
  REQUIRE(report.errors.size() == 1);
  CHECK(contains(report.errors[0].message, "none of the 3 allowed forms"));
  CHECK(contains(report.errors[0].message, "the closest is form 2 \"box\""));
  REQUIRE(report.errors[0].causes.size() == 1);
  CHECK(contains(to_text(report), "\n  - /kind is \"boks\"; expected \"box\""));

  // Without a "const", the report is about the branch with the fewest and deepest errors.
  report = report_of(R"({"oneOf": [
      {"required": ["radius"]},
      {"required": ["size"], "properties": {"size": {"properties": {"width": {"minimum": 1}}}}}]})",
                     R"({"size": {"width": 0}})");
  REQUIRE(report.errors.size() == 1);
  REQUIRE(report.errors[0].causes.size() == 1);
  CHECK(report.errors[0].causes[0].instance == "/size/width");

  // If only types differ, or one branch has the right type, the report lists no branches.
  CHECK(verdict(shapes, "1") == "the value is 1; expected a string or an object");
  CHECK(verdict(R"({"oneOf": [{"type": "null"}, {"type": "array", "maxItems": 1}]})", "[1,2]") ==
        "the value has 2 items; expected at most 1");
}

TEST_CASE("pointers are escaped and long keys shortened") {
  const auto report = report_of(R"({"additionalProperties": {"type": "null"}})", R"({"a/b~c": 1})");
  CHECK(report.errors[0].instance == "/a~1b~0c");
  const auto schema = compiled(R"({"additionalProperties": {"type": "null"}})");
  json value;
  value[std::string(1 << 20, 'k')] = 1;
  CHECK(to_text(schema.validate(value)).size() < 1000);
}

TEST_CASE("numbers are compared exactly") {
  CHECK(verdict(R"({"const": 1})", "1.0").empty());
  CHECK(verdict(R"({"type": "integer"})", "1.0").empty());
  CHECK_FALSE(verdict(R"({"type": "integer"})", "1.5").empty());
  CHECK_FALSE(verdict(R"({"const": 9007199254740993})", "9007199254740992").empty());
  CHECK_FALSE(verdict(R"({"const": 9007199254740993})", "9007199254740992.0").empty());
  CHECK_FALSE(verdict(R"({"maximum": 18446744073709551614})", "18446744073709551615").empty());
  CHECK_FALSE(verdict(R"({"minimum": -9223372036854775807})", "-9223372036854775808").empty());
  CHECK(verdict(R"({"maximum": 18446744073709551615})", "-9223372036854775808").empty());
  CHECK_FALSE(verdict(R"({"exclusiveMaximum": 18446744073709551615})", "1e300").empty());
  CHECK(verdict(R"({"enum": [0]})", "-0.0").empty());
  CHECK_FALSE(verdict(R"({"uniqueItems": true})", "[0, -0.0]").empty());
  CHECK(verdict(R"({"uniqueItems": true})", "[1, true, 0, false, \"1\", [1], [true]]").empty());
}

TEST_CASE("multipleOf is right for decimals and for huge numbers") {
  CHECK(verdict(R"({"multipleOf": 0.0001})", "0.0075").empty());
  CHECK_FALSE(verdict(R"({"multipleOf": 0.0001})", "0.00751").empty());
  CHECK(verdict(R"({"multipleOf": 0.1})", "0.3").empty());
  CHECK(verdict(R"({"multipleOf": 0.01})", "19.99").empty());
  CHECK(verdict(R"({"multipleOf": 1e-8})", "12391239123").empty());
  CHECK(verdict(R"({"multipleOf": 3})", "18446744073709551615").empty());
  CHECK_FALSE(verdict(R"({"multipleOf": 7})", "18446744073709551615").empty());
  CHECK(verdict(R"({"multipleOf": 0.5})", "1e308").empty());
  CHECK_FALSE(verdict(R"({"multipleOf": 0.123456789})", "1e308").empty());
  CHECK_FALSE(verdict(R"({"multipleOf": 1e308})", "1e-308").empty());
  CHECK(verdict(R"({"multipleOf": 5e-324})", "1").empty());
  CHECK(verdict(R"({"multipleOf": 18446744073709551615})", "-18446744073709551615.0").empty() ==
        false);
  CHECK(verdict(R"({"multipleOf": 2})", "-4").empty());
  CHECK(verdict(R"({"multipleOf": 2})", "-0.0").empty());
}

TEST_CASE("a wrong schema is an error at its place") {
  const auto at = [](const std::string& text) { return compile_error(text).at; };
  CHECK(at("1") == "#");
  CHECK(at(R"({"type": "strng"})") == "#/type");
  CHECK(at(R"({"properties": {"a": {"minLength": -1}}})") == "#/properties/a/minLength");
  CHECK(at(R"({"properties": {"a": 3}})") == "#/properties/a");
  CHECK(at(R"({"properties": []})") == "#/properties");
  CHECK(at(R"({"items": [{}, "x"]})") == "#/items/1");
  CHECK(at(R"({"required": true})") == "#/required");
  CHECK(at(R"({"required": ["a", 1]})") == "#/required");
  CHECK(at(R"({"anyOf": []})") == "#/anyOf");
  CHECK(at(R"({"allOf": {}})") == "#/allOf");
  CHECK(at(R"({"multipleOf": 0})") == "#/multipleOf");
  CHECK(at(R"({"exclusiveMinimum": true})") == "#/exclusiveMinimum");
  CHECK(at(R"({"pattern": "("})") == "#/pattern");
  CHECK(at(R"({"patternProperties": {"(a": true}})") == "#/patternProperties");
  CHECK(at(R"({"definitions": {"unused": {"type": 1}}})") == "#/definitions/unused/type");
  CHECK(at(R"({"dependencies": {"a": 1}})") == "#/dependencies");
  CHECK(at(R"({"enum": 1})") == "#/enum");
  CHECK(at(R"({"$id": 1})") == "#/$id");
  CHECK(at(R"({"uniqueItems": 1})") == "#/uniqueItems");
  CHECK(contains(compile_error(R"({"type": "strng"})").message, "\"strng\""));
}

TEST_CASE("references that lead nowhere or elsewhere are refused by name") {
  auto error = compile_error(R"({"$ref": "#/definitions/fnding", "definitions": {"finding": {}}})");
  CHECK(error.at == "#/$ref");
  CHECK(contains(error.message, "\"fnding\""));
  CHECK(contains(error.hint, "\"finding\""));
  error = compile_error(R"({"items": {"$ref": "https://example.com/a.json#/b"}})");
  CHECK(error.at == "#/items/$ref");
  CHECK(contains(error.message, "\"https://example.com/a.json\""));
  CHECK(contains(compile_error(R"({"$ref": "file:///etc/passwd"})").message, "another document"));
  CHECK(contains(compile_error(R"({"$ref": "other.json"})").message, "another document"));
  CHECK(contains(compile_error(R"({"$ref": "#/a", "a": 3})").message, "not a schema"));
  CHECK(contains(compile_error(R"({"$ref": "#nowhere"})").message, "#nowhere"));
  CHECK(contains(compile_error(R"({"$ref": "#/%zz"})").message, "percent"));
  CHECK(
      contains(compile_error(R"({"definitions": {"a": {"$id": "x"}, "b": {"$id": "x"}}})").message,
               "also the $id"));
}

TEST_CASE("schemas that apply themselves for ever are refused, recursive ones are not") {
  for (
      const char* text : {
          R"({"$ref": "#"})",
          R"({"allOf": [{"$ref": "#"}]})",
          R"({"not": {"$ref": "#"}})",
          R"({"if": {"$ref": "#"}})",
          R"({"dependencies": {"a": {"$ref": "#"}}})",
          R"({"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}})",
          R"({"anyOf": [{"$ref": "#/definitions/a"}],
               "definitions": {"a": {"oneOf": [{"type": "null"}, {"$ref": "#"}]}}})",
      }) {
    const auto error = compile_error(text);
    CHECK(contains(error.message, "refers to itself"));
    CHECK(contains(error.message, " -> "));
  }
  const char* tree = R"({"type": "object", "required": ["value"],
                         "properties": {"value": {"type": "integer"},
                                        "children": {"type": "array", "items": {"$ref": "#"}}}})";
  CHECK(verdict(tree, R"({"value": 1, "children": [{"value": 2, "children": []}]})").empty());
  CHECK(verdict(tree, R"({"value": 1, "children": [{"value": 2, "children": [{}]}]})") ==
        "/children/0/children/0 lacks the property \"value\"");
  CHECK(verdict(R"({"propertyNames": {"$ref": "#"}})", R"({"a": {}})").empty());
}

TEST_CASE("the meta-schema is built in") {
  const char* meta = R"({"$ref": "http://json-schema.org/draft-07/schema#"})";
  CHECK(verdict(meta, kFindings).empty());
  const auto report = report_of(meta, R"({"properties": {"a": {"minLength": -1}}})");
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].instance == "/properties/a/minLength");
  CHECK(contains(report.errors[0].schema, "http://json-schema.org/draft-07/schema#/definitions/"));
  CHECK(verdict(R"({"$ref": "https://json-schema.org/draft-07/schema#/definitions/simpleTypes"})",
                "\"null\"")
            .empty());
}

TEST_CASE("keywords of later drafts are refused where the schema says it is one") {
  CHECK(contains(compile_error(R"({"$schema": "https://json-schema.org/draft/2020-12/schema",
                                   "items": {"prefixItems": [true]}})")
                     .message,
                 "not part of draft-07"));
  compiled(R"({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"})");
  compiled(R"({"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": 1})");
}

TEST_CASE("deep, large and foreign values end in an error, not in a crash") {
  const auto recursive = compiled(R"({"items": {"$ref": "#"}})");
  CHECK(recursive.validate(nested(100)).ok);
  auto report = recursive.validate(nested(100'000));
  CHECK(report.limit_hit);
  CHECK(contains(to_text(report), "nests deeper"));
  CHECK(compiled("true").validate(nested(100'000)).limit_hit);

  CHECK(Schema::compile(nested(100'000)).error().kind == ErrorKind::kLimit);
  json schema = json::object();
  for (int i = 0; i < 100'000; ++i) {
    json outer = json::object();
    outer["not"] = std::move(schema);
    schema = std::move(outer);
  }
  CHECK(Schema::compile(schema).error().kind == ErrorKind::kLimit);

  for (const json& value : {json(std::numeric_limits<double>::quiet_NaN()),
                            json(std::numeric_limits<double>::infinity()), json::binary({1})}) {
    const auto refused = compiled("true").validate(json{{"a", {1, value}}});
    CHECK_FALSE(refused.ok);
    CHECK(contains(to_text(refused), "not JSON"));
  }
  CHECK_FALSE(Schema::compile(json{{"const", std::numeric_limits<double>::infinity()}}));
}

TEST_CASE("work is limited by steps, never by the stack") {
  // Each level refers to the next one twice, which makes 2^30 checks.
  json schema = {{"$ref", "#/definitions/d0"}};
  for (int i = 0; i < 30; ++i) {
    const auto next = json{{"$ref", "#/definitions/d" + std::to_string(i + 1)}};
    schema["definitions"]["d" + std::to_string(i)] = {{"allOf", json::array({next, next})}};
  }
  schema["definitions"]["d30"] = {{"type", "integer"}};
  auto report = Schema::compile(schema)->validate(json(1));
  CHECK_FALSE(report.ok);
  CHECK(report.limit_hit);
  CHECK(contains(to_text(report), "steps"));

  // A chain of ten thousand references.
  json chain = {{"$ref", "#/definitions/d0"}};
  for (int i = 0; i < 4'000; ++i) {
    chain["definitions"]["d" + std::to_string(i)] = {
        {"allOf", json::array({{{"$ref", "#/definitions/d" + std::to_string(i + 1)}}})}};
  }
  chain["definitions"]["d4000"] = true;
  report = Schema::compile(chain)->validate(json(1));
  CHECK(report.limit_hit);
  CHECK(contains(to_text(report), "levels"));

  // This regular expression takes exponential time in backtracking engines.
  const auto pattern = compiled(R"({"pattern": "(a+)+$"})");
  CHECK_FALSE(pattern.validate(json(std::string(60'000, 'a') + "!")).limit_hit);
  CHECK(pattern.validate(json(std::string(60'000, 'a'))).ok);
  CHECK(pattern.validate(json(std::string(std::size_t{100} << 20, 'a'))).limit_hit);
}

TEST_CASE("nested alternatives are decided once for each value") {
  // The two branches of each level differ only at the innermost value.
  const auto schema = compiled(R"({"anyOf": [
      {"type": "array", "items": {"$ref": "#"}, "maxItems": 1},
      {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
      {"type": "string"}]})");
  CHECK_FALSE(schema.validate(nested(100)).limit_hit);
  const auto closest = schema.validate(nested(100));
  CHECK_FALSE(closest.ok);
  CHECK(contains(to_text(closest), "the closest is form"));

  const auto tree = compiled(R"({"oneOf": [
      {"properties": {"kind": {"const": "a"}, "children": {"items": {"$ref": "#"}}}},
      {"properties": {"kind": {"const": "b"}, "children": {"items": {"$ref": "#"}}}},
      {"properties": {"kind": {"const": "c"}, "children": {"items": {"$ref": "#"}}}}],
      "required": ["kind"]})");
  CHECK(tree.validate(json{{"kind", "b"}}).ok);
  json deep = {{"kind", "x"}};
  for (int i = 0; i < 12; ++i) deep = {{"kind", "a"}, {"children", json::array({deep})}};
  const auto report = tree.validate(deep);
  CHECK_FALSE(report.ok);
  CHECK_FALSE(report.limit_hit);
  CHECK(contains(to_text(report), "kind is \"x\"; expected \"a\""));
}

TEST_CASE("alternatives for the names of properties are decided for each name") {
  const auto schema =
      compiled(R"({"propertyNames": {"anyOf": [{"enum": ["b"]}, {"maxLength": 1}]}})");
  CHECK(schema.validate(json{{"a", 1}, {"b", 1}}).ok);
  CHECK_FALSE(schema.validate(json{{"a", 1}, {"bb", 1}, {"c", 1}}).ok);
}

TEST_CASE("one schema serves several threads") {
  const auto schema =
      compiled(R"({"items": {"anyOf": [{"pattern": "^(a+)+$"}, {"format": "ipv4"}]}})");
  const json good = {"aaa", "192.0.2.1", "a"}, bad = {"aaa", "-"};
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) right += schema.validate(good).ok && !schema.validate(bad).ok;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 200);
}

TEST_CASE("large arrays are checked for doubles in one pass") {
  const auto unique = compiled(R"({"uniqueItems": true})");
  json numbers = json::array();
  for (int i = 0; i < 100'000; ++i) numbers.push_back(i);
  CHECK(unique.validate(numbers).ok);
  numbers.push_back(500.0);
  CHECK(contains(to_text(unique.validate(numbers)), "same value at 500 and 100000"));
}

TEST_CASE("schemas are limited in size") {
  SchemaLimits limits;
  limits.max_subschemas = 10;
  limits.max_patterns = 2;
  limits.max_values = 100;
  limits.max_bytes = 2'000;
  limits.max_pattern_bytes = 20;
  const auto kind = [&](const json& schema) {
    return Schema::compile(schema, limits).error().kind;
  };
  json many = {{"allOf", json::array()}};
  for (int i = 0; i < 10; ++i) many["allOf"].push_back(true);
  CHECK(kind(many) == ErrorKind::kLimit);
  CHECK(kind({{"patternProperties", {{"a", true}, {"b", true}, {"c", true}}}}) ==
        ErrorKind::kLimit);
  CHECK(kind({{"enum", std::vector<int>(200)}}) == ErrorKind::kLimit);
  CHECK(kind({{"description", std::string(3'000, 'x')}}) == ErrorKind::kLimit);
  CHECK(kind({{"pattern", std::string(30, 'x')}}) == ErrorKind::kInvalid);
}

TEST_CASE("the number of errors is limited") {
  SchemaLimits limits;
  limits.max_errors = 3;
  const auto schema = compiled(R"({"items": {"type": "string"}})", limits);
  const auto report = schema.validate(json::array({1, 2, 3, 4, 5}));
  CHECK(report.errors.size() == 3);
  CHECK(report.more_errors);
  CHECK(contains(to_text(report), "- and more"));
}

TEST_CASE("an error shows a value briefly and without control characters") {
  const auto schema = compiled(R"({"type": "integer"})");
  const std::string hostile = "\x1b[2J\x7f\xc2\x9b" + std::string(1'000'000, 'x') + "\xff";
  const auto text = to_text(schema.validate(json(hostile)));
  CHECK(text.size() < 300);
  for (const char c : text) CHECK((c == '\n' || (c & 0xE0) != 0));
  CHECK_FALSE(contains(text, "\x7f"));
  CHECK_FALSE(contains(text, "\xc2\x9b"));
}
