// Workspace is the repository folder as the model's tools see it, with read-only places.
// Resolves the model's paths and refuses paths out of the folder. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::executor {

/// Resolves all links of a path. Returns a missing path unchanged.
std::string real_path(const std::string& path);
/// Returns true for `folder` and everything below. Both paths are absolute and without links.
bool is_beneath(const std::string& path, const std::string& folder);

class Workspace {
 public:
  /// Protects `state_dir` from tools if it lies below the root.
  /// If `startup_files` is true, tools may write files that programs execute at their start.
  Workspace(Dir root, const std::string& state_dir, bool startup_files = false);

  const Dir& root() const { return root_; }
  /// Returns the path relative to the root, without ".."; "." for the root itself.
  /// Fails with kDenied for a path out of the root.
  Result<std::string> relative(std::string_view path) const;
  /// Fails with kDenied for git's files, moonlet's records, startup files and the sessions.
  Result<void> check_writable(std::string_view rel) const;
  /// Returns true for the folder of the sessions and everything below.
  bool holds_sessions(std::string_view rel) const;
  /// Returns true for a read-only place, at the top or in a subfolder.
  bool is_read_only(std::string_view rel, bool folder) const;
  /// Returns the existing read-only places at the top of the root, and the sessions folder.
  std::vector<std::string> read_only() const;

 private:
  bool is_record(std::string_view rel) const;

  Dir root_;
  std::string real_root_;
  std::string state_rel_;  // empty if the folder lies elsewhere
  bool startup_files_;
};

}  // namespace moonlet::executor
