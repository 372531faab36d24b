// Tests core.process with a real keeper and real children.
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "host/process/child/confine.h"
#include "tests/catch.h"
#include "tests/lua/fixture.h"
#include "tests/places.h"

using namespace moonlet;

namespace {

struct ProcessFixture {
  ProcessFixture() {
    char name[] = "/tmp/moonlet-process.XXXXXX";
    folder = mkdtemp(name);
    std::filesystem::create_directory(folder + "/work");
    lua.services.keeper_program = places::kMoonlet;
    // Children end in real time, so an idle scheduler waits for them instead of advancing its
    // clock.
    lua.on_idle = [this](Scheduler& scheduler) {
      while (!scheduler.has_ready()) lua.loop.run_once();
    };
  }
  ~ProcessFixture() {
    lua.services.run.reset();
    std::filesystem::remove_all(folder);
  }

  /// Runs a shell command confined by this table. Returns the shell's output, or the error.
  std::string confined(const std::string& confine, const std::string& command) {
    const std::string start =
        lua.services.run ? ""
                         : "core.run.create { home = core.run.home(folder).handle, preset = 'p' }";
    return lua.run("local folder = '" + folder + "' " + start + R"(
      local exit = core.process.run { step = "s", argv = { "/bin/sh", "-c", [[)" +
                   command +
                   R"(]] }, env = { "PATH=/usr/bin:/bin", "LC_ALL=C" }, cwd = folder, confine = )" +
                   confine + R"( }
      return exit.why, exit.error and exit.error.message or exit.stdout .. exit.stderr)");
  }

  LuaFixture lua;
  std::string folder;
};

}  // namespace

TEST_CASE("core.process.confinement returns the kernel's answer") {
  LuaFixture lua;
  const ConfinementSupport support = confinement_support();
  const std::string expected =
      support.abi > 0 ? std::to_string(support.abi) + ",nil" : "nil," + support.reason;
  CHECK(lua.run("local has, why = core.process.confinement() return has and has.abi, why") ==
        expected);
}

TEST_CASE("core.process.run confines its child") {
  if (confinement_support().abi == 0) {
    WARN("skipped: " << confinement_support().reason);
    return;
  }
  ProcessFixture run;
  const std::string both =
      "echo a >work/in && cat work/in; (echo b >out) 2>/dev/null && cat out || echo refused";
  CHECK(run.confined("{ writable = { folder .. '/work' }, network = false }", both) ==
        "exited,a\nrefused\n");
  CHECK(run.confined("{ restrict_reads = true, readable = { folder .. '/work/in' } }",
                     "cat work/in; ls work 2>/dev/null || echo refused") == "exited,a\nrefused\n");
  CHECK(run.confined("nil", both) == "exited,a\nb\n");
  CHECK(run.confined("{ writable = { '/no/such/place' } }", "true")
            .find("not_started,cannot confine the step to /no/such/place: ") == 0);
}

TEST_CASE("a confinement that is not understood starts nothing") {
  ProcessFixture run;
  for (const char* confine :
       {"true", "{ writeable = {} }", "{ writable = folder }", "{ writable = { 1 } }",
        "{ writable = { folder, false } }", "{ writable = { at = folder } }", "{ '/tmp' }",
        "{ readable = { [2] = folder } }", "{ network = 'no' }", "{ restrict_reads = 1 }"}) {
    INFO(confine);
    CHECK(run.confined(confine, "touch ran").find("error: ") == 0);
  }
  CHECK_FALSE(std::filesystem::exists(run.folder + "/ran"));
}

TEST_CASE("a limit of another type or a misspelt field starts nothing") {
  ProcessFixture run;
  REQUIRE(run.confined("nil", "true") == "exited,");
  for (const char* field : {"wall = 5", "wall_ms = '5'", "wall_ms = 1.5", "idle_ms = true",
                            "stdin = 1", "cap = -1", "cap = 1 << 40", "env = 'A=B'",
                            "argv = { '/bin/touch', 1 }", "step = {}", "durable = 1", "'extra'"}) {
    INFO(field);
    const std::string result =
        run.lua.run("local exit = core.process.run { step = 't', argv = { '/bin/touch', '" +
                    run.folder + "/ran' }, env = {}, cwd = '" + run.folder + "', " + field +
                    " } error(exit.error and exit.error.message or exit.why)");
    CHECK(result.find("error: ") == 0);
    CHECK(result.find("exited") == std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(run.folder + "/ran"));
}
