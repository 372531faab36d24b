// Bash runs a command for the model. The kernel confines the command's writes to the root and a
// temporary folder. A command gets its own session and a time limit, and no sockets unless granted.
// Bash ends all processes that the command leaves running; for this, the calling process must be a
// subreaper and have no other children. Bash owns the temporary folder. Single-threaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/base/fd.h"
#include "host/executor/http/limit.h"
#include "host/executor/tools/guard.h"
#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

struct BashOptions {
  bool confined = true;
  bool network = false;
  bool read_only = false;              ///< only the temporary folder is writable
  std::vector<std::string> env_names;  ///< additional environment variables that commands get
};

class Bash {
 public:
  static constexpr std::int64_t kDefaultMs = 120'000, kLongestMs = 600'000;

  /// Makes the temporary folder. Fails with kDenied if the kernel cannot confine commands.
  static Result<std::unique_ptr<Bash>> make(const Workspace& workspace, BashOptions options,
                                            const Limit& limit);
  ~Bash();
  Bash(const Bash&) = delete;
  Bash& operator=(const Bash&) = delete;

  /// Returns true if the kernel refuses read-only mounts for a command. Commands then cannot rename
  /// top-level folders, and Guard undoes their changes in git's folder.
  bool keeps_folders() const { return keeps_folders_; }

  ToolResult run(const Arguments& arguments);

 private:
  struct Child;
  Bash(const Workspace& workspace, BashOptions options, const Limit& limit)
      : workspace_(workspace), options_(std::move(options)), limit_(limit), guard_(workspace) {}

  std::vector<std::string> environment() const;
  std::vector<std::string> places_to_hold() const;
  Result<Fd> make_rules() const;
  Result<int> start(const std::string& command, int output_fd,
                    const std::vector<std::string>& held) const;
  void try_mounts();
  void wait(Child& child, std::int64_t until_ms);

  const Workspace& workspace_;
  BashOptions options_;
  const Limit limit_;
  Guard guard_;
  std::string program_, temporary_;
  Fd temporary_lock_;
  bool can_mount_ = false;
  bool keeps_folders_ = false;
};

}  // namespace moonlet::executor
