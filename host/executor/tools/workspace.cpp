#include "host/executor/tools/workspace.h"

#include <algorithm>
#include <cctype>
#include <climits>
#include <cstdlib>

#include "host/base/text.h"

namespace moonlet::executor {

namespace {

/// Folders and files that make programs start, or tell agents what to do: no tool writes them.
constexpr const char* kReadOnly[] = {".git",   ".agent",    ".codex-sessions", ".claude",
                                     ".codex", ".gemini",   ".opencode",       ".cursor",
                                     ".kiro",  ".mcp.json", "opencode.json",   "opencode.jsonc"};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace

std::string real_path(const std::string& path) {
  char buffer[PATH_MAX];
  return ::realpath(path.c_str(), buffer) != nullptr ? buffer : path;
}

bool is_beneath(const std::string& path, const std::string& folder) {
  return path == folder || (path.compare(0, folder.size(), folder) == 0 &&
                            (folder.back() == '/' || path[folder.size()] == '/'));
}

Workspace::Workspace(Dir root, const std::string& state_dir)
    : root_(std::move(root)), real_root_(real_path(root_.path())) {
  read_only_.assign(std::begin(kReadOnly), std::end(kReadOnly));
  const std::string state = real_path(state_dir);
  if (!state_dir.empty() && state != real_root_ && is_beneath(state, real_root_)) {
    state_rel_ = state.substr(real_root_.size() + 1);
    read_only_.push_back(state_rel_);
  }
}

Result<std::string> Workspace::relative(std::string_view path) const {
  const auto refuse = [&](const char* why) {
    return Error{ErrorKind::kDenied,
                 "'" + printable(path, 200) + "' " + why,
                 "name a path beneath the repository root",
                 {}};
  };
  if (path.find('\0') != std::string_view::npos) return refuse("holds a NUL byte");
  if (path.size() >= PATH_MAX) return refuse("is too long to be a path");
  std::string text(path);
  if (!text.empty() && text[0] == '/') {
    const std::string* top = is_beneath(text, root_.path()) ? &root_.path()
                             : is_beneath(text, real_root_) ? &real_root_
                                                            : nullptr;
    if (top == nullptr) return refuse("is outside of the repository");
    text.erase(0, top->size());
  }
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('/', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (parts.empty()) return refuse("leads out of the repository");
      parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  if (parts.empty()) return std::string(".");
  std::string result = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) result += "/" + parts[i];
  return result;
}

bool Workspace::holds_sessions(std::string_view rel) const {
  return is_beneath(std::string(rel), ".codex-sessions") ||
         (!state_rel_.empty() && is_beneath(std::string(rel), state_rel_));
}

bool Workspace::is_read_only_name(std::string_view name) {
  return std::find(std::begin(kReadOnly), std::end(kReadOnly), lower(name)) != std::end(kReadOnly);
}

Result<void> Workspace::check_writable(std::string_view rel) const {
  const auto refuse = [&] {
    return Error{
        ErrorKind::kDenied,
        "'" + printable(rel, 200) + "' is read-only to tools",
        "git's own files, settings of agents and session files are not for tools to change",
        {}};
  };
  if (holds_sessions(rel)) return refuse();
  for (std::size_t at = 0; at <= rel.size();) {
    const auto end = std::min(rel.find('/', at), rel.size());
    if (is_read_only_name(rel.substr(at, end - at))) return refuse();
    at = end + 1;
  }
  return {};
}

}  // namespace moonlet::executor
