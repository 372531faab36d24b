#include "host/process/child/program_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "host/base/fd.h"
#include "host/process/child/program.h"

namespace moonlet {

namespace {

// A #! interpreter may itself be a #! script; Linux gives up after five of them.
constexpr int kMostInterpreters = 5;

bool holds(const std::string& folder, const std::string& path) {
  if (!path.starts_with(folder)) return false;
  return folder == "/" || path.size() == folder.size() || path[folder.size()] == '/';
}

bool is_private_to_the_program(const std::string& folder, const std::vector<std::string>& homes) {
  struct stat st {};
  if (folder == "/" || stat(folder.c_str(), &st) != 0 || (st.st_mode & S_IWOTH) != 0) return false;
  return std::none_of(homes.begin(), homes.end(),
                      [&](const std::string& home) { return holds(folder, home); });
}

/// Splits a #! line into the interpreter and its argument; empty without a #! line.
std::vector<std::string> interpreter_of(const std::string& path) {
  // Open without blocking, because the file may have become a pipe.
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char head[256];
  const long got = file ? read_some(file.get(), head, sizeof head) : 0;
  std::string_view line(head, got > 0 ? static_cast<std::size_t>(got) : 0);
  if (line.substr(0, 2) != "#!") return {};
  line = line.substr(2, line.find('\n') - 2);
  std::vector<std::string> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const std::size_t size = std::min(line.find_first_of(" \t\r"), line.size());
    words.emplace_back(line.substr(0, size));
    line.remove_prefix(size);
  }
}

/// Returns the program that `env ARG…` would run; "" if not found.
std::string program_of_env(const std::vector<std::string>& words, const char* search_path,
                           const std::string& cwd) {
  const auto name = std::find_if(words.begin() + 1, words.end(), [](const std::string& word) {
    return word[0] != '-' && word.find('=') == std::string::npos;
  });
  if (name == words.end()) return {};
  auto found = find_program(*name, search_path, cwd);
  return found ? *found : std::string();
}

}  // namespace

std::vector<std::string> program_files(const std::string& program, const char* search_path,
                                       const std::string& cwd,
                                       const std::vector<std::string>& homes) {
  std::vector<std::string> files;
  std::string next = program;
  for (int i = 0; i < kMostInterpreters && !next.empty(); ++i) {
    std::error_code missing;
    const std::string real = std::filesystem::canonical(next, missing);
    if (missing) break;
    files.push_back(real);
    const std::string folder = std::filesystem::path(real).parent_path();
    if (is_private_to_the_program(folder, homes)) files.push_back(folder);
    if (folder.size() > 4 && folder.ends_with("/bin")) {
      files.push_back(folder.substr(0, folder.size() - 3) + "lib");
    }
    const std::vector<std::string> words = interpreter_of(real);
    if (words.empty()) break;
    next = words[0];
    if (next.ends_with("/env")) {
      files.push_back(next);
      next = program_of_env(words, search_path, cwd);
    }
  }
  return files;
}

}  // namespace moonlet
