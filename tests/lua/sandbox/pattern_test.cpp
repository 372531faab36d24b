// Compares the string and table functions of the sandbox with Lua's own. The same script of random
// patterns, texts and lists runs in plain Lua and in the sandbox, and must print the same lines.
#include <sstream>
#include <string>

#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

namespace {

/// Runs the script in a state that has only Lua's own libraries.
std::string run_plain(const std::string& text) {
  lua_State* L = luaL_newstate();
  luaL_openlibs(L);
  std::string result;
  if (luaL_loadstring(L, text.c_str()) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK) {
    result = std::string("plain: ") + lua_tostring(L, -1);
  } else {
    std::size_t size = 0;
    const char* data = luaL_tolstring(L, -1, &size);
    result.assign(data, size);
  }
  lua_close(L);
  return result;
}

const char kRandom[] = R"lua(
local seed = 4711
local function rnd(n) seed = (seed * 1103515245 + 12345) % 2147483648 return (seed // 65536) % n + 1 end
local function esc(s) return (("%q"):format(s):gsub("\n", "n"):gsub("%z", "Z")) end
local out = {}
local function show(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = type(t[i]) == "string" and esc(t[i]) or tostring(t[i]) end
  return table.concat(t, "|", 1, t.n)
end
local function try(what, f, ...)
  local r = table.pack(pcall(f, ...))
  out[#out + 1] = what .. " -> " .. (r[1] and show(table.unpack(r, 2, r.n)) or "ERROR")
end
)lua";

const char kPatterns[] = R"lua(
local atoms = { "a", "b", "c", ".", "%a", "%d", "%s", "%w", "%S", "[abc]", "[^a]", "[a-c]", "[%a_]", "[]]", "[^]x]",
  "%%", "%.", "x", "1", " ", "%b()",
           "%f[%w]", "%f[%W]", "()", "(a)", "(.)", "(%w)", "%1", "$", "^", "[a-]", "[-a]", "%x",
           "%p", "%u", "\0", "%g", "(.-)", "(%s*)", "(a*)", "([^,]+)"
}
local quantifiers = { "", "", "", "", "*", "+", "-", "?" }
local chars = { "a", "b", "c", "x", "1", " ", "(", ")", "%", ".", "a", "b", "_", "A", "\0", "-", "]", "," }
local function pattern()
  local t = {}
  if rnd(6) == 1 then t[1] = "^" end
  for _ = 1, rnd(5) do
    local atom = atoms[rnd(#atoms)]
    t[#t + 1] = atom .. (atom:sub(1, 1) == "(" and "" or quantifiers[rnd(#quantifiers)])
  end
  if rnd(6) == 1 then t[#t + 1] = "$" end
  return table.concat(t)
end
local function subject()
  local t = {}
  for i = 1, rnd(16) - 1 do t[i] = chars[rnd(#chars)] end
  return table.concat(t)
end
for _ = 1, 4000 do
  local p, s = pattern(), subject()
  local init = rnd(4) == 1 and rnd(20) - 10 or 1
  local what = esc(p) .. " " .. esc(s) .. " " .. init
  try("find " .. what, string.find, s, p, init)
  try("match " .. what, string.match, s, p, init)
  try("gsub " .. what, string.gsub, s, p, "<%0>")
  try("gsub1 " .. what, string.gsub, s, p, "<%1>", 2)
  try("gsubt " .. what, string.gsub, s, p, { a = "A", [" "] = 1, b = false })
  try("gsubf " .. what, string.gsub, s, p, function(...) return select("#", ...) .. ":" .. show(...) end)
  try("gmatch " .. what, function()
    local r = {}
    for a, b in s:gmatch(p, init) do r[#r + 1] = show(a, b) end
    return table.concat(r, ";")
  end)
  try("plain " .. what, string.find, s, p, init, true)
end
return table.concat(out, "\n")
)lua";

const char kTables[] = R"lua(
for _ = 1, 2000 do
  local t = {}
  for i = 1, rnd(12) - 1 do t[i] = rnd(3) == 1 and rnd(9) + 0.5 or rnd(9) end
  local function copy() return { table.unpack(t) } end
  local function joined(u) for i = 1, #u do u[i] = ("%g"):format(u[i]) end return table.concat(u, ",") end
  local a, b, c = rnd(14) - 3, rnd(14) - 3, rnd(14) - 3
  local what = joined(copy()) .. " " .. a .. " " .. b .. " " .. c
  try("insert " .. what, function() local u = copy() table.insert(u, a, 7) return joined(u) end)
  try("remove " .. what, function() local u = copy() local v = table.remove(u, a) return v, joined(u) end)
  try("pop " .. what, function() local u = copy() local v = table.remove(u) return v, joined(u) end)
  try("concat " .. what, table.concat, copy(), ", ", a, b)
  try("unpack " .. what, table.unpack, copy(), a, b)
  try("move " .. what, function() local u = table.move(copy(), a, b, c) local r = {} for i = -9, 30 do r[#r + 1] = tostring(u[i]) end return table.concat(r, " ") end)
  try("movet " .. what, function() local u = table.move(copy(), a, b, c, {}) local r = {} for i = -9, 30 do r[#r + 1] = tostring(u[i]) end return table.concat(r, " ") end)
  try("sort " .. what, function() local u = copy() table.sort(u) return joined(u) end)
  try("sortf " .. what, function() local u = copy() table.sort(u, function(x, y) return x > y end) return joined(u) end)
  local s = ("ab"):rep(rnd(4) - 1)
  try("rep " .. what, string.rep, s, a, b > 3 and "," or nil)
  try("case " .. what, function() return s:upper(), s:upper():lower(), s:reverse() end)
  try("format " .. what, string.format, "%5d|%-5s|%05.1f|%x|%q|%c|%g|%i", a, s, b, 255, s .. "\n", 65, 1e100, c)
end
return table.concat(out, "\n")
)lua";

/// Compares line by line. The sandbox refuses a malformed pattern at once; Lua only when the match
/// reaches the malformed part.
void compare(const std::string& script, bool may_be_stricter) {
  const std::string wanted = run_plain(script);
  LuaFixture lua(LuaLimits{std::size_t{512} << 20, 60'000, 0, {}});
  const std::string found =
      lua.run("return core.script.load([==[" + script + "]==], '@script', {})()");
  std::istringstream left(wanted), right(found);
  std::string a, b;
  int lines = 0, refused = 0;
  while (std::getline(left, a)) {
    REQUIRE(std::getline(right, b));
    ++lines;
    if (a == b) continue;
    if (may_be_stricter && b.size() > 8 && b.compare(b.size() - 8, 8, "-> ERROR") == 0) {
      ++refused;
      continue;
    }
    CHECK(b == a);
  }
  CHECK(lines > 10'000);
  CHECK(refused < lines / 5);
}

}  // namespace

TEST_CASE("patterns match as Lua's own do") { compare(std::string(kRandom) + kPatterns, true); }

TEST_CASE("table and string functions act as Lua's own do") {
  compare(std::string(kRandom) + kTables, false);
}

TEST_CASE("long texts are searched in parts, with nothing lost at the seams") {
  LuaLimits limits;
  limits.run_ms = 0;  // sanitizers need more than the usual time
  LuaFixture lua(limits);
  CHECK(lua.run(R"lua(
    local text = ("a"):rep(9 << 20)
    local needle = ("b"):rep(40)
    for _, at in ipairs { 1, 100, (1 << 18) - 20, (4 << 20) - 20, (4 << 20) - 39, 4 << 20, (8 << 20) + 1, (9 << 20) - 39 } do
      local hay = text:sub(1, at - 1) .. needle .. text:sub(at + 40)
      assert(hay:find(needle, 1, true) == at, at)
      assert(hay:find("bb", 1, true) == at, at)
      assert(hay:find("b+") == at, at)
      assert(hay:match("()[^a]+") == at, at)
      assert(#hay:gsub("b", "") == #hay - 40)
    end
    return "found")lua") == "found");
}
