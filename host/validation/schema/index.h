// Index maps a document's subschemas, their URIs, and the targets of references.
// The Program owns the places. Only the compiler's thread uses an Index.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// Visits each direct subschema of `object`.
/// `key` is null unless the keyword has a map; `index` is kNoIndex unless it has an array.
using Visitor = std::function<void(std::string_view keyword, const std::string* key,
                                   std::size_t index, const nlohmann::json& child)>;
void for_each_subschema(const nlohmann::json& object, const Visitor& visit);

/// Makes an error about the schema at `place`. `keyword` may be empty.
Error schema_error(const Place& place, std::string_view keyword, const std::string& what,
                   ErrorKind kind = ErrorKind::kInvalid, std::string hint = {});

class Index {
 public:
  explicit Index(Program& program) : program_(program) {}

  Result<const Place*> add_root(const nlohmann::json& document);

  /// Resolves `reference`, which is part of the schema at `from`. Loads the meta-schema on demand.
  /// Refuses every other document, with an error that names the document.
  Result<const Place*> resolve(const std::string& reference, const Place& from);

  /// Returns the place of the subschema `value`; null if it is in no known document.
  const Place* place_of(const nlohmann::json& value) const;

 private:
  Result<const Place*> add_document(const nlohmann::json& document, std::string_view uri);
  Result<void> walk(Place& start, bool with_ids);
  Result<void> take_id(Place& place, bool with_ids);
  Result<const Place*> follow(Place& resource, const std::string& pointer,
                              const std::string& reference, const Place& from);
  Result<const Place*> load_meta();
  Place& add_place(Place place);
  Place* known_or_new(Place place);

  Program& program_;
  std::unordered_map<const nlohmann::json*, Place*> places_;  // by subschema
  std::unordered_map<const nlohmann::json*, Place*> steps_;   // by value on the path of a pointer
  std::map<std::string, Place*, std::less<>> resources_;      // by URI without fragment
  std::map<std::string, Place*, std::less<>> anchors_;        // by URI with "#name"
};

}  // namespace moonlet::schema
