// Options parses the command line and the environment before the work starts.
// read_options() only changes the environment, where it removes the key.
#pragma once

#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/executor/http/client.h"
#include "host/executor/tools/limit.h"

namespace moonlet::executor {

struct Options {
  enum class Action { kRun, kHelp, kVersion, kPlanTemplate };

  Action action = Action::kRun;
  std::string task_id, description, plan_file;
  std::string fork;  ///< the id of the branch; empty: none
  bool json = false, network = false, unconfined = false, read_only = false;
  bool no_plan = false, no_bash = false, startup_files = false;
  std::vector<std::string> env_names;
  Api api = Api::kUnknown;
  std::int64_t context_tokens = 0;  ///< 0: only the server's limit counts
  std::int64_t wall_ms = 30 * 60'000, idle_ms = 5 * 60'000;
  Limit limit;  ///< the wall limit runs from the reading of the options

  std::string key, base_url, model, effort, repo_root, state_dir;
  int max_iterations = 50;
};

/// Returns true if `--json` is given. Errors are JSON lines then, too.
bool wants_json(int argc, char** argv);
/// Parses the options. Two events end the wait for a description on standard input:
/// A byte at `stop_fd` fails with kCancelled, and the wall limit with kTimeout.
Result<Options> read_options(int argc, char** argv, int stop_fd);
std::string help_text();

/// Reads the key and wipes it from the environment, which other processes could read.
/// Returns "" if the environment has no key.
std::string take_key();

}  // namespace moonlet::executor
