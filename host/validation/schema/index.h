// Index: the places of a document's subschemas, their URIs, and the targets of references. Owns no
// place: places live in the Program. Used while compiling only, by the compiler's thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// Calls `visit(keyword, key, index, child)` for each subschema directly in `object`; `key` is null
/// unless the keyword holds a map, `index` is kNoIndex unless it holds an array.
using Visitor = std::function<void(std::string_view keyword, const std::string* key,
                                   std::size_t index, const nlohmann::json& child)>;
void for_each_subschema(const nlohmann::json& object, const Visitor& visit);

/// Makes an error about the schema at `place`, and about its `keyword` unless that is empty.
Error schema_error(const Place& place, std::string_view keyword, const std::string& what,
                   ErrorKind kind = ErrorKind::kInvalid, std::string hint = {});

class Index {
 public:
  explicit Index(Program& program) : program_(program) {}

  /// Indexes the user's document.
  Result<const Place*> add_root(const nlohmann::json& document);

  /// Resolves `reference`, which was found at `from`. Loads the meta-schema if it is named; refuses
  /// every other document by name.
  Result<const Place*> resolve(const std::string& reference, const Place& from);

  /// Finds the place of a subschema; null if it is in no known document.
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
  std::unordered_map<const nlohmann::json*, Place*> places_;  // each subschema
  std::unordered_map<const nlohmann::json*, Place*> steps_;   // each value on the path of a pointer
  std::map<std::string, Place*, std::less<>> resources_;      // by URI without fragment
  std::map<std::string, Place*, std::less<>> anchors_;        // by URI with "#name"
};

}  // namespace moonlet::schema
