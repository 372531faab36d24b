// Workspace is the repository as the model's tools see it, with places that are read-only to them.
// It resolves the model's paths and refuses those outside the repository. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::executor {

/// Resolves all symbolic links in a path. If the path does not exist, returns it unchanged.
std::string real_path(const std::string& path);
/// Returns true if `path` is `folder` or below it. Both paths must be absolute and without links.
bool is_beneath(const std::string& path, const std::string& folder);

class Workspace {
 public:
  /// Protects `state_dir` from tools if it is below the root. If `startup_files` is true, tools may
  /// write files that make programs start on the user's machine.
  Workspace(Dir root, const std::string& state_dir, bool startup_files = false);

  const Dir& root() const { return root_; }
  /// Returns the path relative to the root, without "..". Fails with kDenied outside the root.
  Result<std::string> relative(std::string_view path) const;
  /// Fails with kDenied for records of git and moonlet, sessions, and startup files.
  Result<void> check_writable(std::string_view rel) const;
  /// Returns true if `rel` is the folder of the sessions or below it.
  bool holds_sessions(std::string_view rel) const;
  /// Returns true if tools may not change `rel`. `folder` tells whether it is a folder.
  bool is_read_only(std::string_view rel, bool folder) const;
  /// Returns the read-only files and folders at the top of the root, and the sessions folder.
  std::vector<std::string> read_only() const;

 private:
  bool is_record(std::string_view rel) const;

  Dir root_;
  std::string real_root_;
  std::string state_rel_;  // the sessions' folder; empty if outside the root
  bool startup_files_;
};

}  // namespace moonlet::executor
