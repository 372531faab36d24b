#include "lua/engine/keeper_entry.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>

#include "host/process/child/program.h"
#include "host/process/keeper/keeper.h"
#include "moonlet/engine.h"

namespace moonlet {

namespace {

// These variables are global, because main calls moonlet_keeper() before there is an engine.
std::atomic<const char*> own_name{nullptr};
std::atomic<bool> is_keeper{false};

bool is_executable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

std::string absolute(const char* path) {
  char resolved[PATH_MAX];
  return realpath(path, resolved) == nullptr ? std::string() : std::string(resolved);
}

/// Returns the path of `moonlet` in the running program's folder or in PATH; "" if it is in
/// neither.
std::string find_moonlet() {
  const std::string program = running_program();
  if (const std::size_t slash = program.rfind('/'); slash != std::string::npos) {
    const std::string beside = program.substr(0, slash) + "/moonlet";
    if (is_executable(beside)) return beside;
  }
  const auto found = find_program("moonlet", getenv("PATH"), {});
  return found ? absolute(found->c_str()) : std::string();
}

}  // namespace

std::string own_program() {
  if (!is_keeper.load()) return {};
  const std::string program = running_program();
  if (!program.empty()) return is_executable(program) ? program : std::string();
  const char* name = own_name.load();
  const bool is_path = name != nullptr && strchr(name, '/') != nullptr;
  return is_path ? absolute(name) : std::string();
}

Result<void> find_keeper(std::string& program) {
  const bool is_named = !program.empty();
  if (!is_named) program = own_program();
  if (program.empty()) program = find_moonlet();
  if (!program.empty() && is_executable(program)) return {};
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = is_named ? "cannot run the moonlet program: " + std::string(strerror(errno))
                           : "there is no keeper: this program does not call moonlet_keeper(), and "
                             "moonlet is neither beside it nor in PATH";
  error.hint =
      "call moonlet_keeper(argc, argv) first in main, install moonlet, or name its program "
      "in the engine's options (moonlet_program, in C program)";
  error.at = program;
  return error;
}

}  // namespace moonlet

extern "C" int moonlet_keeper(int argc, char** argv) {
  moonlet::is_keeper.store(true);
  if (argc > 0) moonlet::own_name.store(argv[0]);
  // An engine starts a keeper as `PROGRAM keeper --dir …`; see client/launch.cpp.
  const bool is_start = argc > 2 && strcmp(argv[1], "keeper") == 0 && strcmp(argv[2], "--dir") == 0;
  return is_start ? moonlet::keeper_main(argc - 2, argv + 2) : -1;
}
