// Parses the command line and the environment into Options before the work starts. read_options()
// has a single side effect: it removes the API key from the environment.
#pragma once

#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/executor/http/client.h"
#include "host/executor/http/limit.h"

namespace moonlet::executor {

struct Options {
  enum class Action { kRun, kHelp, kVersion, kPlanTemplate };

  Action action = Action::kRun;
  std::string task_id, description, plan_file;
  std::string fork;  ///< id of the new task for --fork; empty: none
  bool json = false, network = false, unconfined = false, read_only = false;
  bool no_plan = false, no_bash = false, startup_files = false;
  std::vector<std::string> env_names;
  Api api = Api::kUnknown;
  std::int64_t context_tokens = 0;  ///< 0: only the server's limit applies
  std::int64_t wall_ms = 30 * 60'000, idle_ms = 5 * 60'000;
  Limit limit;  ///< the wall-clock time starts when read_options() is called

  std::string key, base_url, model, effort, repo_root, state_dir;
  int max_iterations = 50;
};

/// Returns true if `--json` is given, so that errors must be JSON lines, too.
bool wants_json(int argc, char** argv);
/// Parses the options, and reads the description from standard input if it is not an argument.
/// While it reads, fails with kCancelled if `stop_fd` becomes readable, and with kTimeout at the
/// wall-clock limit.
Result<Options> read_options(int argc, char** argv, int stop_fd);
std::string help_text();

/// Returns the API key and wipes it from the environment, which other processes could read. Returns
/// "" if there is none.
std::string take_key();

}  // namespace moonlet::executor
