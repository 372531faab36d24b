// Tests the content of a journal after a system call fails, or the process is stopped or killed.
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string_view>

#include "tests/catch.h"
#include "tests/host/artifact/journal/fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

int rounds(int usual, int soak) { return std::getenv("MOONLET_SOAK") != nullptr ? soak : usual; }

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A count in shared memory, which survives the child process that counts.
class SharedCount {
 public:
  SharedCount()
      : count_(new (::mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Count(0)) {}
  ~SharedCount() { ::munmap(count_, sizeof(Count)); }
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;
  std::atomic<std::uint64_t>& operator*() { return *count_; }

 private:
  using Count = std::atomic<std::uint64_t>;
  Count* count_;
};

/// Appends without end, up to eight records at a time, and counts the records that were reported
/// durable.
Error append_for_ever(const Dir& dir, std::atomic<std::uint64_t>& durable, std::mt19937& random) {
  JournalDriver driver;
  if (auto error = driver.open(dir); !error.message.empty()) return error;
  for (;;) {
    std::vector<std::shared_ptr<JournalWrite>> writes;
    for (auto i = random() % 8 + 1; i > 0; --i) {
      const std::string body = "{\"text\":\"" + std::string(random() % 9000, 'x') + "\"}";
      writes.push_back(random() % 4 == 0 ? driver.journal->append_relaxed(body)
                                         : driver.journal->append(body));
    }
    writes.push_back(driver.journal->append("{\"last\":true}"));
    for (const auto& write : writes) {
      if (auto result = driver.wait(write); !result) return result.error();
    }
    durable.store(writes.back()->n());
  }
}

/// Appends until the folder is full, then calls `free` and appends again. Returns 0, or the number
/// of the check that failed.
template <typename Free>
int fill_and_go_on(const JournalRun& run, const char* expected, Free free) {
  JournalDriver driver;
  if (!driver.open(run.dir()).message.empty()) return 1;
  const std::string body = "{\"text\":\"" + std::string(5000, 'x') + "\"}";
  std::uint64_t durable = 0;
  std::optional<Error> error;
  for (int turn = 0; turn < 1000 && !error; ++turn) {
    std::vector<std::shared_ptr<JournalWrite>> writes;
    for (int i = 0; i < 5; ++i) writes.push_back(driver.journal->append(body));
    for (const auto& write : writes) {
      const auto result = driver.wait(write);
      // One write appends all records of a turn, so either all of them succeed or none.
      if (result.ok() && error) return 2;
      if (result.ok()) ++durable;
      if (!result) error = result.error();
    }
  }
  if (!error || !contains(error->message, expected)) return 3;
  if (!contains(error->message, "steps.jsonl")) return 4;
  auto report = verify_journal(run.dir());
  if (!report || report->records != durable || report->torn_bytes != 0 || report->damage) return 5;
  // Later records fail in the same way. Small ones may still fit.
  while (driver.append(body).ok()) ++durable;
  if (!driver.journal->flush_blocking()) return 7;
  free();
  if (!driver.append(body).ok() || !driver.append("{}").ok()) return 8;
  driver.journal.reset();
  report = verify_journal(run.dir());
  return report && report->records == durable + 2 && !report->damage ? 0 : 10;
}

}  // namespace

