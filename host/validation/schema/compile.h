// Compiles the JSON of a schema into the nodes of a Program.
// Fails if a keyword has a wrong type, a pattern is invalid, or a reference is dangling or
// circular. The error says where in the schema. compile_program() is stateless; a Program belongs
// to one thread.
#pragma once

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// Compiles `program.document` within `program.limits` and sets `program.root`.
Result<void> compile_program(Program& program);

/// Fails if a schema applies itself to the same value, because validation would never end.
Result<void> check_circles(const Program& program);

}  // namespace moonlet::schema
