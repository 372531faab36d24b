#include "host/validation/schema/index.h"

#include <charconv>
#include <functional>
#include <vector>

#include "host/base/json.h"
#include "host/validation/schema/error.h"
#include "host/validation/schema/format/uri.h"

namespace moonlet::schema {
namespace {

using nlohmann::json;

// Limits the length of a URI, because subschemas store the URI that they inherit.
constexpr std::size_t kMaxUri = 2000;

/// Receives each direct subschema of an object. `key` is set if the keyword's value is an object of
/// subschemas, and `index` if it is an array; otherwise they are null and kNoIndex.
using Visitor = std::function<void(std::string_view keyword, const std::string* key,
                                   std::size_t index, const nlohmann::json& child)>;

enum class Shape { kOne, kList, kMap, kOneOrList, kMapOfOneOrNames };

struct Keyword {
  const char* name;
  Shape shape;
};
constexpr Keyword kKeywords[] = {
    {"definitions", Shape::kMap},
    {"properties", Shape::kMap},
    {"patternProperties", Shape::kMap},
    {"additionalProperties", Shape::kOne},
    {"propertyNames", Shape::kOne},
    {"dependencies", Shape::kMapOfOneOrNames},
    {"items", Shape::kOneOrList},
    {"additionalItems", Shape::kOne},
    {"contains", Shape::kOne},
    {"allOf", Shape::kList},
    {"anyOf", Shape::kList},
    {"oneOf", Shape::kList},
    {"not", Shape::kOne},
    {"if", Shape::kOne},
    {"then", Shape::kOne},
    {"else", Shape::kOne},
};

bool is_meta(std::string_view uri) {
  return uri == kMetaUri || uri == "https://json-schema.org/draft-07/schema";
}

bool is_schema(const json& value) { return value.is_object() || value.is_boolean(); }

bool is_reference(const json& object) {
  const auto found = object.find("$ref");
  return found != object.end() && found->is_string();
}

void visit_keyword(const Keyword& keyword, const json& value, const Visitor& visit) {
  const bool may_list = keyword.shape == Shape::kList || keyword.shape == Shape::kOneOrList;
  if (keyword.shape == Shape::kMap || keyword.shape == Shape::kMapOfOneOrNames) {
    if (!value.is_object()) return;
    for (auto item = value.begin(); item != value.end(); ++item) {
      if (keyword.shape == Shape::kMap || is_schema(*item)) {
        visit(keyword.name, &item.key(), kNoIndex, *item);
      }
    }
  } else if (may_list && value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) visit(keyword.name, nullptr, i, value[i]);
  } else if (keyword.shape != Shape::kList) {
    visit(keyword.name, nullptr, kNoIndex, value);
  }
}

void for_each_subschema(const json& object, const Visitor& visit) {
  const bool reference = is_reference(object);
  for (const auto& keyword : kKeywords) {
    // Draft-07 ignores all keywords beside a $ref. Visit "definitions" nevertheless, because other
    // references may point into it.
    if (reference && std::string_view(keyword.name) != "definitions") continue;
    const auto found = object.find(keyword.name);
    if (found != object.end()) visit_keyword(keyword, *found, visit);
  }
}

std::string unescape(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const auto two = token.substr(i, 2);
    const bool is_escape = two == "~0" || two == "~1";
    out += two == "~0" ? '~' : two == "~1" ? '/' : token[i];
    if (is_escape) ++i;
  }
  return out;
}

std::size_t array_index(std::string_view token) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  const bool whole = error == std::errc() && end == token.data() + token.size();
  const bool padded = token.size() > 1 && token[0] == '0';
  return whole && !padded ? value : kNoIndex;
}

std::string near_key(const std::string& token, const json& object) {
  if (!object.is_object()) return {};
  std::vector<std::string_view> names;
  for (auto item = object.begin(); item != object.end(); ++item) names.push_back(item.key());
  const auto near = near_name(token, names);
  return near.empty() ? std::string() : "did you mean " + show_text(near) + "?";
}

}  // namespace

Error schema_error(const Place& place, std::string_view keyword, const std::string& what,
                   ErrorKind kind, std::string hint) {
  Error error;
  error.kind = kind;
  error.at = pointer_text(place);
  if (!keyword.empty()) error.at += "/" + std::string(keyword);
  error.message = "the schema is wrong at " + error.at + ": " + what;
  error.hint = std::move(hint);
  return error;
}

Place& Index::add_place(Place place) { return program_.places.emplace_back(std::move(place)); }

Place* Index::known_or_new(Place place) {
  if (const auto known = places_.find(place.value); known != places_.end()) return known->second;
  auto [entry, fresh] = steps_.try_emplace(place.value, nullptr);
  if (fresh) entry->second = &add_place(std::move(place));
  return entry->second;
}

const Place* Index::place_of(const json& value) const {
  const auto found = places_.find(&value);
  return found == places_.end() ? nullptr : found->second;
}

Result<const Place*> Index::add_document(const json& document, std::string_view uri) {
  Place root;
  root.document = uri;
  root.value = &document;
  root.base = std::make_shared<const std::string>(uri);
  Place& place = add_place(std::move(root));
  resources_.try_emplace(std::string(uri), &place);
  if (auto walked = walk(place, /*with_ids=*/true); !walked) return walked.error();
  return static_cast<const Place*>(&place);
}

