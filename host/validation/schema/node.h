// A compiled schema is a graph of nodes, a node for each reachable subschema.
// Only the compiler writes the graph; then any thread reads it.
// Nodes point into the documents that the Program owns.
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

// TypeSet is a bit set of types. An integer is also a number.
using TypeSet = std::uint8_t;
constexpr TypeSet kNull = 1, kBoolean = 2, kInteger = 4, kNumber = 8, kString = 16, kArray = 32,
                  kObject = 64, kAnyType = 127;

constexpr std::size_t kNoIndex = SIZE_MAX;

/// Place is the position of a subschema: `keyword`, then `key` or `index`, below its parent.
/// A chain of places needs less memory than ten thousand long pointer texts.
struct Place {
  const Place* parent = nullptr;
  std::string_view document;         ///< URI before the '#'; empty for the user's schema
  std::string_view keyword;          ///< empty when `index` is the only step
  const std::string* key = nullptr;  ///< "name" in "properties"
  std::size_t index = kNoIndex;
  const nlohmann::json* value = nullptr;
  std::shared_ptr<const std::string> base;  ///< URI that references resolve against
};
/// Formats "#/properties/name" and shortens long keys.
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
  bool is_base64 = false;  ///< contentEncoding
  bool is_json = false;    ///< contentMediaType
};

struct ArrayRules {
  std::uint64_t min_items = 0, max_items = UINT64_MAX;
  bool unique = false;
  const Node* items = nullptr;     ///< the schema of every element
  std::vector<const Node*> tuple;  ///< the schemas of elements by position
  bool is_tuple = false;
  const Node* additional = nullptr;  ///< the schema of values after the tuple
  const Node* contains = nullptr;
};

struct Dependency {
  std::string_view key;
  const Node* schema = nullptr;         ///< the whole object must match this schema, …
  std::vector<std::string_view> names;  ///< … or have these properties
};

struct ObjectRules {
  std::uint64_t min_properties = 0, max_properties = UINT64_MAX;
  std::map<std::string_view, const Node*> properties;
  /// Properties with a "const" or "enum" cheaply distinguish alternatives.
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
  const nlohmann::json* values = nullptr;                      ///< the array of the schema
  std::vector<std::pair<std::uint64_t, std::size_t>> by_hash;  ///< sorted pairs of hash and index
  TypeSet types = 0;
};

struct Node {
  const Place* place = nullptr;
  bool rejects = false;       ///< the schema `false`
  const Node* ref = nullptr;  ///< replaces this node, whose other rules do not count
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
  std::unique_ptr<nlohmann::json> meta_document;  ///< loaded only if referenced
  std::deque<Place> places;
  std::deque<Node> nodes;
  std::map<std::string, Pattern, std::less<>> patterns;  ///< by their source
  const Node* root = nullptr;
  SchemaLimits limits;
};

/// Returns the type of a value as a bit; kInteger for numbers without a fraction.
TypeSet type_of(const nlohmann::json& value);
/// Formats "string" or "string or null".
std::string type_names(TypeSet types);

}  // namespace moonlet::schema
