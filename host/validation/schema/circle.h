// Schemas that refer to themselves without going deeper into the value would be applied for ever.
#pragma once

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// An error when a schema applies itself to the value it is applied to, without going deeper.
Result<void> check_circles(const Program& program);

}  // namespace moonlet::schema