Result<void> Index::take_id(Place& place, bool with_ids) {
  const json& schema = *place.value;
  const auto found = schema.find("$id");
  if (found == schema.end() || is_reference(schema)) return {};
  if (!found->is_string()) {
    return schema_error(place, "$id", "found " + show(*found) + ", expected a text");
  }
  const auto& id = found->get_ref<const std::string&>();
  const auto resolved = resolve_uri(*place.base, id);
  if (resolved.size() > kMaxUri) return schema_error(place, "$id", "the URI is too long");
  const auto [document, fragment] = split_fragment(resolved);
  const bool moves = !split_fragment(id).document.empty();
  if (moves) place.base = std::make_shared<const std::string>(document);
  if (!with_ids) return {};
  const auto enter = [&](auto& map, std::string name) -> Result<void> {
    const auto [entry, fresh] = map.try_emplace(std::move(name), &place);
    if (fresh || entry->second == &place) return {};
    return schema_error(place, "$id",
                        show(*found) + " is also the $id of " + pointer_text(*entry->second));
  };
  if (moves) {
    if (auto entered = enter(resources_, std::string(document)); !entered) return entered;
  }
  if (!fragment.empty()) return enter(anchors_, resolved);
  return {};
}

Result<void> Index::walk(Place& start, bool with_ids) {
  std::vector<Place*> open{&start};
  while (!open.empty()) {
    Place& place = *open.back();
    open.pop_back();
    if (!places_.try_emplace(place.value, &place).second) continue;
    if (places_.size() > program_.limits.max_subschemas) {
      return schema_error(
          place, "", "more than " + std::to_string(program_.limits.max_subschemas) + " subschemas",
          ErrorKind::kLimit);
    }
    if (place.value->is_boolean()) continue;
    if (!place.value->is_object()) {
      return schema_error(
          place, "",
          "found " + show(*place.value) + ", expected a schema: an object, true or false");
    }
    if (auto taken = take_id(place, with_ids); !taken) return taken;
    for_each_subschema(*place.value, [&](std::string_view keyword, const std::string* key,
                                         std::size_t index, const json& child) {
      Place next;
      next.parent = &place;
      next.keyword = keyword;
      next.key = key;
      next.index = index;
      next.value = &child;
      next.base = place.base;
      open.push_back(&add_place(std::move(next)));
    });
  }
  return {};
}

Result<const Place*> Index::load_meta() {
  auto parsed = parse_json(meta_schema_text());
  if (!parsed) return parsed.error();
  program_.meta_document = std::make_unique<json>(std::move(parsed).value());
  return add_document(*program_.meta_document, kMetaUri);
}

Result<const Place*> Index::resolve(const std::string& reference, const Place& from) {
  const auto full = resolve_uri(*from.base, reference);
  if (full.size() > kMaxUri) return schema_error(from, "$ref", "the URI is too long");
  const auto [document, fragment] = split_fragment(full);
  auto resource = resources_.find(document);
  if (resource == resources_.end()) {
    if (!is_meta(document)) {
      return schema_error(from, "$ref",
                          "it refers to another document, " + show_text(std::string(document)),
                          ErrorKind::kInvalid,
                          "nothing is fetched: copy that schema under \"definitions\" and refer "
                          "to it as \"#/definitions/NAME\"");
    }
    resource = resources_.find(kMetaUri);
    if (resource == resources_.end()) {
      if (auto loaded = load_meta(); !loaded) return loaded;
      resource = resources_.find(kMetaUri);
    }
  }
  const auto pointer = decode_percent(fragment);
  if (!pointer) {
    return schema_error(from, "$ref", show_text(reference) + " has a broken percent-encoding");
  }
  if (pointer->empty()) return static_cast<const Place*>(resource->second);
  if ((*pointer)[0] == '/') return follow(*resource->second, *pointer, reference, from);
  const auto anchor = anchors_.find(std::string(document) + "#" + std::string(fragment));
  if (anchor != anchors_.end()) return static_cast<const Place*>(anchor->second);
  return schema_error(from, "$ref", "no schema has the $id " + show_text("#" + *pointer));
}

Result<const Place*> Index::follow(Place& resource, const std::string& pointer,
                                   const std::string& reference, const Place& from) {
  Place* place = &resource;
  std::size_t start = 1;
  while (start <= pointer.size()) {
    const auto slash = std::min(pointer.find('/', start), pointer.size());
    const auto token = unescape(std::string_view(pointer).substr(start, slash - start));
    start = slash + 1;
    const json& value = *place->value;
    Place next;
    next.parent = place;
    next.base = place->base;
    if (value.is_object() && value.contains(token)) {
      const auto member = value.find(token);
      next.key = &member.key();
      next.value = &*member;
    } else if (const auto index = array_index(token); value.is_array() && index < value.size()) {
      next.index = index;
      next.value = &value[index];
    } else {
      return schema_error(from, "$ref",
                          show_text(reference) + " points nowhere: there is no " +
                              show_text(token) + " in " + pointer_text(*place),
                          ErrorKind::kInvalid, near_key(token, value));
    }
    place = known_or_new(std::move(next));
  }
  if (!is_schema(*place->value)) {
    return schema_error(
        from, "$ref",
        show_text(reference) + " points to " + show(*place->value) + ", which is not a schema");
  }
  if (place_of(*place->value) == nullptr) {
    if (auto walked = walk(*place, /*with_ids=*/false); !walked) return walked.error();
  }
  return static_cast<const Place*>(place);
}

}  // namespace moonlet::schema
