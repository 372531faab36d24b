// The draft-07 meta-schema, the one document outside a schema that it may refer to. A constant: any
// thread.
#pragma once

#include <string_view>

namespace moonlet::schema {

constexpr std::string_view kMetaUri = "http://json-schema.org/draft-07/schema";

/// Its JSON text.
std::string_view meta_schema_text();

}  // namespace moonlet::schema
