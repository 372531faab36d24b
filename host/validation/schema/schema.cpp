#include "host/validation/schema/schema.h"

#include <new>
#include <utility>

#include "host/validation/schema/compile.h"
#include "host/validation/schema/evaluate.h"
#include "host/validation/schema/node.h"

namespace moonlet {
namespace {

using nlohmann::json;

Error limit(const std::string& what) {
  return {ErrorKind::kLimit, "the schema " + what, "make it smaller", "#"};
}

Result<void> check_extent(const json& document, const SchemaLimits& limits) {
  const auto extent =
      schema::measure(document, limits.max_depth, limits.max_values, limits.max_bytes);
  if (extent.too_deep) {
    return limit("nests deeper than " + std::to_string(limits.max_depth) + " levels");
  }
  if (extent.values > limits.max_values) {
    return limit("has more than " + std::to_string(limits.max_values) + " values");
  }
  if (extent.bytes > limits.max_bytes) {
    return limit("has more than " + std::to_string(limits.max_bytes) + " bytes of text");
  }
  if (extent.foreign) {
    return Error{ErrorKind::kInvalid, "the schema holds " + *extent.foreign + ", which is not JSON",
                 "", "#"};
  }
  return {};
}

void append(const std::vector<SchemaError>& errors, int indent, std::string& out) {
  for (const auto& error : errors) {
    out.append(static_cast<std::size_t>(indent), ' ');
    out += "- " + error.message + " (" + error.schema + ")\n";
    append(error.causes, indent + 2, out);
  }
}

}  // namespace

Schema::Schema(std::shared_ptr<const schema::Program> program) : program_(std::move(program)) {}

Result<Schema> Schema::compile(const json& document, const SchemaLimits& limits) {
  try {
    if (auto checked = check_extent(document, limits); !checked) return checked.error();
    auto program = std::make_shared<schema::Program>();
    program->document = document;
    program->limits = limits;
    if (auto compiled = schema::compile_program(*program); !compiled) return compiled.error();
    return Schema(std::move(program));
  } catch (const std::bad_alloc&) {
    return limit("does not fit in memory");
  }
}

ValidationReport Schema::validate(const json& instance) const {
  try {
    return schema::evaluate(*program_, instance);
  } catch (const std::bad_alloc&) {
    ValidationReport report;
    report.ok = false;
    report.limit_hit = true;
    report.errors.push_back({"", "#", "limit: not enough memory to validate the value", {}});
    return report;
  }
}

std::string to_text(const ValidationReport& report) {
  std::string out;
  append(report.errors, 0, out);
  if (report.more_errors) out += "- and more\n";
  return out;
}

}  // namespace moonlet
