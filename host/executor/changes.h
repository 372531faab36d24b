// Changes compares the files below a root with a baseline that was recorded before the work. It
// reports the files that any process has created, modified or deleted. Single-threaded.
// The baseline is stored in a file, so that it survives if this process is killed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/executor/http/limit.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

struct Change {
  std::string path;  ///< ends in "/" if it is a new folder that is empty or has very many files
  std::string what;  ///< "created", "modified" or "deleted"
};

class Changes {
 public:
  Changes(const Workspace& workspace, Dir state, std::string baseline_name)
      : workspace_(workspace), state_(std::move(state)), name_(std::move(baseline_name)) {}

  /// Loads the baseline that a killed process has left, or records a new one.
  /// Returns false if the limit was reached while recording; now() then reports nothing.
  Result<bool> begin(const Limit& limit = {});
  /// Hashes a file before a tool replaces it, so that now() can recognize unchanged content.
  void touch(const std::string& rel);
  /// Hashes all small files, up to a total size, so that now() can recognize unchanged content.
  /// Call it before the first command runs.
  void touch_all();
  /// Returns the differences from the baseline, sorted by path.
  /// Sets `partial` if the list may be incomplete, because of a limit or too many files.
  std::vector<Change> now(bool& partial, const Limit& limit = {}) const;
  /// Deletes the stored baseline. Call it after its differences were reported.
  void end();

 private:
  struct Stamp {
    std::uint64_t size = 0, inode = 0;
    std::int64_t ctime_ns = 0;
    std::string sha256;  // hash of the content; empty if not read
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
