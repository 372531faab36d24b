// Guard restores the read-only places of a workspace where the kernel does not protect them.
// Guard remembers their files before a command, and undoes the command's changes.
// Git's objects are never executed, so Guard only reports missing objects.
// Owns the remembered bytes. Single-threaded.
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

  /// Remembers the current places, except for those in `held`, which the kernel protects.
  void remember(const std::vector<std::string>& held = {});
  /// Undoes a command's changes and moves, and returns the changed paths. Ignores held places.
  /// "!" marks a path that was too large to remember and cannot be restored.
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
  Files places_;                   // the watched files
  std::set<std::string> held_;     // places that the kernel protects
  std::set<std::string> objects_;  // names of git objects
  std::map<std::string, Saved> saved_;
  std::uint64_t kept_bytes_ = 0;
  bool partial_ = false;
};

}  // namespace moonlet::executor