TEST_CASE("a file size limit fails waiting records, and leaves whole lines") {
  JournalRun run;
  CHECK(in_child([&] {
          rlimit limit{100'000, 1'000'000};
          ::setrlimit(RLIMIT_FSIZE, &limit);
          // SIGXFSZ would end the process. The thread that writes the journal blocks it.
          return fill_and_go_on(run, "File too large", [] {
            const rlimit more{1'000'000, 1'000'000};
            ::setrlimit(RLIMIT_FSIZE, &more);
          });
        }) == 0);
}

#ifdef __linux__
TEST_CASE(
    "a full disk fails waiting records, and the next records are written when there is space") {
  Scratch scratch;
  const int outcome = in_child([&] {
    if (!mount_tmpfs(scratch.path(), "size=256k")) return 99;
    spit(scratch / "ballast", std::string(100'000, 'b'));
    const JournalRun run(scratch.path());
    return fill_and_go_on(run, "ENOSPC", [&] { ::unlink((scratch / "ballast").c_str()); });
  });
  if (outcome == 99) {
    WARN("skipped: this user may not mount");
    return;
  }
  CHECK(outcome == 0);
}

TEST_CASE("after a relaxed record that could not be written the journal takes no other") {
  JournalRun run;
  CHECK(in_child([&] {
          JournalDriver driver;
          if (!driver.open(run.dir()).message.empty()) return 1;
          rlimit limit{1'000, 1'000'000};
          ::setrlimit(RLIMIT_FSIZE, &limit);
          (void)driver.journal->append_relaxed("{\"text\":\"" + std::string(5000, 'x') + "\"}");
          const auto written = driver.journal->written();
          if (!written || driver.wait(written).ok()) return 2;
          const rlimit more{1'000'000, 1'000'000};
          ::setrlimit(RLIMIT_FSIZE, &more);
          const auto next = driver.append("{}");
          if (next || !contains(next.error().message, "File too large")) return 3;
          if (driver.journal->append_relaxed("{}")->result().ok()) return 4;
          driver.journal.reset();
          if (!driver.open(run.dir()).message.empty() || !driver.append("{}").ok()) return 5;
          return verify_journal(run.dir())->records == 1 ? 0 : 6;
        }) == 0);
}

TEST_CASE("a full disk refuses a repair, and loses nothing by it") {
  Scratch scratch;
  const int outcome = in_child([&] {
    if (!mount_tmpfs(scratch.path(), "size=64k")) return 99;
    const JournalRun run(scratch.path());
    JournalDriver driver;
    if (!driver.open(run.dir()).message.empty() || !driver.append("{}").ok()) return 1;
    driver.journal.reset();
    std::ofstream(run.file(), std::ios::app) << "{\"n\":2,";
    const std::string before = slurp(run.file());
    auto lock = run.lock();
    if (!lock) return 2;
    for (int i = 0; i < 64; ++i) spit(scratch / ("ballast" + std::to_string(i)), "b");
    const auto error = driver.open(run.dir(), *lock);
    if (!contains(error.message, "ENOSPC") || slurp(run.file()) != before) return 3;
    for (int i = 0; i < 64; ++i) ::unlink((scratch / ("ballast" + std::to_string(i))).c_str());
    if (!driver.open(run.dir(), *lock).message.empty()) return 4;
    return driver.seen.size() == 1 ? 0 : 5;
  });
  if (outcome == 99) {
    WARN("skipped: this user may not mount");
    return;
  }
  CHECK(outcome == 0);
}

// A test case below runs this one under strace in a separate process. Exits with 40 if all was
// written, 41 if a write failed and the next one worked, 42 if the next one failed too, 43 if the
// journal could not be opened.
TEST_CASE("append under faults", "[.fault]") {
  const char* path = std::getenv("MOONLET_FAULT_DIR");
  if (path == nullptr) return;
  auto dir = Dir::open(path);
  JournalDriver driver;
  if (!driver.open(*dir).message.empty()) std::_Exit(43);
  const auto first = driver.append("{\"first\":true}");
  const auto second = driver.append("{\"second\":true}");
  if (!first && !contains(first.error().message, "steps.jsonl")) std::_Exit(44);
  std::_Exit(first.ok() && second.ok() ? 40 : second.ok() ? 41 : 42);
}

TEST_CASE("every system call of an append may fail or be interrupted", "[linux]") {
  char self[4096];
  const auto size = ::readlink("/proc/self/exe", self, sizeof self - 1);
  REQUIRE(size > 0);
  self[size] = 0;
  struct Fault {
    const char* inject;
    int exit;
    std::uint64_t records;  // the records that are found afterwards
  };
  const Fault faults[] = {
      {"fdatasync:error=EIO:when=1", 42, 0},
      {"fdatasync:error=ENOSPC:when=1", 42, 0},
      {"fdatasync:error=EINTR:when=1", 40, 2},
      {"fdatasync:signal=KILL:when=1", 1000 + SIGKILL, 1},
      {"fsync:error=EIO:when=1", 43, 0},
      {"fsync:error=EINTR:when=1..4", 40, 2},
      {"flock:error=EINTR:when=1..2", 40, 2},
      {"flock:error=ENOLCK:when=1", 43, 0},
      {"openat2:error=EMFILE:when=1..9", 43, 0},
      {"openat2:error=ENOSYS", 40, 2},
      {"ftruncate:error=EIO:when=1", 43, 0},
      {"write:error=ENOSPC:when=1", 41, 1},
      {"write:error=ENOSPC:when=1..2", 42, 0},
      {"write:error=EIO:when=1", 41, 1},
      {"write:error=EINTR:when=1", 40, 2},
      {"write:signal=KILL:when=1", 1000 + SIGKILL, 0},
      {"write:signal=KILL:when=2", 1000 + SIGKILL, 1},
      {"write:retval=10:when=1", 41, 1},  // the call reports 10 bytes and writes none
  };
  for (const auto& fault : faults) {
    const std::string_view inject = fault.inject;
    JournalRun run;
    // Injects only into writes to the journal.
    const std::string only = inject.substr(0, 6) == "write:" ? " -P '" + run.file() + "' " : "";
    ::setenv("MOONLET_FAULT_DIR", run.path().c_str(), 1);
    const std::string command = "ASAN_OPTIONS=detect_leaks=0 exec strace -f -o /dev/null " + only +
                                "-e "
                                "trace=fsync,fdatasync,write,ftruncate,flock,openat2 -e inject=" +
                                std::string(inject) + " '" + self +
                                "' 'append under faults' >/dev/null 2>&1";
    const int status = std::system(command.c_str());
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    ::unsetenv("MOONLET_FAULT_DIR");
    if (code == 127 || code == 1) {
      WARN("skipped: strace is not installed or may not trace");
      return;
    }
    INFO(fault.inject << " ended with " << code);
    CHECK(code == fault.exit);
    const auto report = verify_journal(run.dir()).value();
    CHECK(report.records == fault.records);
    CHECK_FALSE(report.damage);
    CHECK(report.torn_bytes == 0);
    JournalDriver driver;
    CHECK(driver.open(run.dir()).message.empty());
    CHECK(driver.append("{}").ok());
    CHECK(entries_in(run.path()) == 2);
  }
}

TEST_CASE("a driver that is stopped and taken over writes nothing any more", "[linux]") {
  const int count = rounds(40, 1000);
  std::mt19937 random(20261121);
  for (int round = 0; round < count; ++round) {
    JournalRun run(memory_folder());
    SharedCount durable;
    const auto seed = random();
    const std::uint64_t wanted = 1 + random() % 60;
    const pid_t old = ::fork();
    if (old == 0) {
      std::mt19937 own(seed);
      const auto error = append_for_ever(run.dir(), *durable, own);
      ::_exit(error.kind == ErrorKind::kDenied &&
                      contains(error.message, "another moonlet (pid " +
                                                  std::to_string(::getppid()) + ") has taken over")
                  ? 0
                  : 1);
    }
    while ((*durable).load() < wanted) {
    }
    ::kill(old, SIGSTOP);
    int status = 0;
    ::waitpid(old, &status, WUNTRACED);
    const std::uint64_t told = (*durable).load();

    JournalDriver driver;
    INFO("round " << round << ", " << told << " told");
    REQUIRE(driver.open(run.dir(), TakeOver::kStopped).message.empty());
    const auto read = driver.seen.size();
    CHECK(read >= told);
    REQUIRE(driver.append("{\"new\":1}").ok());
    ::kill(old, SIGCONT);
    REQUIRE(driver.append("{\"new\":2}").ok());
    while (::waitpid(old, &status, 0) < 0) {
    }
    CHECK(status == 0);
    REQUIRE(driver.append("{\"new\":3}").ok());
    // The stopped process reported no record durable that its successor has not read.
    CHECK((*durable).load() <= read);
    driver.journal.reset();
    const auto report = verify_journal(run.dir()).value();
    CHECK(report.records == read + 3);
    CHECK(report.fenced == 0);
    CHECK_FALSE(report.damage);
    CHECK(report.torn_bytes == 0);
  }
}
#endif

TEST_CASE("a driver that is killed at random loses nothing that was durable") {
  const int count = rounds(40, 1000);
  std::mt19937 random(20261122);
  JournalRun run(memory_folder());
  std::size_t had = 0;
  std::uint64_t torn = 0;
  for (int round = 0; round < count; ++round) {
    SharedCount durable;
    const auto seed = random();
    const std::uint64_t wanted = had + 1 + random() % 60;
    const auto spin = random() % 20'000;
    const pid_t child = ::fork();
    if (child == 0) {
      std::mt19937 own(seed);
      (void)append_for_ever(run.dir(), *durable, own);
      ::_exit(1);
    }
    while ((*durable).load() < wanted) {
    }
    for (std::atomic<unsigned> i{0}; i < spin; ++i) {
    }
    ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
    }
    REQUIRE(WIFSIGNALED(status));
    const auto before = verify_journal(run.dir()).value();
    torn += before.torn_bytes > 0 ? 1 : 0;
    CHECK_FALSE(before.damage);
    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    CHECK(driver.seen.size() == before.records);
    CHECK(before.records >= (*durable).load());
    had = driver.seen.size();
    if (had > 3000) {
      driver.journal.reset();
      REQUIRE(run.dir().remove_file(kJournalName).ok());
      had = 0;
    }
  }
  INFO(torn << " torn ends in " << count << " kills");
  CHECK(verify_journal(run.dir())->damage == std::nullopt);
}

// Prints times, to be compared with those of the disk.
TEST_CASE("figures of the journal", "[.bench]") {
  using Time = std::chrono::steady_clock;
  const auto ms_since = [](Time::time_point start) {
    return std::chrono::duration<double, std::milli>(Time::now() - start).count();
  };
  JournalRun run;
  constexpr int kRecords = 10'000;
  const std::string body = "{\"text\":\"" + std::string(900, 'x') + "\"}";
  {
    JournalDriver driver;
    REQUIRE(driver.open(run.dir()).message.empty());
    const auto start = Time::now();
    int added = 0, completed = 0;
    std::function<void()> more = [&] {
      ++completed;
      if (added < kRecords) {
        ++added;
        driver.journal->append(body)->on_complete(more);
      }
    };
    for (; added < 64; ++added) driver.journal->append(body)->on_complete(more);
    while (completed < kRecords) driver.loop.run_once();
    const double ms = ms_since(start);
    WARN(kRecords << " records of 0.9 KB, 64 in flight: " << ms << " ms, " << ms / kRecords
                  << " ms a record");
    const auto alone = Time::now();
    for (int i = 0; i < 1000; ++i) REQUIRE(driver.append(body).ok());
    WARN("1000 records one after the other: " << ms_since(alone) / 1000 << " ms a record");
  }
  for (int i = 0; i < 3; ++i) {
    JournalDriver driver;
    const auto start = Time::now();
    REQUIRE(driver.open(run.dir()).message.empty());
    WARN(driver.seen.size() << " records opened in " << ms_since(start) << " ms");
  }
}
