// For tests that need a keeper and real children: a run directory, a loop, and eyes of its own on
// what lives, by command line alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/process/client/attempt.h"
#include "host/process/client/keeper.h"

namespace moonlet::test {

/// Polls until `done` or the deadline; true when done.
bool wait_for(const std::function<bool()>& done, int limit_ms = 10000);

/// Living processes whose command line has `tag`.
std::vector<pid_t> processes_with(const std::string& tag);

/// True in the long form of the tests.
bool soak();

class RunFolder {
 public:
  RunFolder();
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }
  /// Unlike any other text on the machine; stands in the command line of every child.
  const std::string& tag() const { return tag_; }
  std::string read(const std::string& name) const;

 private:
  std::string path_, tag_;
  int fd_;
};

/// A host process of its own, so that it can be killed: `keeper_program ARGS…`.
class HostProcess {
 public:
  explicit HostProcess(const std::vector<std::string>& args, bool cgroups = true);
  ~HostProcess() { end(); }
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  pid_t pid() const { return pid_; }
  /// Kills it, unless it has ended, and reaps it.
  void end();
  /// Waits until it ends by itself; its exit status, or -1.
  int wait();

 private:
  pid_t pid_;
};

/// The seed of tests that choose at random: the same each time, or MOONLET_SEED, which a soak
/// varies.
std::uint32_t test_seed();

bool alive(pid_t pid);

/// A child that runs a script of the shell.
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

/// The arguments of a HostProcess that drives, see keeper_program.cpp; `how` is start or adopt.
std::vector<std::string> driver(const RunFolder& folder, std::uint64_t generation, const char* how,
                                const std::vector<std::string>& children);
/// The report that it has written.
std::string report_of(const RunFolder& folder, std::uint64_t generation, pid_t pid);

/// A host in this process, the first of a run or one that goes on with it.
class Successor {
 public:
  explicit Successor(const RunFolder& folder) : folder_(folder) {}

  KeeperOptions options(std::uint64_t generation) const;
  Result<std::shared_ptr<Keeper>> ask(std::uint64_t generation) {
    return Keeper::adopt(loop, options(generation));
  }
  void adopt(std::uint64_t generation);
  void start(std::uint64_t generation);
  /// The adopted child of this attempt, or null.
  std::shared_ptr<ChildOperation> adopted(const std::string& attempt) const;
  /// A child of step `name`, attempt `name@1`.
  ChildSpec act(const std::string& name, const std::string& argument, bool outlives) const;
  bool until(const std::function<bool()>& done, int limit_ms = 20000);
  const ChildExit& wait(const std::shared_ptr<ChildOperation>& operation);

  SystemClock clock;
  Loop loop{clock};
  std::shared_ptr<Keeper> keeper;

 private:
  const RunFolder& folder_;
};

/// The newest keeper on record.
KeeperRecord record_of(const RunFolder& folder);
/// The record of `STEP@N`.
KeptAttempt kept(const RunFolder& folder, const std::string& attempt);
/// True while a child that acts `name` lives.
bool acting(const RunFolder& folder, const std::string& name);
/// True once no process of the run lives, within two seconds.
bool nobody_left(const RunFolder& folder);
bool keeper_gone(const RunFolder& folder);
std::size_t lines(const std::string& text);

}  // namespace moonlet::test
