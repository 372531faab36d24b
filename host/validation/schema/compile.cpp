#include "host/validation/schema/compile.h"

#include <algorithm>
#include <unordered_map>

#include "host/validation/schema/error.h"
#include "host/validation/schema/index.h"

namespace moonlet::schema {
namespace {

using nlohmann::json;

// Limits the total size of all regular expressions, in RE2 instructions of 16 bytes each.
constexpr std::size_t kMaxProgramSize = 400'000;

// Keywords of drafts after draft-07 are errors. If they were ignored, the schema would accept
// values that its author wants to reject.
constexpr const char* kLaterKeywords[] = {
    "$anchor",       "$dynamicAnchor",    "$dynamicRef",      "$recursiveAnchor",
    "$recursiveRef", "dependentRequired", "dependentSchemas", "maxContains",
    "minContains",   "prefixItems",       "unevaluatedItems", "unevaluatedProperties"};

constexpr std::pair<const char*, TypeSet> kTypes[] = {
    {"null", kNull},
    {"boolean", kBoolean},
    {"integer", kInteger},
    {"string", kString},
    {"array", kArray},
    {"object", kObject},
    {"number", static_cast<TypeSet>(kNumber | kInteger)}};

class Compiler {
 public:
  explicit Compiler(Program& program) : program_(program), index_(program) {}

  Result<void> run() {
    auto root = index_.add_document(program_.document, "");
    if (!root) return root.error();
    find_draft();
    program_.root = node_of(**root);
    // To avoid recursion, nodes are created when they are first referenced and filled in this loop.
    for (std::size_t i = 0; i < open_.size() && !error_; ++i) fill(*open_[i]);
    if (error_) return *error_;
    if (auto checked = check_circles(program_); !checked) return checked;
    for (auto& node : program_.nodes) find_kinds(node);
    return {};
  }

 private:
  void fail(const Place& place, std::string_view keyword, const std::string& what,
            ErrorKind kind = ErrorKind::kInvalid, std::string hint = {}) {
    if (!error_) error_ = schema_error(place, keyword, what, kind, std::move(hint));
  }

  void expected(const Node& node, std::string_view keyword, const json& found,
                const std::string& what, std::string hint = {}) {
    fail(*node.place, keyword, "found " + show(found) + ", expected " + what, ErrorKind::kInvalid,
         std::move(hint));
  }

  void find_draft() {
    if (!program_.document.is_object()) return;
    const auto found = program_.document.find("$schema");
    if (found == program_.document.end() || !found->is_string()) return;
    const auto& name = found->get_ref<const std::string&>();
    is_later_draft_ = name.find("json-schema.org/draft/20") != std::string::npos;
  }

  Node* node_of(const Place& place) {
    auto& node = by_place_[&place];
    if (node == nullptr) {
      node = &program_.nodes.emplace_back();
      node->place = &place;
      open_.push_back(node);
    }
    return node;
  }

  // Returns the node of `value`, a subschema of `parent`. The index contains every subschema.
  const Node* child(const Node& parent, std::string_view keyword, const json& value) {
    const Place* place = index_.place_of(value);
    if (place != nullptr) return node_of(*place);
    expected(parent, keyword, value, "a schema: an object, true or false");
    return nullptr;
  }

  void fill(Node& node) {
    const json& schema = *node.place->value;
    if (schema.is_boolean()) {
      node.rejects = !schema.get<bool>();
      return;
    }
    definitions(node, schema);
    if (const auto ref = schema.find("$ref"); ref != schema.end()) return reference(node, *ref);
    if (is_later_draft_) refuse_later_keywords(node, schema);
    for (auto item = schema.begin(); item != schema.end() && !error_; ++item) {
      keyword(node, item.key(), *item);
    }
    // additionalItems has an effect only if `items` is an array.
    if (node.array && !node.array->is_tuple) node.array->additional = nullptr;
    if (node.combined && node.combined->condition == nullptr) {
      node.combined->consequence = node.combined->alternative = nullptr;
    }
  }

