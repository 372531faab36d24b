// Changes compares the files beneath a root with how they were when the work began: what was
// created, modified and deleted on disk, whoever did it. The baseline is kept in a file until the
// work ends, so that a process that takes over after a kill compares with the same. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

struct Change {
  std::string path;  ///< a folder that is new with all in it ends in "/"
  std::string what;  ///< created, modified or deleted
};

class Changes {
 public:
  Changes(const Workspace& workspace, Dir state, std::string baseline_name)
      : workspace_(workspace), state_(std::move(state)), name_(std::move(baseline_name)) {}

  /// Takes the baseline, or the one that a killed process left.
  Result<void> begin();
  /// Remembers the content of a file that a tool is about to replace.
  void touch(const std::string& rel);
  /// The same of all files, as far as that is cheap: before the first command runs.
  void touch_all();
  /// The differences from the baseline, sorted by path.
  std::vector<Change> now() const;
  /// Forgets the baseline: what differs was reported for good.
  void end();
  /// True when there are too many files to compare all of them.
  bool partial() const { return partial_; }

 private:
  struct Stamp {
    std::uint64_t size = 0, inode = 0;
    std::int64_t ctime_ns = 0;
    std::string sha256;  // the hash of the content, where it was worth knowing
  };
  using Files = std::map<std::string, Stamp>;

  Files look(bool& partial) const;
  void look_into(const std::string& rel, Files& files, int depth, bool& partial) const;
  bool load();
  Result<void> save() const;
  std::string digest(const std::string& rel, std::uint64_t size) const;

  const Workspace& workspace_;
  Dir state_;
  std::string name_;
  Files files_;
  bool partial_ = false, touched_all_ = false;
};

}  // namespace moonlet::executor
