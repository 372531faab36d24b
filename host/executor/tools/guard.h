// Guard keeps the read-only places of a workspace as they are where no kernel does, at its top and
// in the folders below: it remembers their files before a command runs and puts back what the
// command changed. Git's objects are content, and nothing that runs: of them it only tells when
// some are gone. It owns the remembered bytes. One thread.
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

  /// Remembers the places as they are, except those in `held`, which the kernel protects.
  void remember(const std::vector<std::string>& held = {});
  /// Puts back what differs, and returns its paths. A path that could not be put back, as it was
  /// too large to remember, begins with "!". A place that was moved is moved back. What changed in
  /// a held place is the work of others, and stays.
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
  Files places_;                   // the watched ones
  std::set<std::string> held_;     // held by the kernel
  std::set<std::string> objects_;  // names of git objects
  std::map<std::string, Saved> saved_;
  std::uint64_t kept_bytes_ = 0;
  bool partial_ = false;
};

}  // namespace moonlet::executor
