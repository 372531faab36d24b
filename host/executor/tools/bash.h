// Bash runs one command of the model at a time: in a session of its own, confined by the kernel to
// the root and a temporary folder, without sockets unless they are granted, within a time. It ends
// all that the command left running. It needs a process that is a subreaper and has no other
// children. Owns the temporary folder. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/base/clock.h"
#include "host/base/fd.h"
#include "host/executor/tools/guard.h"
#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

struct BashOptions {
  bool confined = true;
  bool network = false;
  bool read_only = false;              ///< only the temporary folder can be written
  std::vector<std::string> env_names;  ///< passed on beside the usual ones
};

class Bash {
 public:
  static constexpr std::int64_t kDefaultMs = 120'000, kLongestMs = 600'000;

  /// A byte at `stop_fd` ends the command. kDenied where commands cannot be confined.
  static Result<std::unique_ptr<Bash>> make(const Workspace& workspace, BashOptions options,
                                            const Clock& clock, int stop_fd);
  ~Bash();
  Bash(const Bash&) = delete;
  Bash& operator=(const Bash&) = delete;

  /// True where the kernel mounts nothing for a command: no folder at the top can be removed or
  /// renamed then, and changes in git's are undone when the command has ended.
  bool keeps_folders() const { return keeps_folders_; }

  /// `until_ms` on the monotonic clock: the wall limit of all work; 0: none.
  ToolResult run(const Arguments& arguments, std::int64_t until_ms);

 private:
  struct Child;
  Bash(const Workspace& workspace, BashOptions options, const Clock& clock, int stop_fd)
      : workspace_(workspace),
        options_(std::move(options)),
        clock_(clock),
        stop_fd_(stop_fd),
        guard_(workspace) {}

  std::vector<std::string> environment() const;
  std::vector<std::string> places_to_hold() const;
  Result<Fd> make_rules() const;
  Result<int> start(const std::string& command, int output_fd,
                    const std::vector<std::string>& held) const;
  void try_mounts();
  void wait(Child& child, std::int64_t until_ms);

  const Workspace& workspace_;
  BashOptions options_;
  const Clock& clock_;
  int stop_fd_;
  Guard guard_;
  std::string program_, temporary_;
  Fd temporary_lock_;
  bool can_mount_ = false;
  bool keeps_folders_ = false;
};

}  // namespace moonlet::executor
