// Changes compares the files below a root with a baseline from the start of the work.
// Reports the files that any process has created, modified or deleted. Single-threaded.
// The baseline is stored in a file, for a process that resumes after a kill.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/executor/tools/limit.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

struct Change {
  std::string path;  ///< a new folder, empty or with very many files, ends in "/"
  std::string what;  ///< created, modified or deleted
};

class Changes {
 public:
  Changes(const Workspace& workspace, Dir state, std::string baseline_name)
      : workspace_(workspace), state_(std::move(state)), name_(std::move(baseline_name)) {}

  /// Takes the baseline or loads the baseline of a killed process.
  /// Returns false if a limit ended the baseline; now() then compares nothing.
  Result<bool> begin(const Limit& limit = {});
  /// Remembers the content of a file that a tool is about to replace.
  void touch(const std::string& rel);
  /// Takes the baseline of all files that are cheap to read, before the first command runs.
  void touch_all();
  /// Returns the differences from the baseline, sorted by path.
  /// Sets `partial` if the list may be incomplete, because of a limit or too many files.
  std::vector<Change> now(bool& partial, const Limit& limit = {}) const;
  /// Deletes the baseline after its differences were reported.
  void end();

 private:
  struct Stamp {
    std::uint64_t size = 0, inode = 0;
    std::int64_t ctime_ns = 0;
    std::string sha256;  // the hash of the content; empty if unread
  };
  using Files = std::map<std::string, Stamp>;

  struct Look;

  Files look(const Limit& limit, bool& partial) const;
  bool look_into(const std::string& rel, Look& look, int depth) const;
  bool load();
  Result<void> save() const;
  std::string digest(const std::string& rel, std::uint64_t size) const;

  const Workspace& workspace_;
  Dir state_;
  std::string name_;
  Files files_;
  bool begun_ = false, partial_ = false, touched_all_ = false;
};

}  // namespace moonlet::executor
