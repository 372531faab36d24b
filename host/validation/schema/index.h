// Index finds the subschemas of a document by URI, and the subschema that a $ref refers to. It
// returns a Place, which the Program owns. Only the thread that compiles the schema uses an Index.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "host/base/result.h"
#include "host/validation/schema/node.h"

namespace moonlet::schema {

/// Makes an error about the schema at `place`. `keyword` names the wrong keyword and may be empty.
Error schema_error(const Place& place, std::string_view keyword, const std::string& what,
                   ErrorKind kind = ErrorKind::kInvalid, std::string hint = {});

/// The draft-07 meta-schema is the only external document that a schema may reference.
constexpr std::string_view kMetaUri = "http://json-schema.org/draft-07/schema";
std::string_view meta_schema_text();

class Index {
 public:
  explicit Index(Program& program) : program_(program) {}

  /// Adds a document and all of its subschemas. Returns the place of its root.
  Result<const Place*> add_document(const nlohmann::json& document, std::string_view uri);

  /// Resolves `reference`, which occurs in the schema at `from`. Loads the meta-schema if it is
  /// referenced. Fails if the reference is to another document, because none is fetched.
  Result<const Place*> resolve(const std::string& reference, const Place& from);

  /// Returns the place of the subschema `value`, or null if no known document contains it.
  const Place* place_of(const nlohmann::json& value) const;

 private:
  Result<void> walk(Place& start, bool with_ids);
  Result<void> take_id(Place& place, bool with_ids);
  Result<const Place*> follow(Place& resource, const std::string& pointer,
                              const std::string& reference, const Place& from);
  Result<const Place*> load_meta();
  Place& add_place(Place place);
  Place* known_or_new(Place place);

  Program& program_;
  // Maps each subschema to its place.
  std::unordered_map<const nlohmann::json*, Place*> places_;
  // The places of values that are not subschemas, but on the path of a $ref's JSON pointer.
  std::unordered_map<const nlohmann::json*, Place*> steps_;
  // The places of documents and of subschemas that have their own URI. The key is the URI without
  // its fragment.
  std::map<std::string, Place*, std::less<>> resources_;
  // The places of subschemas that have a name in their document. The key is a URI such as "a#name".
  std::map<std::string, Place*, std::less<>> anchors_;
};

}  // namespace moonlet::schema
