// JSON Schema draft-07: a schema compiled once, then asked about values. Schemas and values may
// come from an agent, so both are hostile: neither can overflow a stack, fetch a document, start a
// backtracking regular expression, or exceed the budget of steps. Messages about a wrong value are
// written for a model that has to repair it. A Schema is immutable; share and use it on any thread.
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
  std::size_t max_depth = 128;                   ///< nesting of the schema's own JSON
  std::size_t max_values = 100'000;              ///< JSON values in the schema
  std::size_t max_bytes = std::size_t{4} << 20;  ///< text in the schema: keys and strings
  std::size_t max_subschemas = 10'000;
  std::size_t max_patterns = 256;  ///< different regular expressions
  std::size_t max_pattern_bytes = 4'000;
  std::size_t max_instance_depth = 128;    ///< nesting of a value that is validated
  std::size_t max_evaluation_depth = 600;  ///< schemas within schemas while validating
  std::uint64_t max_steps = 2'000'000;     ///< work of one validate(); well under a second
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
  std::vector<SchemaError> errors;  ///< at most max_errors; never empty when !ok
  bool more_errors = false;         ///< more faults exist than max_errors allows
  bool limit_hit = false;           ///< a limit ended the validation: the value is not known good
};

class Schema {
 public:
  /// Compiles `document`, which is copied. Errors are kInvalid, or kLimit where a limit was passed,
  /// with the place in the schema in `at` ("#/properties/a/minLength").
  static Result<Schema> compile(const nlohmann::json& document, const SchemaLimits& limits = {});

  /// Reports each fault of `instance`. It may come from anywhere, not only parse_json.
  ValidationReport validate(const nlohmann::json& instance) const;

 private:
  explicit Schema(std::shared_ptr<const schema::Program> program);

  std::shared_ptr<const schema::Program> program_;
};

/// The report as lines for a person or a model; "" when all is well.
std::string to_text(const ValidationReport& report);

}  // namespace moonlet
