// Provides the draft-07 meta-schema, the only external document that a schema may reference.
#pragma once

#include <string_view>

namespace moonlet::schema {

constexpr std::string_view kMetaUri = "http://json-schema.org/draft-07/schema";

std::string_view meta_schema_text();

}  // namespace moonlet::schema
