// Every file of tests/runners is run with the rights of an internal module, after tools.lua; it
// ends with a list of what is wrong. $CASES is that folder, $SCRATCH an empty one, which is also
// HOME.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/lua/fixture.h"
#include "tests/places.h"

namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Scratch {
  Scratch() {
    std::string name = (fs::temp_directory_path() / "moonlet-runners.XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = fs::canonical(name);
  }
  ~Scratch() { fs::remove_all(path); }
  fs::path path;
};

std::string run_case(const std::string& name, const Scratch& scratch) {
  const fs::path cases = fs::path(moonlet::places::kTests) / "runners";
  const std::string home = scratch.path.string();
  std::vector<std::string> environment = {"PATH=" + home + "/bin:/usr/bin:/bin",
                                          "HOME=" + home,
                                          "XDG_CONFIG_HOME=" + home + "/.config",
                                          "TZ=UTC",
                                          "CASES=" + cases.string(),
                                          "SCRATCH=" + home,
                                          "CODEX_API_KEY=secret",
                                          "GEMINI_API_KEY=secret"};
  if (const char* keep = std::getenv("MOONLET_KEEP")) {
    environment.push_back(std::string("KEEP=") + keep);
  }
  moonlet::LuaFixture lua({}, environment);
  return lua.run(read_file(cases / "tools.lua") + read_file(cases / (name + ".lua")) +
                 "\nreturn told()\n");
}

void put(const fs::path& path, const std::string& text, bool program = false) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  if (program) fs::permissions(path, fs::perms::owner_all);
}

}  // namespace

TEST_CASE("runners: command lines") {
  Scratch scratch;
  CHECK(run_case("commands", scratch) == "right");
}

TEST_CASE("runners: prompts pass intact or are refused") {
  Scratch scratch;
  CHECK(run_case("prompts", scratch) == "right");
}

TEST_CASE("runners: the meaning of failures, and their time") {
  Scratch scratch;
  CHECK(run_case("truth", scratch) == "right");
}

TEST_CASE("runners: failures that stop further calls") {
  Scratch scratch;
  CHECK(run_case("breaker", scratch) == "right");
}

TEST_CASE("runners: credentials in command lines") {
  Scratch scratch;
  CHECK(run_case("credentials", scratch) == "right");
}

TEST_CASE("runners: usage and prices") {
  Scratch scratch;
  CHECK(run_case("usage", scratch) == "right");
}

TEST_CASE("runners: schemas for strict providers") {
  Scratch scratch;
  CHECK(run_case("schemas", scratch) == "right");
}

TEST_CASE("runners: the user's config") {
  Scratch scratch;
  CHECK(run_case("config", scratch) == "right");
}

TEST_CASE("runners: routing") {
  Scratch scratch;
  CHECK(run_case("routing", scratch) == "right");
}

TEST_CASE("runners: damaged streams") {
  Scratch scratch;
  CHECK(run_case("damage", scratch) == "right");
}

TEST_CASE("runners: a user's own") {
  Scratch scratch;
  fs::copy(fs::path(moonlet::places::kTests) / "runners" / "../../examples/runner-mine.lua",
           scratch.path / "runner-mine.lua");
  CHECK(run_case("own", scratch) == "right");
}

TEST_CASE("irreversible commands are recognized in many spellings") {
  Scratch scratch;
  CHECK(run_case("irreversible", scratch) == "right");
}

TEST_CASE("runners: programs are found by their paths") {
  Scratch scratch;
  const fs::path& home = scratch.path;
  const std::string native =
      "\x7f"
      "ELF native";
  const std::string script = "#!/usr/bin/env node\n";
  // npm, global: the platform's package beneath the wrapper's.
  const fs::path global = home / "g/lib/node_modules/@openai/codex";
  put(global / "bin/codex.js", script, true);
  put(global / "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
      native, true);
  put(global /
          "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/codex-path/rg",
      native, true);
  fs::create_directories(home / "bin");
  fs::create_symlink("../g/lib/node_modules/@openai/codex/bin/codex.js", home / "bin/codex");
  // npm, local: beside it; another platform.
  put(home / "l/node_modules/@openai/codex/bin/codex.js", script, true);
  put(home / "l/node_modules/@openai/codex-darwin-arm64/vendor/aarch64-apple-darwin/bin/codex",
      native, true);
  fs::create_directories(home / "l/node_modules/.bin");
  fs::create_symlink("../@openai/codex/bin/codex.js", home / "l/node_modules/.bin/codex");
  // The wrapper alone, and a native program by itself.
  put(home / "w/@openai/codex/bin/codex.js", script, true);
  put(home / "n/codex", native, true);
  // Claude: a script in front of the native program, and the native program.
  put(home / "c/@anthropic-ai/claude-code/cli-wrapper.cjs", script, true);
  put(home / "c/@anthropic-ai/claude-code-linux-x64/claude", native, true);
  put(home / "bin/claude", native, true);
  CHECK(run_case("detect", scratch) == "right");
}
