// A compiled schema is a graph with a node for each reachable subschema. Only the compiler changes
// the graph; afterwards any thread may read it. Nodes point into the documents that the Program
// owns.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/validation/schema/format/format.h"
#include "host/validation/schema/format/pattern.h"
#include "host/validation/schema/schema.h"
#include "host/validation/schema/value.h"

namespace moonlet::schema {

// TypeSet is a bit set of JSON types. A schema that allows kNumber also allows kInteger.
using TypeSet = std::uint8_t;
constexpr TypeSet kNull = 1, kBoolean = 2, kInteger = 4, kNumber = 8, kString = 16, kArray = 32,
                  kObject = 64, kAnyType = 127;

constexpr std::size_t kNoIndex = SIZE_MAX;

/// `Place` is the position of a subschema: its parent, the keyword in the parent, and the key or
/// index under that keyword. A Place refers to the Place of its parent, and so takes less memory
/// than a complete JSON pointer.
struct Place {
  const Place* parent = nullptr;
  std::string_view document;         ///< URI without fragment; empty for the user's schema
  std::string_view keyword;          ///< a keyword such as "properties"; may be empty
  const std::string* key = nullptr;  ///< a member's name, such as "name" below "properties"
  std::size_t index = kNoIndex;
  const nlohmann::json* value = nullptr;
  std::shared_ptr<const std::string> base;  ///< URI that relative references are resolved against
};
/// Formats a place as "#/properties/name", with long keys shortened.
std::string pointer_text(const Place& place);

struct Node;

struct NumberRules {
  const nlohmann::json* minimum = nullptr;
  const nlohmann::json* maximum = nullptr;
  const nlohmann::json* exclusive_minimum = nullptr;
  const nlohmann::json* exclusive_maximum = nullptr;
  const nlohmann::json* multiple_of = nullptr;
  Decimal divisor;
};

struct StringRules {
  std::uint64_t min_length = 0, max_length = UINT64_MAX;
  const Pattern* pattern = nullptr;
  const Format* format = nullptr;
  bool is_base64 = false;  ///< contentEncoding is "base64"
  bool is_json = false;    ///< contentMediaType is "application/json"
};

struct ArrayRules {
  std::uint64_t min_items = 0, max_items = UINT64_MAX;
  bool unique = false;
  const Node* items = nullptr;     ///< the schema of every element
  std::vector<const Node*> tuple;  ///< schemas of the first elements, by position
  bool is_tuple = false;
  const Node* additional = nullptr;  ///< the schema of elements that come after those of `tuple`
  const Node* contains = nullptr;
};

struct Dependency {
  std::string_view key;
  const Node* schema = nullptr;         ///< if set, the schema that the whole object must match
  std::vector<std::string_view> names;  ///< the required properties if `schema` is null
};

struct ObjectRules {
  std::uint64_t min_properties = 0, max_properties = UINT64_MAX;
  std::map<std::string_view, const Node*> properties;
  /// Properties with a "const" or "enum". They are checked first, to find the right alternative
  /// cheaply.
  std::vector<std::pair<std::string, const Node*>> kinds;
  std::vector<std::pair<const Pattern*, const Node*>> patterns;
  const Node* additional = nullptr;
  const Node* names = nullptr;
  std::vector<std::string_view> required;
  std::vector<Dependency> dependencies;
};

struct Combinators {
  std::vector<const Node*> all_of, any_of, one_of;
  const Node* negated = nullptr;
  const Node* condition = nullptr;
  const Node* consequence = nullptr;
  const Node* alternative = nullptr;
};

struct Enumeration {
  const nlohmann::json* values = nullptr;                      ///< the allowed values, a JSON array
  std::vector<std::pair<std::uint64_t, std::size_t>> by_hash;  ///< pairs of hash and index, sorted
  TypeSet types = 0;
};

struct Node {
  const Place* place = nullptr;
  bool rejects = false;       ///< the schema is `false`
  const Node* ref = nullptr;  ///< if set, ignore all other members
  TypeSet types = kAnyType;
  const nlohmann::json* constant = nullptr;
  std::unique_ptr<Enumeration> enumeration;
  std::unique_ptr<NumberRules> number;
  std::unique_ptr<StringRules> string;
  std::unique_ptr<ArrayRules> array;
  std::unique_ptr<ObjectRules> object;
  std::unique_ptr<Combinators> combined;
};

struct Program {
  nlohmann::json document;
  std::unique_ptr<nlohmann::json> meta_document;  ///< null if no $ref refers to the meta-schema
  std::deque<Place> places;
  std::deque<Node> nodes;
  std::map<std::string, Pattern, std::less<>> patterns;  ///< by source text
  const Node* root = nullptr;
  SchemaLimits limits;
};

/// Returns the bit of a value's type. It is kInteger for any number without a fraction.
TypeSet type_of(const nlohmann::json& value);
/// Names the types for an error message: "a string or null".
std::string type_names(TypeSet types);

}  // namespace moonlet::schema
