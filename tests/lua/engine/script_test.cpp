#include "lua/engine/script.h"

#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

namespace {

const char kFile[] = "execute-task/plan.lua";

/// Loads a file of a built-in preset with empty modules, then runs `text`.
std::string with_preset_file(const std::string& text) {
  LuaFixture lua;
  return lua.run(std::string("local file = '") + kFile +
                 "'\n"
                 "local function modules() return {} end\n"
                 "local chunk = core.script.load_preset(file, { require = modules })\n" +
                 text);
}

}  // namespace

TEST_CASE("a file of a built-in preset is loaded from the executable") {
  CHECK(with_preset_file("return #chunk().missing('do it')") == "5");
}

TEST_CASE("an error in a built-in preset names the preset's file") {
  const std::string error = with_preset_file("return select(2, pcall(chunk().missing, {}))");
  CHECK(error.find(std::string("presets/") + kFile + ":") == 0);
}

TEST_CASE("a built-in preset has the environment of a script") {
  LuaFixture lua;
  CHECK(lua.run("local chunk = core.script.load_preset('sidecar/task.lua'"
                ", {}, function(name) return name .. ' is missing' end)\n"
                "return select(2, pcall(chunk))")
            .find("attempt to call a string value (global 'require')") != std::string::npos);
}

TEST_CASE("the text of a built-in preset's file is there too") {
  CHECK(with_preset_file("return #core.script.preset_file(file) > 1000") == "true");
}

TEST_CASE("a file that no built-in preset has is nil") {
  LuaFixture lua;
  CHECK(lua.run("return (core.script.load_preset('no/init.lua', {})), "
                "(core.script.preset_file('no/init.lua'))") == "nil,nil");
  CHECK(lua.run("local names = {} for _, name in ipairs(core.script.presets()) do "
                "names[name] = true end return names['sidecar/init.lua'], names['sidecar/x']") ==
        "true,nil");
}
