// Runs helper programs, such as git and the user's hooks, without a keeper. A helper program gets
// no input and leads a session of its own. The functions block. Any thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/artifact/run/git_tree.h"
#include "host/base/result.h"

namespace moonlet {

struct HelperCall {
  std::vector<std::string> argv;            ///< argv[0] is the program's path
  std::vector<std::string> environment;     ///< the whole environment, as "NAME=value"
  std::string cwd;                          ///< empty: the caller's working directory
  std::int64_t limit_ms = 20'000;           ///< the longest time to wait for the end or the answer
  std::int64_t grace_ms = 3'000;            ///< time between SIGTERM and SIGKILL of a hook
  std::size_t longest = 1 << 16;            ///< limit of the output in bytes; the rest is not read
  const std::atomic<bool>* stop = nullptr;  ///< true: stop waiting
};

/// Returns the environment of this process, as "NAME=value".
std::vector<std::string> own_environment();

/// Starts a program and returns its pid. The program writes its standard output and standard error
/// to the descriptors `out` and `err`, where -1 means /dev/null. With `die_with_parent`, Linux
/// kills the program when the caller dies.
Result<pid_t> start_helper(HelperCall& call, int out, int err, bool die_with_parent = false);

struct QueryAnswer {
  int code = -1;    ///< the exit code; -1 after a signal or too much output
  std::string out;  ///< the standard output; standard error is dropped
};

/// Runs a program, such as git, for a short answer. argv[0] is looked up in the PATH of the call's
/// environment. Fails with kTimeout or kCancelled if the program was killed before its answer.
Result<QueryAnswer> ask(HelperCall call);

/// Returns a function that runs the git in the PATH of `environment` ("NAME=value" each).
/// It returns an empty text if git fails or runs longer than ten seconds.
AskGit ask_git(std::vector<std::string> environment);

struct HookEnd {
  bool late = false;  ///< the hook exceeded its time or was stopped
  int code = -1;      ///< exit status, -1 unless the process itself exited
  int signal = 0;     ///< the signal that ended the hook, else 0
};

/// Runs a user's program for an event. Drops its output; stderr is the caller's.
/// After its time limit, the hook's process group gets SIGTERM, then SIGKILL.
Result<HookEnd> run_hook(HelperCall call);

/// Starts a background process that outlives this process, and returns the first line of its
/// output; "" if it printed none. The process shares the caller's stderr.
/// On kTimeout, kLimit or kCancelled the process was asked to end by SIGTERM.
Result<std::string> start_detached(HelperCall call);

}  // namespace moonlet
