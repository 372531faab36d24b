// core.json converts JSON text to Lua values and back.
#include <string>

#include "host/base/json.h"
#include "host/base/release.h"
#include "host/validation/schema/schema.h"
#include "lua/core/core.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

int decode(lua_State* L, const JsonLimits& limits) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  auto& parsed = push_box<Result<nlohmann::json>>(L, Error{});
  parsed = parse_json({text, size}, limits);
  if (!parsed) return raise_error(L, parsed.error());
  push_value(L, *parsed);
  parsed = Error{};  // do not wait until the garbage collector frees the memory
  return 1;
}

/// decode(text) returns the value of a JSON text. Raises the error `invalid` with line and column.
int json_decode(lua_State* L) {
  constexpr ValueLimits kValue;
  JsonLimits limits;
  limits.max_bytes = kValue.bytes;
  limits.max_values = kValue.nodes;
  return decode(L, limits);
}

/// decode_record(text) decodes a text that encode_record() has written
int json_decode_record(lua_State* L) { return decode(L, kRecordJsonLimits); }

int encode(lua_State* L, const ValueLimits& limits) {
  luaL_checkany(L, 1);
  const int indent = static_cast<int>(luaL_optinteger(L, 2, -1));
  luaL_argcheck(L, indent >= -1 && indent <= 16, 2, "an indent of 0 to 16 expected");
  auto& value = push_box<nlohmann::json>(L);
  read_value(L, 1, value, limits);
  auto& text = push_box<std::string>(L);
  text = json_text(value, indent);
  value = nullptr;  // do not wait until the garbage collector frees the memory
  lua_pushlstring(L, text.data(), text.size());
  release(text);
  return 1;
}

int json_encode(lua_State* L) { return encode(L, {}); }

/// encode_record(value [, indent]) encodes a record of the host, which may be larger than encode()
/// allows
int json_encode_record(lua_State* L) { return encode(L, kRecordLimits); }

/// validate(schema, value) checks a value against a JSON Schema (draft-07).
/// Returns no value if it matches, otherwise a text with the errors. Raises an error if the schema
/// is invalid.
int json_validate(lua_State* L) {
  luaL_checkany(L, 2);
  auto& document = push_box<nlohmann::json>(L);
  read_value(L, 1, document);
  auto& instance = push_box<nlohmann::json>(L);
  read_value(L, 2, instance);
  auto& schema = push_box<Result<Schema>>(L, Error{});
  schema = Schema::compile(document);
  if (!schema) return raise_error(L, schema.error());
  auto& text = push_box<std::string>(L);
  text = to_text(schema->validate(instance));
  if (text.empty()) return 0;
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// array(table?) marks a table as a JSON array, so that it is encoded as one even if empty, and
/// returns it
int json_array(lua_State* L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (lua_getmetatable(L, 1) && !is_marked_array(L, 1)) {
    return raise(L, ErrorKind::kInvalid, "a table with a metatable cannot become an array");
  }
  lua_settop(L, 1);
  push_array_metatable(L);
  lua_setmetatable(L, 1);
  return 1;
}

int json_is_array(lua_State* L) {
  lua_pushboolean(L, lua_istable(L, 1) && is_marked_array(L, 1));
  return 1;
}

}  // namespace

const luaL_Reg kCoreJson[] = {
    {"decode", guard<json_decode>},
    {"encode", guard<json_encode>},
    {"decode_record", guard<json_decode_record>},
    {"encode_record", guard<json_encode_record>},
    {"validate", guard<json_validate>},
    {"array", guard<json_array>},
    {"is_array", guard<json_is_array>},
    {nullptr, nullptr},
};

}  // namespace moonlet
