// Schema is a compiled JSON Schema draft-07 that validates values.
// Schemas and values may come from an agent, so both are hostile.
// No schema or value can overflow the stack, load a document, backtrack, or exceed the budget.
// Messages are written for a model that must repair the value. Immutable, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/base/result.h"

namespace moonlet {

namespace schema {
struct Program;
}

struct SchemaLimits {
  std::size_t max_depth = 128;                   ///< the deepest nesting of the schema's own JSON
  std::size_t max_values = 100'000;              ///< the most JSON values in the schema
  std::size_t max_bytes = std::size_t{4} << 20;  ///< the most bytes of keys and strings
  std::size_t max_subschemas = 10'000;
  std::size_t max_patterns = 256;  ///< the most different regular expressions
  std::size_t max_pattern_bytes = 4'000;
  std::size_t max_instance_depth = 128;    ///< the deepest nesting of a validated value
  std::size_t max_evaluation_depth = 600;  ///< the most nested subschemas during a validation
  std::uint64_t max_steps = 2'000'000;     ///< the most work of a validate(); well under a second
  std::size_t max_errors = 20;
};

struct SchemaError {
  std::string instance;             ///< JSON pointer into the value; "" is the value itself
  std::string schema;               ///< the place of the rule: "#/properties/severity/enum"
  std::string message;              ///< a sentence: the place, the value found, the value expected
  std::vector<SchemaError> causes;  ///< for anyOf and oneOf: the faults of the closest branch
};

struct ValidationReport {
  bool ok = true;
  std::vector<SchemaError> errors;  ///< at most max_errors; empty only if `ok`
  bool more_errors = false;         ///< more faults exist than max_errors allows
  bool limit_hit = false;           ///< a limit ended the validation, so the value may be invalid
};

class Schema {
 public:
  /// Compiles `document`, which is copied. Errors are kInvalid, or kLimit for a passed limit.
  /// `at` of an error is the place in the schema: "#/properties/a/minLength".
  static Result<Schema> compile(const nlohmann::json& document, const SchemaLimits& limits = {});

  /// Reports each fault of `instance`, which may come from anywhere, not only from parse_json.
  ValidationReport validate(const nlohmann::json& instance) const;

 private:
  explicit Schema(std::shared_ptr<const schema::Program> program);

  std::shared_ptr<const schema::Program> program_;
};

/// Formats the report as lines for a person or a model; "" for a valid value.
std::string to_text(const ValidationReport& report);

}  // namespace moonlet