  static void find_kinds(Node& node) {
    if (!node.object) return;
    for (const auto& [key, property] : node.object->properties) {
      const Node* target = property;
      while (target->ref != nullptr) target = target->ref;
      if (target->constant != nullptr || target->enumeration) {
        node.object->kinds.emplace_back(key, target);
      }
    }
  }

  // Compiles all definitions, even unused ones, to find errors in them now.
  void definitions(const Node& node, const json& schema) {
    const auto found = schema.find("definitions");
    if (found == schema.end()) return;
    if (!found->is_object()) return expected(node, "definitions", *found, "an object of schemas");
    for (const auto& value : *found) child(node, "definitions", value);
  }

  void reference(Node& node, const json& value) {
    if (!value.is_string()) return expected(node, "$ref", value, "a text");
    const auto target = index_.resolve(value.get_ref<const std::string&>(), *node.place);
    if (target) {
      node.ref = node_of(**target);
    } else if (!error_) {
      error_ = target.error();
    }
  }

  void refuse_later_keywords(const Node& node, const json& schema) {
    for (const char* keyword : kLaterKeywords) {
      if (!schema.contains(keyword)) continue;
      fail(*node.place, keyword, "this keyword is not part of draft-07", ErrorKind::kInvalid,
           "moonlet validates draft-07; write the rule with its keywords");
    }
  }

  using Filler = void (Compiler::*)(Node& node, std::string_view keyword, const json& value);
  struct Entry {
    std::string_view keyword;
    Filler fill;
  };
  static const Entry* find_entry(std::string_view keyword);

  void keyword(Node& node, std::string_view name, const json& value) {
    const Entry* entry = find_entry(name);
    if (entry != nullptr) (this->*entry->fill)(node, name, value);
  }

  template <typename T>
  static T& rules(std::unique_ptr<T>& rules) {
    if (!rules) rules = std::make_unique<T>();
    return *rules;
  }

  void type(Node& node, std::string_view keyword, const json& value) {
    node.types = 0;
    if (!value.is_array()) return one_type(node, keyword, value);
    if (value.empty()) return expected(node, keyword, value, "at least one type");
    for (const auto& item : value) one_type(node, keyword, item);
  }

  void one_type(Node& node, std::string_view keyword, const json& value) {
    std::vector<std::string_view> names;
    for (const auto& [name, bits] : kTypes) {
      names.push_back(name);
      if (value.is_string() && value.get_ref<const std::string&>() == name) {
        node.types = static_cast<TypeSet>(node.types | bits);
        return;
      }
    }
    expected(node, keyword, value, "one of " + list_texts(names, "or"));
  }

  void enumeration(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_array()) return expected(node, keyword, value, "an array of values");
    auto& rule = rules(node.enumeration);
    rule.values = &value;
    Budget unlimited(UINT64_MAX);
    for (std::size_t i = 0; i < value.size(); ++i) {
      rule.by_hash.emplace_back(hash_value(value[i], unlimited), i);
      rule.types = static_cast<TypeSet>(rule.types | type_of(value[i]));
    }
    std::sort(rule.by_hash.begin(), rule.by_hash.end());
  }

  void constant(Node& node, std::string_view, const json& value) { node.constant = &value; }

  template <auto Member>
  void bound(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_number()) {
      const bool old = value.is_boolean() && keyword.starts_with("exclusive");
      return expected(node, keyword, value, "a number",
                      old ? "draft-04 put true here; since draft-06 it is the bound itself" : "");
    }
    rules(node.number).*Member = &value;
  }

