// Fixtures for tests with a keeper and real children: a run folder, a loop, and a search for live
// processes by command line, independent of the keeper.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/process/client/attempt.h"
#include "host/process/client/keeper.h"

namespace moonlet::test {

/// Polls until `done` or the deadline. Returns true if `done`.
bool wait_for(const std::function<bool()>& done, int limit_ms = 10000);

/// Returns the live processes whose command line contains `tag`.
std::vector<pid_t> processes_with(const std::string& tag);

/// Returns true if the long tests run.
bool soak();

class RunFolder {
 public:
  RunFolder();
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }
  /// A unique text in the command line of every child.
  const std::string& tag() const { return tag_; }
  std::string read(const std::string& name) const;

 private:
  std::string path_, tag_;
  int fd_;
};

/// A separate host process, which tests can kill: `keeper_program ARGS…`.
class HostProcess {
 public:
  explicit HostProcess(const std::vector<std::string>& args, bool cgroups = true);
  ~HostProcess() { end(); }
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  pid_t pid() const { return pid_; }
  /// Kills the process, unless it has ended, and reaps it.
  void end();
  /// Waits until the process ends by itself. Returns its exit status, or -1.
  int wait();

 private:
  pid_t pid_;
};

/// Returns the seed of randomized tests: a constant, or MOONLET_SEED, which soak tests vary.
std::uint32_t test_seed();

bool alive(pid_t pid);

/// Returns a child that runs a shell script.
ChildSpec shell(const std::string& script);

/// A keeper in a fresh run directory.
class KeeperRun {
 public:
  explicit KeeperRun(bool cgroups = true);
  ~KeeperRun();

  ChildSpec act(const std::string& name, const std::string& argument = {}) const;
  std::shared_ptr<ChildOperation> spawn(ChildSpec spec) { return keeper->spawn(std::move(spec)); }
  /// Runs the loop until the operation has completed; fails the test after a minute.
  const ChildExit& wait(const std::shared_ptr<ChildOperation>& operation);
  const ChildExit& run(ChildSpec spec) {
    last_ = spawn(std::move(spec));
    return wait(last_);
  }
  /// Runs the loop until `done`.
  bool until(const std::function<bool()>& done, int limit_ms = 10000);
  pid_t guard() const;
  pid_t worker() const;

  RunFolder folder;
  SystemClock clock;
  Loop loop{clock};
  std::shared_ptr<Keeper> keeper;

 private:
  std::shared_ptr<ChildOperation> last_;
};

/// Returns the arguments of a HostProcess that drives a run, see keeper_program.cpp. `how` is
/// "start" or "adopt".
std::vector<std::string> driver(const RunFolder& folder, std::uint64_t generation, const char* how,
                                const std::vector<std::string>& children);
/// Returns the report that this HostProcess has written.
std::string report_of(const RunFolder& folder, std::uint64_t generation, pid_t pid);

/// A host in the test process: the first host of a run, or one that takes the run over.
class Successor {
 public:
  explicit Successor(const RunFolder& folder) : folder_(folder) {}

  KeeperOptions options(std::uint64_t generation) const;
  Result<std::shared_ptr<Keeper>> ask(std::uint64_t generation) {
    return Keeper::adopt(loop, options(generation));
  }
  void adopt(std::uint64_t generation);
  void start(std::uint64_t generation);
  /// Returns the adopted child of this attempt, or null.
  std::shared_ptr<ChildOperation> adopted(const std::string& attempt) const;
  /// Returns a child of step `name`, attempt `name@1`.
  ChildSpec act(const std::string& name, const std::string& argument, bool outlives) const;
  bool until(const std::function<bool()>& done, int limit_ms = 20000);
  const ChildExit& wait(const std::shared_ptr<ChildOperation>& operation);

  SystemClock clock;
  Loop loop{clock};
  std::shared_ptr<Keeper> keeper;

 private:
  const RunFolder& folder_;
};

/// Returns the record of the newest keeper.
KeeperRecord record_of(const RunFolder& folder);
/// Returns the record of the attempt `STEP@N`.
KeptAttempt kept(const RunFolder& folder, const std::string& attempt);
/// Returns true while a child that runs `act NAME` lives.
bool acting(const RunFolder& folder, const std::string& name);
/// Waits up to two seconds until no process of the run lives. Returns false if one still does.
bool nobody_left(const RunFolder& folder);
bool keeper_gone(const RunFolder& folder);
std::size_t lines(const std::string& text);

}  // namespace moonlet::test
