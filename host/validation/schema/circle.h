#pragma once

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// Fails if a schema applies itself to the same value, because validation would never end.
Result<void> check_circles(const Program& program);

}  // namespace moonlet::schema
