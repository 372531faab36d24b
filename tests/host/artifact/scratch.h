// A temporary folder for a test, and child processes for tests that would disturb the test process
// (limits, mounts, kills).
#pragma once

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace moonlet::test {

class Scratch {
 public:
  Scratch() : Scratch(std::filesystem::temp_directory_path().string()) {}
  explicit Scratch(const std::string& below) {
    std::string name = below + "/moonlet-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& rel) const { return path_ + "/" + rel; }

 private:
  std::string path_;
};

/// Returns a folder in memory, if there is one, for tests that make thousands of durable files.
inline std::string memory_folder() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                         : std::filesystem::temp_directory_path().string();
}

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void spit(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::size_t entries_in(const std::string& path) {
  std::size_t count = 0;
  for (auto it = std::filesystem::directory_iterator(path); it != std::filesystem::end(it); ++it) {
    ++count;
  }
  return count;
}

/// Runs a shell script in a folder, with git isolated from the user's config. Returns true if it
/// succeeds.
inline bool sh(const std::string& folder, const std::string& script) {
  const std::string command =
      "cd '" + folder +
      "' && export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null"
      " GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t && (" +
      script + ") >/dev/null 2>&1";
  return std::system(command.c_str()) == 0;
}

/// Runs `fn` in a child and returns what it returned (0 to 99), or 1000 + the signal.
template <typename Fn>
int in_child(Fn fn) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(fn());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#ifdef __linux__
/// Mounts a tmpfs that only the calling child process sees. Returns false without the privilege.
inline bool mount_tmpfs(const std::string& path, const char* options) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", path.c_str(), "tmpfs", 0, options) == 0;
}
#endif

}  // namespace moonlet::test