  void multiple_of(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_number() || compare_numbers(value, json(0)) <= 0) {
      return expected(node, keyword, value, "a number above 0");
    }
    auto& number = rules(node.number);
    number.multiple_of = &value;
    number.divisor = as_decimal(value);
  }

  template <auto Rules, auto Member>
  void count(Node& node, std::string_view keyword, const json& value) {
    const auto number = value.is_number() ? as_count(value) : std::nullopt;
    if (!number) return expected(node, keyword, value, "an integer of at least 0");
    rules(node.*Rules).*Member = *number;
  }

  const Pattern* compiled(const Node& node, std::string_view keyword, const std::string& source) {
    if (const auto known = program_.patterns.find(source); known != program_.patterns.end()) {
      return &known->second;
    }
    if (program_.patterns.size() >= program_.limits.max_patterns) {
      fail(*node.place, keyword,
           "more than " + std::to_string(program_.limits.max_patterns) + " regular expressions",
           ErrorKind::kLimit);
      return nullptr;
    }
    auto pattern = Pattern::compile(source, program_.limits.max_pattern_bytes);
    if (!pattern) {
      fail(*node.place, keyword,
           "the regular expression " + show_text(source) +
               " cannot be used: " + pattern.error().message,
           ErrorKind::kInvalid, pattern.error().hint);
      return nullptr;
    }
    pattern_size_ += pattern->size();
    if (pattern_size_ > kMaxProgramSize) {
      fail(*node.place, keyword, "its regular expressions are too large together",
           ErrorKind::kLimit);
      return nullptr;
    }
    return &program_.patterns.emplace(source, std::move(*pattern)).first->second;
  }

  void pattern(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_string()) return expected(node, keyword, value, "a regular expression");
    rules(node.string).pattern = compiled(node, keyword, value.get_ref<const std::string&>());
  }

  void format(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_string()) return expected(node, keyword, value, "the name of a format");
    rules(node.string).format = find_format(value.get_ref<const std::string&>());
  }

  void content(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_string()) return expected(node, keyword, value, "a text");
    const auto& name = value.get_ref<const std::string&>();
    if (keyword == "contentEncoding") rules(node.string).is_base64 = name == "base64";
    if (keyword == "contentMediaType") rules(node.string).is_json = name == "application/json";
  }

  void items(Node& node, std::string_view keyword, const json& value) {
    auto& array = rules(node.array);
    array.is_tuple = value.is_array();
    if (array.is_tuple) {
      for (const auto& item : value) array.tuple.push_back(child(node, keyword, item));
    } else {
      array.items = child(node, keyword, value);
    }
  }

  void unique_items(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_boolean()) return expected(node, keyword, value, "true or false");
    rules(node.array).unique = value.get<bool>();
  }

  template <auto Rules, auto Member>
  void one_schema(Node& node, std::string_view keyword, const json& value) {
    rules(node.*Rules).*Member = child(node, keyword, value);
  }

  template <auto Member>
  void schema_list(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_array() || value.empty()) {
      return expected(node, keyword, value, "an array of at least one schema");
    }
    auto& list = rules(node.combined).*Member;
    for (const auto& item : value) list.push_back(child(node, keyword, item));
  }

  void properties(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_object()) return expected(node, keyword, value, "an object of schemas");
    auto& object = rules(node.object);
    for (auto item = value.begin(); item != value.end() && !error_; ++item) {
      object.properties.emplace(item.key(), child(node, keyword, *item));
    }
  }

  void pattern_properties(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_object()) return expected(node, keyword, value, "an object of schemas");
    auto& object = rules(node.object);
    for (auto item = value.begin(); item != value.end() && !error_; ++item) {
      const Pattern* names = compiled(node, keyword, item.key());
      object.patterns.emplace_back(names, child(node, keyword, *item));
    }
  }

  std::vector<std::string_view> names(const Node& node, std::string_view keyword,
                                      const json& value) {
    std::vector<std::string_view> out;
    for (const auto& name : value) {
      if (!name.is_string()) {
        expected(node, keyword, name, "the name of a property");
        break;
      }
      out.push_back(name.get_ref<const std::string&>());
    }
    return out;
  }

  void required(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_array()) {
      const bool old = value.is_boolean();
      return expected(node, keyword, value, "an array of property names",
                      old ? "name the property in \"required\" of the object around it" : "");
    }
    rules(node.object).required = names(node, keyword, value);
  }

  void dependencies(Node& node, std::string_view keyword, const json& value) {
    if (!value.is_object()) return expected(node, keyword, value, "an object");
    auto& object = rules(node.object);
    for (auto item = value.begin(); item != value.end() && !error_; ++item) {
      Dependency dependency;
      dependency.key = item.key();
      if (item->is_array()) {
        dependency.names = names(node, keyword, *item);
      } else {
        dependency.schema = child(node, keyword, *item);
      }
      object.dependencies.push_back(std::move(dependency));
    }
  }

  Program& program_;
  Index index_;
  std::unordered_map<const Place*, Node*> by_place_;
  std::vector<Node*> open_;
  std::size_t pattern_size_ = 0;
  bool is_later_draft_ = false;
  std::optional<Error> error_;
};

