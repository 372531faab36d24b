// Options reads the command line and the environment: what is wrong there is said before anything
// is started. It removes the key from the process's own environment and has no other effect.
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

/// True when `--json` is among the words: errors are JSON lines then, too.
bool wants_json(int argc, char** argv);
/// A byte at `stop_fd` ends the wait for a description on standard input (kCancelled), as the wall
/// limit does (kTimeout).
Result<Options> read_options(int argc, char** argv, int stop_fd);
std::string help_text();

/// Reads the key and wipes it from the environment, where children and other processes could see
/// it. Empty when it is not set.
std::string take_key();

}  // namespace moonlet::executor
