#include "host/artifact/journal/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <algorithm>
#include <future>
#include <thread>

#include "host/artifact/journal/holder.h"
#include "tests/catch.h"
#include "tests/host/artifact/journal/fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

/// A child process that calls a function and then lives until it is killed. It writes one byte when
/// it is ready.
class Companion {
 public:
  template <typename Fn>
  explicit Companion(Fn fn) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ready[0]);
      fn([&] { return ::write(ready[1], "x", 1) == 1; });
      ::_exit(0);
    }
    ::close(ready[1]);
    char byte;
    ready_ = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
  }
  ~Companion() { end(); }

  pid_t pid() const { return pid_; }
  bool ready() const { return ready_; }
  void stop() {
    ::kill(pid_, SIGSTOP);
    int status;
    while (::waitpid(pid_, &status, WUNTRACED) < 0) {
    }
  }
  void go_on() { ::kill(pid_, SIGCONT); }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  void end() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

 private:
  pid_t pid_ = 0;
  bool ready_ = false;
};

template <typename Ready>
void hold_for_ever(const JournalRun& run, Ready ready) {
  auto lock = run.lock();
  if (!lock || !ready()) ::_exit(1);
  for (;;) ::pause();
}

std::uint64_t generation_of(const JournalRun& run) {
  const auto text = slurp(run.path() + "/lock");
  const auto at = text.find("generation ");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 11, nullptr, 10);
}

}  // namespace

TEST_CASE("a running holder is not taken over, and is named") {
  JournalRun run;
  Companion holder([&](auto ready) { hold_for_ever(run, ready); });
  REQUIRE(holder.ready());
  for (const auto take_over : {TakeOver::kNo, TakeOver::kStopped}) {
    const auto error = run.lock(take_over).error();
    CHECK(error.message ==
          "run R-001 is being driven by process " + std::to_string(holder.pid()) + " already");
    CHECK(error.hint.find("moonlet cancel R-001") != std::string::npos);
    CHECK(entries_in(run.path()) == 1);
  }
  holder.end();
  CHECK(run.lock()->generation() == 2);
}

TEST_CASE("a passing holder differs from a driver, and a driver waits for it") {
  JournalRun run;
  int told[2];
  REQUIRE(::pipe(told) == 0);
  Companion holder([&](auto ready) {
    auto lock = run.lock(TakeOver::kNo, Hold::kPass);
    char byte;
    if (!lock || !ready() || ::read(told[0], &byte, 1) != 1) ::_exit(1);
  });
  REQUIRE(holder.ready());
  const auto error = run.lock(TakeOver::kNo, Hold::kPass).error();
  CHECK(error.message == "process " + std::to_string(holder.pid()) + " is looking after run R-001");
  auto driver = std::async(std::launch::async, [&] { return run.lock(TakeOver::kStopped); });
  REQUIRE(::write(told[1], "x", 1) == 1);
  auto lock = driver.get();
  REQUIRE(lock);
  CHECK(lock->generation() == 2);
  CHECK(holder.wait() == 0);
  ::close(told[0]);
  ::close(told[1]);
}

TEST_CASE("a stopped holder is taken over when that is asked for, and finds out", "[linux]") {
  JournalRun run;
  int told[2];
  REQUIRE(::pipe(told) == 0);
  Companion holder([&](auto ready) {
    auto lock = run.lock();
    if (!lock || !lock->check() || !ready()) ::_exit(1);
    char byte;
    if (::read(told[0], &byte, 1) != 1) ::_exit(2);
    const auto error = lock->check().error();
    const std::string pid = "(pid " + std::to_string(::getppid()) + ")";
    if (error.kind != ErrorKind::kDenied) ::_exit(3);
    ::_exit(error.message.find(pid) == std::string::npos ? 4 : 0);
  });
  REQUIRE(holder.ready());
  holder.stop();
  const auto refused = run.lock().error();
  CHECK(refused.message.find(std::to_string(holder.pid()) + " already, which is stopped") !=
        std::string::npos);
  {
    auto lock = run.lock(TakeOver::kStopped);
    REQUIRE(lock);
    CHECK(lock->generation() == 2);
    CHECK(lock->check().ok());
    CHECK_FALSE(run.lock(TakeOver::kStopped).ok());
    holder.go_on();
    REQUIRE(::write(told[1], "x", 1) == 1);
    CHECK(holder.wait() == 0);
    CHECK(lock->check().ok());
  }
  CHECK(run.lock()->generation() == 3);
  ::close(told[0]);
  ::close(told[1]);
}

TEST_CASE("a holder that is gone is taken over from the child that kept its lock", "[linux]") {
  JournalRun run;
  int pid_of_child[2];
  REQUIRE(::pipe(pid_of_child) == 0);
  const int outcome = in_child([&] {
    auto lock = run.lock();
    if (!lock) return 1;
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) ::pause();
    }
    return ::write(pid_of_child[1], &child, sizeof child) == sizeof child ? 0 : 2;
  });
  REQUIRE(outcome == 0);
  pid_t child = 0;
  REQUIRE(::read(pid_of_child[0], &child, sizeof child) == sizeof child);
  const auto error = run.lock().error();
  CHECK(error.message.find("which has ended") != std::string::npos);
  auto lock = run.lock(TakeOver::kStopped);
  CHECK(lock.ok());
  ::kill(child, SIGKILL);
  ::close(pid_of_child[0]);
  ::close(pid_of_child[1]);
}

