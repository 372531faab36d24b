// Starts each attempt under its own keeper, for a host on another machine or a scheduler's job.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <vector>

#include "host/base/clock.h"
#include "host/base/json.h"
#include "host/base/loop.h"
#include "host/process/client/keeper.h"
#include "host/process/client/sweep.h"
#include "host/process/remote/attempt.h"
#include "host/process/remote/service.h"
#include "host/process/remote/spec.h"
#include "host/process/wire/exit_file.h"

namespace moonlet {

namespace {

using nlohmann::json;

constexpr std::int64_t kTickMs = 5, kJobTickMs = 200;
constexpr int kPublishPauseMs = 20;
constexpr std::int64_t kBeatMs = 5000;

volatile sig_atomic_t asked_to_end = 0;

/// `Starting` has an attempt's nonce, the state of its start, and its keeper.
struct Starting {
  std::string nonce;
  std::string state = "failed";
  Error error;
  std::shared_ptr<Keeper> keeper;
  std::shared_ptr<ChildOperation> child;

  bool waits() const { return child && !child->done() && child->pid() == 0; }
};

/// Starts a claimed attempt. With `outlives_us`, the attempt continues after this process ends.
Result<void> launch(Loop& loop, RemoteAttempt& attempt, const json& spec,
                    const std::string& program, bool outlives_us, Starting& starting) {
  auto child = read_remote_spec(attempt, spec);
  if (child && child->argv.empty()) child = Error{ErrorKind::kInvalid, "no program is named"};
  if (!child) return child.error();
  const Fd input(child->stdin_fd);
  child->outlives_host = outlives_us;
  KeeperOptions options;
  options.program = program;
  options.run_dir_fd = attempt.fd();
  options.run_id = attempt.nonce();
  options.publishes = true;
  auto keeper = Keeper::start(loop, options);
  if (!keeper) return keeper.error();
  starting.keeper = std::move(*keeper);
  starting.child = starting.keeper->spawn(std::move(*child));
  starting.state = "started";
  return {};
}

/// Claims and starts an attempt, unless another process has claimed it. Publishes a failed start as
/// the attempt's end, so that no process tries again.
void claim_and_launch(Loop& loop, RemoteAttempt& attempt, const json& spec,
                      const std::string& program, bool outlives_us, Starting& starting) {
  auto first = attempt.claim();
  if (!first) {
    starting.error = first.error();
    return;
  }
  if (!*first) {
    starting.state = "exists";
    return;
  }
  auto launched = launch(loop, attempt, spec, program, outlives_us, starting);
  if (launched) return;
  starting.error = launched.error();
  (void)attempt.publish_not_started(launched.error());
}

/// Writes exit.json if the child could not be started. If the file cannot be written, for example
/// on a full disk, stores the error in `starting` and returns false.
bool record_failed_start(const std::string& root, Starting& starting) {
  if (!starting.child || !starting.child->done()) return true;
  const ChildExit& exit = starting.child->exit();
  if (exit.why != ChildExit::Why::kNotStarted) return true;
  auto attempt = RemoteAttempt::open(root, starting.nonce);
  if (attempt && write_exit_file(attempt->fd(), exit, SystemClock().wall_ms())) return true;
  starting.state = "failed";
  starting.error = exit.error;
  return false;
}

/// Handles events for at most `ms` milliseconds.
void tick(Loop& loop, std::int64_t ms) {
  const auto timer = loop.after(ms, [] {});
  loop.run_once();
  loop.cancel(timer);
}

json line_of(const Starting& starting) {
  json line{{"nonce", starting.nonce}, {"state", starting.state}};
  if (starting.state == "failed") line["error"] = error_of(starting.error);
  return line;
}

}  // namespace

Result<void> remote_start(const std::string& root, const json& request,
                          const std::string& program) {
  SystemClock clock;
  Loop loop(clock);
  std::vector<Starting> all;
  for (const json& spec : request.at("attempts")) {
    Starting& starting = all.emplace_back();
    starting.nonce = spec.at("nonce").get<std::string>();
    auto attempt = RemoteAttempt::make(root, starting.nonce);
    if (attempt) {
      claim_and_launch(loop, *attempt, spec, program, true, starting);
    } else {
      starting.error = attempt.error();
    }
  }
  const auto waits = [](const Starting& starting) { return starting.waits(); };
  while (std::any_of(all.begin(), all.end(), waits)) tick(loop, kTickMs);
  for (Starting& starting : all) {
    if (!record_failed_start(root, starting)) starting.keeper->shutdown();
    if (starting.keeper && starting.state != "failed") starting.keeper->let_go();
    print_line(line_of(starting));
  }
  return {};
}

int remote_job(const std::string& root, const std::string& map, std::size_t index,
               const std::string& program) {
  std::ifstream lines(map);
  std::string nonce;
  for (std::size_t i = 0; i <= index; ++i) {
    if (!std::getline(lines, nonce)) return 2;
  }
  auto attempt = RemoteAttempt::open(root, nonce);
  if (!attempt) return 2;
  auto spec =
      parse_json(attempt->read(kSpecFileName, 0, kRecordJsonLimits.max_bytes), kRecordJsonLimits);
  if (!spec) return 3;  // another job has claimed the attempt and removed the file
  SystemClock clock;
  Loop loop(clock);
  Starting starting;
  struct sigaction action {};
  action.sa_handler = [](int) { asked_to_end = 1; };
  sigaction(SIGTERM, &action, nullptr);
  // Only this process sees that the attempt is revoked, so the child must not outlive it.
  claim_and_launch(loop, *attempt, *spec, program, false, starting);
  // Remove the description, because it may contain secrets. If this job could not claim the
  // attempt, keep the description for another job.
  if (starting.state != "exists" && attempt->is_claimed()) {
    unlinkat(attempt->fd(), kSpecFileName, 0);
  }
  if (!starting.child) return 3;
  for (std::int64_t next_beat = 0; !starting.child->done();) {
    if (clock.monotonic_ms() >= next_beat) {
      attempt->beat();
      next_beat = clock.monotonic_ms() + kBeatMs;
    }
    if (asked_to_end != 0 || attempt->is_revoked()) starting.child->cancel();
    tick(loop, kJobTickMs);
  }
  const bool passed = starting.child->exit().success();
  starting.keeper->shutdown();
  starting.keeper.reset();
  while (attempt->exit_text().empty() && keeper_is_alive(attempt->fd())) {
    poll(nullptr, 0, kPublishPauseMs);
  }
  if (attempt->exit_text().empty()) {
    (void)write_exit_file(attempt->fd(), starting.child->exit(), clock.wall_ms());
  }
  return passed ? 0 : 1;
}

}  // namespace moonlet
