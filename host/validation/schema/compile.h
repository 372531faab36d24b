// Compiles the JSON of a schema into the graph of a Program.
// Wrong types, bad patterns, and dangling or circular references are errors with their place.
// compile_program() is stateless. A Program needs one thread.
#pragma once

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// Compiles `program.document` within `program.limits` and sets `program.root`.
Result<void> compile_program(Program& program);

}  // namespace moonlet::schema