const Compiler::Entry* Compiler::find_entry(std::string_view keyword) {
  static constexpr Entry kEntries[] = {
      {"type", &Compiler::type},
      {"enum", &Compiler::enumeration},
      {"const", &Compiler::constant},
      {"minimum", &Compiler::bound<&NumberRules::minimum>},
      {"maximum", &Compiler::bound<&NumberRules::maximum>},
      {"exclusiveMinimum", &Compiler::bound<&NumberRules::exclusive_minimum>},
      {"exclusiveMaximum", &Compiler::bound<&NumberRules::exclusive_maximum>},
      {"multipleOf", &Compiler::multiple_of},
      {"minLength", &Compiler::count<&Node::string, &StringRules::min_length>},
      {"maxLength", &Compiler::count<&Node::string, &StringRules::max_length>},
      {"minItems", &Compiler::count<&Node::array, &ArrayRules::min_items>},
      {"maxItems", &Compiler::count<&Node::array, &ArrayRules::max_items>},
      {"minProperties", &Compiler::count<&Node::object, &ObjectRules::min_properties>},
      {"maxProperties", &Compiler::count<&Node::object, &ObjectRules::max_properties>},
      {"pattern", &Compiler::pattern},
      {"format", &Compiler::format},
      {"contentEncoding", &Compiler::content},
      {"contentMediaType", &Compiler::content},
      {"items", &Compiler::items},
      {"uniqueItems", &Compiler::unique_items},
      {"additionalItems", &Compiler::one_schema<&Node::array, &ArrayRules::additional>},
      {"contains", &Compiler::one_schema<&Node::array, &ArrayRules::contains>},
      {"additionalProperties", &Compiler::one_schema<&Node::object, &ObjectRules::additional>},
      {"propertyNames", &Compiler::one_schema<&Node::object, &ObjectRules::names>},
      {"not", &Compiler::one_schema<&Node::combined, &Combinators::negated>},
      {"if", &Compiler::one_schema<&Node::combined, &Combinators::condition>},
      {"then", &Compiler::one_schema<&Node::combined, &Combinators::consequence>},
      {"else", &Compiler::one_schema<&Node::combined, &Combinators::alternative>},
      {"allOf", &Compiler::schema_list<&Combinators::all_of>},
      {"anyOf", &Compiler::schema_list<&Combinators::any_of>},
      {"oneOf", &Compiler::schema_list<&Combinators::one_of>},
      {"properties", &Compiler::properties},
      {"patternProperties", &Compiler::pattern_properties},
      {"required", &Compiler::required},
      {"dependencies", &Compiler::dependencies},
  };
  for (const auto& entry : kEntries) {
    if (entry.keyword == keyword) return &entry;
  }
  return nullptr;
}

}  // namespace

Result<void> compile_program(Program& program) { return Compiler(program).run(); }

}  // namespace moonlet::schema
