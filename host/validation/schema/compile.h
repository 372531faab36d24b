// Turns the JSON of a schema into the graph of a Program. Checks everything: a keyword of the wrong
// type, a pattern, a reference without a target or in a circle is an error with its place. Owns no
// state; one thread for a Program.
#pragma once

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// Compiles `program.document` within `program.limits` and sets `program.root`.
Result<void> compile_program(Program& program);

}  // namespace moonlet::schema
