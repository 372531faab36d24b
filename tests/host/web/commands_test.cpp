#include "host/web/commands.h"

#include "tests/catch.h"

using namespace moonlet::web;

TEST_CASE("a command of the page is one of moonlet's, with its values as words", "[web]") {
  const auto words = command_words(
      "answer", {{"run", "R-007"}, {"value", "--no"}, {"sha", "ab12"}, {"key", "gate"}}, "/repo",
      true);
  REQUIRE(words);
  CHECK(*words == std::vector<std::string>{"answer", "--detached", "--sha=ab12", "--key=gate",
                                           "--json", "--repo=/repo", "--", "R-007", "--no"});
}

TEST_CASE("a decision without the hash of what was shown is refused", "[web]") {
  for (const char* name : {"approve", "reject"}) {
    CHECK_FALSE(command_words(name, {{"run", "R-007"}}, "/repo", true));
    CHECK(command_words(name, {{"run", "R-007"}, {"sha", "ab"}}, "/repo", true));
  }
  CHECK_FALSE(command_words("answer", {{"run", "R-007"}, {"value", "approve"}, {"key", "gate"}},
                            "/repo", true));
}

TEST_CASE("other commands, values and ways are refused", "[web]") {
  CHECK_FALSE(command_words("prune", {}, "/repo", true));
  CHECK_FALSE(command_words("", {}, "/repo", false));
  CHECK_FALSE(command_words("cancel", {{"run", "R-007"}}, "/repo", false));
  CHECK_FALSE(command_words("runs", {}, "/repo", true));
  CHECK_FALSE(command_words("cancel", {{"run", "last"}}, "/repo", true));
  CHECK_FALSE(command_words("cancel", {{"run", "R-007"}, {"force", "1"}}, "/repo", true));
  CHECK_FALSE(command_words("runs", {{"status", "--all"}}, "/repo", false));
  CHECK_FALSE(command_words("submit", {{"session", "S-001"}, {"text", std::string("a\0b", 3)}},
                            "/repo", true));
  CHECK_FALSE(command_words("submit", {{"session", "S-001"}, {"text", "\xff"}}, "/repo", true));
  CHECK_FALSE(command_words("submit", {{"session", "S-001"}, {"text", std::string(30000, 'x')}},
                            "/repo", true));
}