TEST_CASE("a killed holder is ending until the last of its threads is gone", "[linux]") {
  JournalRun run;
  int born[2], go_on[2];
  REQUIRE(::pipe(born) == 0);
  REQUIRE(::pipe(go_on) == 0);
  Companion holder([&](auto ready) {
    auto lock = run.lock();
    const std::uint64_t self = this_process().born;
    if (!lock || ::write(born[1], &self, sizeof self) != sizeof self) ::_exit(1);
    std::thread last([&] {
      const std::string stat = "/proc/" + std::to_string(::getpid()) + "/stat";
      while (slurp(stat).find(") Z ") == std::string::npos) std::this_thread::yield();
      char byte;
      if (!ready() || ::read(go_on[0], &byte, 1) != 1) ::_exit(2);
      ::_exit(0);
    });
    last.detach();
    ::syscall(SYS_exit, 0);  // ends only this thread
  });
  REQUIRE(holder.ready());
  Holder known = this_process();
  known.pid = holder.pid();
  REQUIRE(::read(born[0], &known.born, sizeof known.born) == sizeof known.born);
  CHECK(state_of(known) == HolderState::kEnding);
  auto taker = std::async(std::launch::async, [&] { return run.lock(); });
  REQUIRE(::write(go_on[1], "x", 1) == 1);
  CHECK(taker.get().ok());
  CHECK(holder.wait() == 0);
  for (const int fd : {born[0], born[1], go_on[0], go_on[1]}) ::close(fd);
}

TEST_CASE("one of many simultaneous takers gets the lock", "[linux]") {
  JournalRun run;
  Companion holder([&](auto ready) { hold_for_ever(run, ready); });
  REQUIRE(holder.ready());
  holder.stop();
  for (int round = 0; round < 20; ++round) {
    int go[2], won[2];
    REQUIRE(::pipe(go) == 0);
    REQUIRE(::pipe(won) == 0);
    std::vector<pid_t> children;
    for (int i = 0; i < 6; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        auto lock = run.lock(i % 2 == 0 ? TakeOver::kStopped : TakeOver::kNo);
        const char word = lock.ok() ? 'y' : 'n';
        if (::write(won[1], &word, 1) != 1) ::_exit(1);
        char byte;
        ::close(go[1]);
        while (::read(go[0], &byte, 1) > 0) {
        }
        ::_exit(lock.ok() && !lock->check() ? 1 : 0);
      }
      children.push_back(child);
    }
    std::string words(6, ' ');
    for (char& word : words) REQUIRE(::read(won[0], &word, 1) == 1);
    CHECK(std::count(words.begin(), words.end(), 'y') == 1);
    for (int fd : {go[0], go[1], won[0], won[1]}) ::close(fd);
    for (pid_t child : children) {
      int status = 1;
      ::waitpid(child, &status, 0);
      CHECK(status == 0);
    }
  }
  CHECK(run.lock()->generation() == 22);
}

TEST_CASE("a lock can be taken after its takers were killed at random", "[linux]") {
  JournalRun run(memory_folder());
  std::uint64_t newest = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        for (;;) (void)run.lock(TakeOver::kStopped);
      }
      children.push_back(child);
    }
    // Kills at an arbitrary moment after several children have held the lock.
    const auto wanted = newest + 1 + static_cast<std::uint64_t>(round % 7);
    while (generation_of(run) < wanted) {
    }
    for (pid_t child : children) ::kill(child, SIGKILL);
    for (pid_t child : children) ::waitpid(child, nullptr, 0);
    auto lock = run.lock();
    REQUIRE(lock.ok());
    CHECK(lock->generation() > newest);
    newest = lock->generation();
    CHECK(entries_in(run.path()) == 1);
  }
}

TEST_CASE("a pid of another pid namespace is not trusted", "[linux]") {
  Holder self = this_process();
  CHECK(self.pid == ::getpid());
  CHECK(state_of(self) == HolderState::kRuns);
  Holder other = self;
  other.place = std::string(16, '0');
  CHECK(state_of(other) == HolderState::kElsewhere);
  other = self;
  other.born += 1;
  CHECK(state_of(other) == HolderState::kGone);
  other.pid = 0;
  CHECK(state_of(other) == HolderState::kElsewhere);

  JournalRun run;
  Companion holder([&](auto ready) { hold_for_ever(run, ready); });
  REQUIRE(holder.ready());
  holder.stop();
  auto text = slurp(run.path() + "/lock");
  const auto place = text.find("place ") + 6;
  text.replace(place, 16, std::string(16, 'f'));
  // Overwrites the lock file in place, so that it stays the file that its holder has open.
  const int fd = ::open((run.path() + "/lock").c_str(), O_WRONLY);
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(fd);
  const auto error = run.lock(TakeOver::kStopped).error();
  CHECK(error.message.find("another machine") != std::string::npos);
}

TEST_CASE("a taker that does not get on is named after a while") {
  JournalRun run;
  spit(run.path() + "/lock.next", "");
  const int fd = ::open((run.path() + "/lock.next").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(fd, LOCK_EX) == 0);
  CHECK(run.lock().error().message.find("is about to take the run R-001") != std::string::npos);
  ::close(fd);
  CHECK(run.lock()->generation() == 1);
}

TEST_CASE("copies of a lock hold it together") {
  JournalRun run;
  auto first = run.lock();
  REQUIRE(first);
  {
    const RunLock second = *first;
    first = Error{};
    CHECK_FALSE(run.lock().ok());
    CHECK(second.check().ok());
  }
  CHECK(run.lock().ok());
}
