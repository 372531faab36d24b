// The unit tests of stdlib/: runs each test of the *_test.lua files beneath this folder in a Lua
// state of its own, with the rights of an internal module and a clock that jumps. check.lua is what
// the files may call.
//   run_stdlib [WORD]      tests whose name contains the word; MOONLET_KEEP=1 keeps the folders of
//   those that fail
// Prints "ok NAME" or "FAILED: stdlib: NAME" with the reasons, and ends with its count.
#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/lua/fixture.h"
#include "tests/places.h"

namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// shell(command): runs it in $SCRATCH with the environment of the tests; returns its output, and
/// its exit code.
int shell(lua_State* L) {
  const std::string command = std::string("exec 2>&1; ") + luaL_checkstring(L, 1);
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return luaL_error(L, "no shell");
  char buffer[4096];
  for (std::size_t n = 0; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  const int status = pclose(pipe);
  lua_pushlstring(L, text.data(), text.size());
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 2;
}

struct TestFile {
  std::string name;  // room/module
  std::string text;
  std::string prelude;
};

class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "moonlet-stdlib.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = fs::canonical(name);
    fs::current_path(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::current_path("/");
    if (!kept) fs::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  bool kept = false;

 private:
  fs::path path_;
};

/// Runs a file. With an empty `test` it returns the names of its tests, otherwise the faults of
/// that test.
std::string run(const TestFile& file, const std::string& test, const std::string& folder) {
  const std::string tests = std::string(moonlet::places::kTests) + "/stdlib";
  setenv("HOME", folder.c_str(), 1);
  std::vector<std::string> environment = {
      "PATH=" + folder + "/bin:/usr/local/bin:/usr/bin:/bin",
      "HOME=" + folder,
      "XDG_CONFIG_HOME=" + folder + "/.config",
      "XDG_STATE_HOME=" + folder + "/.local/state",
      "TZ=UTC",
      "LC_ALL=C.UTF-8",
      "GIT_CONFIG_NOSYSTEM=1",
      "CASES=" + tests + "/" + fs::path(file.name).parent_path().string(),
      "SCRATCH=" + folder,
      "TEST=" + test,
      "CODEX_API_KEY=secret",
      "GEMINI_API_KEY=secret",
  };
  for (const char* name : {"MOONLET_SEED", "MOONLET_KEEP"}) {
    if (const char* value = std::getenv(name))
      environment.push_back(name + ("=" + std::string(value)));
  }
  moonlet::LuaFixture lua({}, environment);
  lua.services.keeper_program = moonlet::places::kMoonlet;
  // Processes end in real time, so an idle scheduler waits for them instead of advancing its clock.
  lua.on_idle = [&lua](moonlet::Scheduler& scheduler) {
    while (lua.services.run && !scheduler.has_ready()) lua.loop.run_once();
  };
  lua_State* L = lua.state.main();
  moonlet::push_module_environment(L, true);
  lua_pushcfunction(L, shell);
  lua_setfield(L, -2, "shell");
  lua_pop(L, 1);
  std::string told = lua.run(file.prelude, "=prelude");
  if (told.empty()) told = lua.run(file.text, ("=" + file.name).c_str());
  if (told.empty()) told = lua.run("return told()");
  lua.services.run.reset();
  return told;
}

std::vector<TestFile> test_files() {
  const fs::path folder = fs::path(moonlet::places::kTests) / "stdlib";
  const std::string check = read_file(folder / "check.lua");
  std::vector<TestFile> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).string();
    const std::string ending = "_test.lua";
    if (name.size() < ending.size() ||
        name.compare(name.size() - ending.size(), ending.size(), ending) != 0)
      continue;
    files.push_back({name.substr(0, name.size() - ending.size()), read_file(entry.path()),
                     check + read_file(entry.path().parent_path() / "fixture.lua")});
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string word = argc > 1 ? argv[1] : "";
  int passed = 0, failed = 0;
  const auto report = [&](const std::string& name, const std::string& told, Scratch& scratch) {
    if (told == "right") {
      ++passed;
      std::printf("ok %s\n", name.c_str());
    } else {
      ++failed;
      scratch.kept = std::getenv("MOONLET_KEEP") != nullptr;
      std::printf("FAILED: stdlib: %s\n    %s\n", name.c_str(), told.c_str());
    }
    std::fflush(stdout);
  };
  for (const TestFile& file : test_files()) {
    Scratch scratch;
    // A file that calls no test() counts as one test.
    if (file.text.find("\ntest(") == std::string::npos) {
      if (file.name.find(word) != std::string::npos)
        report(file.name, run(file, file.name, scratch.path()), scratch);
      continue;
    }
    std::string names = run(file, "", scratch.path());
    if (names.compare(0, 7, "tests:\n") != 0) {
      report(file.name, names, scratch);
      continue;
    }
    names.erase(0, 7);
    for (std::size_t at = 0, end; (end = names.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string test = names.substr(at, end - at);
      const std::string name = file.name + ": " + test;
      if (name.find(word) == std::string::npos) continue;
      Scratch own;
      report(name, run(file, test, own.path()), own);
    }
  }
  if (passed + failed == 0) std::fprintf(stderr, "no test has '%s' in its name\n", word.c_str());
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
