#include "host/process/client/attempt.h"

#include "host/process/child/tree.h"
#include "host/process/client/sweep.h"

namespace moonlet {

namespace {

using State = KeptAttempt::State;

Error lost(const LoggedChild& child) {
  std::string message = "the keeper vanished while it ran; how it ended is not known";
  if (child.state == LoggedChild::State::kReaped) {
    message = "the keeper ended after its program, and before it had cleaned up";
  } else if (child.state == LoggedChild::State::kIntent) {
    message = "the machine went down as it was about to start; whether it ran is not known";
  } else if (!child.exit.error.message.empty()) {
    message += " (" + child.exit.error.message + ")";
  }
  return {ErrorKind::kLost, std::move(message), "check what it left behind", kKeeperLogName};
}

KeptAttempt judge(const LoggedKeeper& keeper, const LoggedChild& child, bool alive,
                  std::string_view boot_id) {
  KeptAttempt found{child, State::kNotStarted, keeper.record.token, child.exit};
  if (child.state == LoggedChild::State::kExited) {
    const bool ran = child.exit.why != ChildExit::Why::kNotStarted;
    found.state = ran ? State::kExited : State::kNotStarted;
    if (child.exit.why == ChildExit::Why::kLost) found.state = State::kLost;
  } else if (alive && child.state != LoggedChild::State::kLost) {
    found.state = State::kRunning;
  } else if (keeper.may_have_started(child, boot_id)) {
    found.state = State::kLost;
    found.exit.why = ChildExit::Why::kLost;
    found.exit.error = lost(child);
  }
  return found;
}

}  // namespace

KeptAttempt find_attempt(const std::vector<LoggedKeeper>& keepers, std::string_view step,
                         std::string_view attempt, bool alive, std::string_view boot_id) {
  const std::string logged_step = logged_name(step), logged_attempt = logged_name(attempt);
  KeptAttempt newest;
  for (auto keeper = keepers.rbegin(); keeper != keepers.rend(); ++keeper) {
    const bool works = alive && keeper == keepers.rbegin() && !keeper->ended;
    for (auto child = keeper->children.rbegin(); child != keeper->children.rend(); ++child) {
      const LoggedChild& logged = child->second;
      if (logged.step != logged_step || logged.attempt != logged_attempt) continue;
      KeptAttempt found = judge(*keeper, logged, works, boot_id);
      // Continue after a failed start, because an earlier start may have succeeded.
      if (found.state != State::kNotStarted) return found;
      if (newest.number == 0) newest = std::move(found);
    }
  }
  return newest;
}

Result<KeptAttempt> find_attempt(int run_dir_fd, std::string_view step, std::string_view attempt) {
  const bool alive = keeper_is_alive(run_dir_fd);
  auto keepers = read_keeper_log(run_dir_fd);
  if (!keepers) return keepers.error();
  return find_attempt(*keepers, step, attempt, alive, boot_id());
}

}  // namespace moonlet
