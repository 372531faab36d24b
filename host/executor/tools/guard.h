// Guard restores the read-only places of a workspace that the kernel does not protect. It remembers
// their files before a command runs, and undoes the command's changes. Git's objects are never
// executed, so Guard does not restore them. It only reports if some are missing. Owns the
// remembered bytes. Single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

class Guard {
 public:
  explicit Guard(const Workspace& workspace) : workspace_(workspace) {}

  /// Remembers the read-only paths, except for those in `held`, which the kernel protects.
  void remember(const std::vector<std::string>& held = {});
  /// Undoes what a command has changed or moved, and returns the changed paths.
  /// Ignores the paths that remember() got in `held`.
  /// "!" before a path means that it could not be restored, for example because it was too large to
  /// remember.
  std::vector<std::string> put_back();

 private:
  struct Saved {
    FileInfo info;
    std::string bytes;
    bool kept = false;
  };
  using Files = std::map<std::string, FileInfo>;

  Files places();
  Files look(const Files& places) const;
  void move_back(std::vector<std::string>& changed);
  std::set<std::string> objects() const;
  void look_into(const std::string& rel, Files& files, int depth) const;
  bool restore(const std::string& path, const Saved& saved);

  const Workspace& workspace_;
  Files places_;                   // the watched files and folders
  std::set<std::string> held_;     // paths that the kernel protects from writes
  std::set<std::string> objects_;  // paths of git's object files
  std::map<std::string, Saved> saved_;
  std::uint64_t kept_bytes_ = 0;
  bool partial_ = false;
};

}  // namespace moonlet::executor
