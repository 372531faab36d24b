#include "host/executor/tools/workspace.h"

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "host/artifact/file/startup_files.h"
#include "host/base/ascii.h"
#include "host/base/text.h"

namespace moonlet::executor {

namespace {

constexpr std::size_t kMostAtTop = 10'000;

constexpr const char* kRecords[] = {".git", ".agent", ".codex-sessions"};

}  // namespace

std::string real_path(const std::string& path) {
  char buffer[PATH_MAX];
  return ::realpath(path.c_str(), buffer) != nullptr ? buffer : path;
}

bool is_beneath(const std::string& path, const std::string& folder) {
  return path == folder || (path.compare(0, folder.size(), folder) == 0 &&
                            (folder.back() == '/' || path[folder.size()] == '/'));
}

Workspace::Workspace(Dir root, const std::string& state_dir, bool startup_files)
    : root_(std::move(root)), real_root_(real_path(root_.path())), startup_files_(startup_files) {
  const std::string state = real_path(state_dir);
  if (!state_dir.empty() && state != real_root_ && is_beneath(state, real_root_)) {
    state_rel_ = state.substr(real_root_.size() + 1);
  }
}

Result<std::string> Workspace::relative(std::string_view path) const {
  const auto refuse = [&](const char* why) {
    return Error{ErrorKind::kDenied, "'" + printable(path, 200) + "' " + why,
                 "name a path beneath the repository root"};
  };
  if (path.find('\0') != std::string_view::npos) return refuse("contains a NUL byte");
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

bool Workspace::is_record(std::string_view rel) const {
  if (holds_sessions(rel)) return true;
  for (std::size_t at = 0; at <= rel.size();) {
    const auto end = std::min(rel.find('/', at), rel.size());
    const std::string name = lower(rel.substr(at, end - at));
    if (std::find(std::begin(kRecords), std::end(kRecords), name) != std::end(kRecords))
      return true;
    at = end + 1;
  }
  return false;
}

bool Workspace::is_read_only(std::string_view rel, bool folder) const {
  if (is_record(rel)) return true;
  if (startup_files_) return false;
  return folder ? is_startup_folder(rel) : is_startup_file(rel);
}

std::vector<std::string> Workspace::read_only() const {
  std::vector<std::string> places;
  if (auto listing = root_.list(".", kMostAtTop)) {
    for (const Entry& entry : listing->entries) {
      if (is_read_only(entry.name, entry.kind == EntryKind::kDir)) places.push_back(entry.name);
    }
  }
  if (state_rel_.find('/') != std::string::npos && root_.exists(state_rel_)) {
    places.push_back(state_rel_);
  }
  return places;
}

Result<void> Workspace::check_writable(std::string_view rel) const {
  if (!is_read_only(rel, false)) return {};
  return Error{ErrorKind::kDenied, "'" + printable(rel, 200) + "' is read-only to tools",
               is_record(rel)
                   ? "git's own files, moonlet's and the sessions are not for tools to change"
                   : "it can make programs start on the user's machine: say what it should hold"};
}

}  // namespace moonlet::executor
