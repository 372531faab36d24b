#include "host/web/options.h"

#include <limits.h>

#include <cstdlib>
#include <filesystem>

#include "host/base/text.h"

namespace moonlet::web {

namespace {

Error usage(std::string message, std::string hint = "moonlet web --help") {
  return {ErrorKind::kInvalid, std::move(message), std::move(hint)};
}

Result<std::string> folder_of(const std::string& word) {
  char real[PATH_MAX];
  if (::realpath(word.c_str(), real) == nullptr) return Error::from_errno(errno, "open", word);
  return std::string(real);
}

}  // namespace

Result<Options> read_options(const std::vector<std::string>& words) {
  Options options;
  bool has_port = false;
  std::error_code failed;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string name = words[i], value;
    const auto equals = name.find('=');
    const bool is_joined = equals != std::string::npos;
    if (is_joined) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if (name == "--open" || name == "--version") {
      if (is_joined) return usage(name + " takes no value");
      (name == "--open" ? options.open : options.version) = true;
      continue;
    }
    if (name != "--port" && name != "--socket" && name != "--repo") {
      return usage("moonlet web takes no '" + printable(words[i], 60) + "'",
                   "the options are --port, --socket, --open and --repo");
    }
    if (!is_joined) {
      if (i + 1 == words.size()) return usage(name + " needs a value");
      value = words[++i];
    }
    if (name == "--repo") {
      auto folder = folder_of(value);
      if (!folder) return folder.error();
      options.repos.push_back(std::move(*folder));
    } else if (name == "--socket") {
      options.socket = std::filesystem::current_path(failed) / value;
    } else {
      char* end = nullptr;
      const long port = std::strtol(value.c_str(), &end, 10);
      if (value.empty() || *end != 0 || port < 0 || port > 65535) {
        return usage("--port is '" + printable(value, 40) + "'", "a number from 0 to 65535");
      }
      options.port = static_cast<int>(port);
      has_port = true;
    }
  }
  if (has_port && !options.socket.empty()) return usage("--port and --socket exclude each other");
  if (options.repos.empty()) {
    auto here = folder_of(".");
    if (!here) return here.error();
    options.repos.push_back(std::move(*here));
  }
  return options;
}

}  // namespace moonlet::web
