// Agent asks the model and runs the tools that the model calls, until the turn ends. A turn ends
// when the work is finished, with a question or an obstacle, or at a limit.
// Agent derives its next step from the saved conversation, so a resumed process continues where the
// last one stopped.
// Borrows all constructor arguments. Single-threaded.
#pragma once

#include <optional>
#include <string>

#include "host/executor/changes.h"
#include "host/executor/http/client.h"
#include "host/executor/options.h"
#include "host/executor/report.h"
#include "host/executor/session.h"
#include "host/executor/tools/toolbox.h"

namespace moonlet::executor {

enum ExitCode {
  kExitComplete = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitQuestion = 3,
  kExitLimit = 5,
  kExitBlocked = 6,
  kExitQuota = 75,
  kExitInterrupted = 130,
};

class Agent {
 public:
  Agent(const Options& options, std::string instructions, Session& session, Client& client,
        Toolbox& toolbox, Changes& changes, Report& report);

  /// Records the baseline of the files and works until the turn ends. Returns the exit code.
  int run();
  /// Prints the outcome of a task that has already ended, without asking the model.
  int repeat();
  /// Adds an output to each unanswered tool call, so that a user message may follow.
  void leave_calls();

 private:
  struct Ending {
    Status status;
    std::string text;
    std::vector<std::string> options;
  };

  std::optional<int> begin();
  std::optional<int> end_at_limit();
  std::optional<int> settle_calls();
  std::optional<int> settle(const Call& call);
  ToolResult run_call(const Call& call, const std::string& detail);
  Said last_said() const;
  std::optional<Ending> ending_of(const Said& said) const;
  std::optional<int> ask();
  bool make_room();
  void take(Turn turn);
  int finish(const Ending& ending);
  int fail(const Failure& failure);
  int fail(const Error& error, const char* what, int code, const Failure* failure = nullptr);
  bool save(Durable durable = Durable::kYes);
  nlohmann::json changes();

  const Options& options_;
  const std::string instructions_;
  Session& session_;
  Client& client_;
  Toolbox& toolbox_;
  Changes& changes_;
  Report& report_;
  int iterations_ = 0;  // number of answers of the model in this process
  int empty_ = 0;       // consecutive empty answers
};

}  // namespace moonlet::executor
