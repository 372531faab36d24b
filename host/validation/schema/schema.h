// Schema is a compiled JSON Schema (draft-07), which validates values. Schemas and values may come
// from an agent, so neither is trusted: they cannot overflow the stack, load a document, cause
// backtracking, or exceed the budget. Error messages are written for a model that must correct the
// value. Immutable, any thread.
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
  std::size_t max_depth = 128;                   ///< maximum nesting of the schema's own JSON
  std::size_t max_values = 100'000;              ///< maximum number of JSON values in the schema
  std::size_t max_bytes = std::size_t{4} << 20;  ///< maximum total size of keys and strings
  std::size_t max_subschemas = 10'000;
  std::size_t max_patterns = 256;  ///< maximum number of different regular expressions
  std::size_t max_pattern_bytes = 4'000;
  std::size_t max_instance_depth = 128;    ///< maximum nesting of a validated value
  std::size_t max_evaluation_depth = 600;  ///< maximum nesting of subschemas in a validation
  std::uint64_t max_steps = 2'000'000;     ///< makes validate() end within a second
  std::size_t max_errors = 20;
};

struct SchemaError {
  std::string instance;             ///< JSON pointer to the wrong value; "" is the whole value
  std::string schema;               ///< place of the violated rule: "#/properties/severity/enum"
  std::string message;              ///< names the place, the value there and what was expected
  std::vector<SchemaError> causes;  ///< errors of the closest branch of an anyOf or oneOf
};

struct ValidationReport {
  bool ok = true;
  std::vector<SchemaError> errors;  ///< at most max_errors; empty only if `ok` is true
  bool more_errors = false;         ///< there are more errors than max_errors
  bool limit_hit = false;           ///< the validation stopped at a limit; the value may be valid
};

class Schema {
 public:
  /// Compiles a copy of `document`. Fails with kInvalid, or with kLimit if a limit is exceeded.
  /// The error's `at` is a place in the schema: "#/properties/a/minLength".
  static Result<Schema> compile(const nlohmann::json& document, const SchemaLimits& limits = {});

  /// Returns all errors of `instance`. `instance` need not come from parse_json(); it may contain
  /// NaN.
  ValidationReport validate(const nlohmann::json& instance) const;

 private:
  explicit Schema(std::shared_ptr<const schema::Program> program);

  std::shared_ptr<const schema::Program> program_;
};

/// Formats the report as lines for a person or a model. Returns "" if the value is valid.
std::string to_text(const ValidationReport& report);

}  // namespace moonlet
