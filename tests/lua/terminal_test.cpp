#include <unistd.h>

#include <string>

#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

TEST_CASE("a question at the terminal writes nothing that the terminal obeys") {
  LuaFixture lua;
  std::string written;
  lua.services.print = [&](int, std::string_view text) { written += text; };
  int typed[2];
  REQUIRE(::pipe(typed) == 0);
  const int before = ::dup(STDIN_FILENO);
  REQUIRE(::dup2(typed[0], STDIN_FILENO) == STDIN_FILENO);
  REQUIRE(::write(typed[1], "yes\n", 4) == 4);
  lua.on_idle = [&](Scheduler& scheduler) {
    if (!scheduler.has_ready()) lua.loop.run_once();
  };
  CHECK(
      lua.run(R"(return core.terminal.ask("a\27[2J\27]52;c;x\7b\rc\u{202e}\u{9b}2Jd\n[y/n] "))") ==
      "yes");
  CHECK(written == "abcd\n[y/n] ");
  ::dup2(before, STDIN_FILENO);
  for (const int fd : {before, typed[0], typed[1]}) ::close(fd);
}
