// Workspace is the repository as the tools of the model see it: one folder, reached through its
// descriptor, in which some places are read-only. It resolves the paths that a model writes; it
// refuses those that lead out. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::executor {

/// The path without links; itself where it does not exist.
std::string real_path(const std::string& path);
/// True for `folder` and what lies in it. Both are absolute and without links.
bool is_beneath(const std::string& path, const std::string& folder);

class Workspace {
 public:
  /// `state_dir` is read-only to tools where it lies beneath the root; with `startup_files` the
  /// files that make programs start are not.
  Workspace(Dir root, const std::string& state_dir, bool startup_files = false);

  const Dir& root() const { return root_; }
  /// The path beneath the root, "." for the root itself: without "..", also of an absolute path
  /// beneath it. kDenied for a path that leads out.
  Result<std::string> relative(std::string_view path) const;
  /// kDenied for a place that is read-only to tools: git's own files, records of moonlet, startup
  /// files, the sessions.
  Result<void> check_writable(std::string_view rel) const;
  /// True for the folder of the sessions and what lies in it.
  bool holds_sessions(std::string_view rel) const;
  /// True for such a place, at the top or below.
  bool is_read_only(std::string_view rel, bool folder) const;
  /// Such places that are there: those at the top of the root, and the sessions.
  std::vector<std::string> read_only() const;

 private:
  bool is_record(std::string_view rel) const;

  Dir root_;
  std::string real_root_;
  std::string state_rel_;  // empty: it lies elsewhere
  bool startup_files_;
};

}  // namespace moonlet::executor
