// Validates a value against a compiled schema. The first pass stops at the first error. For an
// invalid value, a second pass in explain.cpp collects the errors, with half of the budget. An
// Evaluator only reads the Program, so threads may share a Program, each with its own Evaluator.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "host/validation/schema/node.h"

namespace moonlet::schema {

ValidationReport evaluate(const Program& program, const nlohmann::json& instance);

/// Path is the path from the root to the current value: a linked list on the call stack.
struct Path {
  const Path* parent = nullptr;
  const std::string* key = nullptr;  ///< null if the step is an array index
  std::size_t index = 0;
};
/// Formats a path as a JSON pointer, with long keys shortened.
std::string path_text(const Path& path);

class ErrorList {
 public:
  explicit ErrorList(std::size_t most) : most_(most) {}
  bool full() const { return errors_.size() >= most_; }
  void add(SchemaError error) {
    if (!full()) errors_.push_back(std::move(error));
  }
  std::vector<SchemaError>& errors() { return errors_; }

 private:
  std::size_t most_;
  std::vector<SchemaError> errors_;
};

class Evaluator {
 public:
  Evaluator(const SchemaLimits& limits, std::uint64_t steps) : limits_(limits), budget_(steps) {}

  /// Returns true if `value` matches. Adds errors to `sink`; without a sink, stops at the first
  /// error. If stopped() is true afterwards, the result is meaningless.
  bool check(const Node& node, const nlohmann::json& value, const Path& path, ErrorList* sink);

  bool stopped() const { return budget_.exhausted(); }
  bool too_deep() const { return too_deep_; }

 private:
  /// `Subject` has the arguments that all check functions need.
  struct Subject {
    const Node& node;
    const nlohmann::json& value;
    const Path& path;
    ErrorList* sink;
  };

  bool check_rules(const Subject& subject);
  bool check_choice(const Subject& subject);
  bool check_value(const Subject& subject);
  bool check_number(const Subject& subject);
  bool check_multiple(const nlohmann::json& value, const Decimal& divisor);
  bool check_string(const Subject& subject);
  bool check_text(const Subject& subject, const StringRules& rules, const std::string& text);
  bool check_array(const Subject& subject);
  bool check_items(const Subject& subject);
  bool check_contains(const Subject& subject);
  bool check_object(const Subject& subject);
  bool check_members(const Subject& subject);
  bool check_member(const Subject& subject, const std::string& key, const nlohmann::json& value);
  bool check_kinds(const Node& node, const nlohmann::json& value, const Path& path);
  bool check_names(const Subject& subject);
  bool check_required(const Subject& subject);
  bool check_dependencies(const Subject& subject);
  bool check_combined(const Subject& subject);
  bool check_any(const Subject& subject);
  bool check_one(const Subject& subject);

  bool fits(const Node& node, const Subject& subject) {
    return check(node, subject.value, subject.path, nullptr);
  }
  /// Returns false if further checks cannot change the result, or if the budget is exhausted.
  bool goes_on(bool ok, const Subject& subject) const {
    if (budget_.exhausted()) return false;
    return subject.sink != nullptr ? !subject.sink->full() : ok;
  }

  // Each of these functions adds an error to the sink and returns false.
  bool fault(const Subject& subject, std::string_view keyword, const std::string& rest);
  bool type_fault(const Subject& subject);
  bool enum_fault(const Subject& subject);
  bool bound_fault(const Subject& subject, std::string_view keyword, std::string_view what,
                   const nlohmann::json& bound);
  bool count_fault(const Subject& subject, std::string_view keyword, std::uint64_t count,
                   std::string_view noun, std::uint64_t bound);
  bool unexpected_fault(const Subject& subject, const std::string& key);
  bool missing_fault(const Subject& subject, const std::vector<std::string_view>& missing);
  bool needs_fault(const Subject& subject, std::string_view key,
                   const std::vector<std::string_view>& missing);
  bool name_fault(const Subject& subject, const std::string& key, std::vector<SchemaError> causes);
  void keep_right_kind(const Subject& subject, const std::vector<const Node*>& branches,
                       std::vector<std::size_t>& candidates);
  struct Branch {
    std::size_t index;
    std::vector<SchemaError> errors;
  };
  Branch closest_branch(const Subject& subject, const std::vector<const Node*>& branches,
                        const std::vector<std::size_t>& candidates);
  bool branch_fault(const Subject& subject, const std::vector<const Node*>& branches,
                    std::string_view keyword);
  bool several_fault(const Subject& subject, const std::vector<std::size_t>& matching);
  bool costs(const Subject& subject, std::uint64_t steps);

  const SchemaLimits& limits_;
  Budget budget_;
  /// Caches whether a value matches a schema with anyOf or oneOf.
  /// Without the cache, nested alternatives would take exponential time.
  std::map<std::pair<const Node*, const nlohmann::json*>, bool> choices_;
  std::size_t temporaries_ = 0;  ///< if not 0, do not cache: the value is temporary
  std::size_t depth_ = 0;
  bool too_deep_ = false;
  std::size_t nested_branches_ = 0;  ///< number of nested anyOf and oneOf being explained
};

}  // namespace moonlet::schema
