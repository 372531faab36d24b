// Tests the driver of a run when a system call fails, or when the lock is lost just before a call.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "host/driver/run_driver.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"
#include "tests/places.h"

#if defined(__linux__) && defined(SYS_renameat)

using namespace moonlet;
using namespace moonlet::test;

namespace {

/// Called before each system call of this thread that changes a file. Returns 0, or the errno to
/// fail with.
thread_local std::function<int()> before_change;

bool fails() {
  if (!before_change) return false;
  const int number = before_change();
  if (number != 0) errno = number;
  return number != 0;
}

/// Calls `act` just before this thread's `call`-th change of a file; the first is 1.
class AtCall {
 public:
  AtCall(int call, std::function<int()> act) {
    before_change = [this, call, act = std::move(act)] { return ++calls_ == call ? act() : 0; };
  }
  ~AtCall() { before_change = nullptr; }
  AtCall(const AtCall&) = delete;
  AtCall& operator=(const AtCall&) = delete;
  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

struct Place {
  Scratch scratch;
  SystemClock clock;
  Loop loop{clock};
  Home home = std::move(*Home::find(scratch.path()));
  Bus bus{Redactor({}, {}), clock};
  std::unique_ptr<RunDriver> run;

  Place() {
    RunDriver::Host host{loop, clock, places::kKeeperProgram, LiveIndex(scratch / "state"), [] {}};
    run = std::move(*RunDriver::create(std::move(host), home, {"p", "task", ""}));
    for (const auto& [name, text] : {std::pair("old", "old"), std::pair("place", "old")}) {
      REQUIRE(run->write(name, text, Durable::kYes).ok());
    }
    REQUIRE(run->write_record("old").ok());
  }
  ~Place() { run.reset(); }
  std::string path(const std::string& below) const { return scratch / ".agent/" + below; }
  std::string read(const std::string& below) const {
    const std::string file = path(below);
    return std::filesystem::exists(file) ? slurp(file) : "none";
  }
  bool has(const std::string& below) const { return std::filesystem::exists(path(below)); }
};

/// An operation that writes, with checks whether its old or its new result is there.
struct Change {
  const char* name;
  std::function<Result<void>(Place&)> run;
  std::function<bool(const Place&)> is_old, is_new;
};

const Change kChanges[] = {
    {"write_record", [](Place& at) { return at.run->write_record("new"); },
     [](const Place& at) { return at.read("runs/R-001/run.json") == "old"; },
     [](const Place& at) { return at.read("runs/R-001/run.json") == "new"; }},
    {"write durably", [](Place& at) { return at.run->write("place", "new", Durable::kYes); },
     [](const Place& at) { return at.read("place") == "old"; },
     [](const Place& at) { return at.read("place") == "new"; }},
    {"write", [](Place& at) { return at.run->write("place", "new", Durable::kNo); },
     [](const Place& at) { return at.read("place") == "old"; },
     [](const Place& at) { return at.read("place") == "new"; }},
    {"make_dirs", [](Place& at) { return at.run->make_dirs("a/b", Durable::kYes); },
     [](const Place& at) { return !at.has("a/b"); }, [](const Place& at) { return at.has("a/b"); }},
    {"remove", [](Place& at) { return at.run->remove("old"); },
     [](const Place& at) { return at.has("old"); }, [](const Place& at) { return !at.has("old"); }},
    {"rename",
     [](Place& at) -> Result<void> {
       auto renamed = at.run->rename("old", "renamed");
       return renamed ? Result<void>() : renamed.error();
     },
     [](const Place& at) { return at.has("old"); },
     [](const Place& at) { return at.has("renamed") && !at.has("old"); }},
    {"write_value", [](Place& at) { return at.run->write_value("v", "new", Durable::kYes); },
     [](const Place& at) { return !at.has("runs/R-001/values/v"); },
     [](const Place& at) { return at.read("runs/R-001/values/v") == "new"; }},
    {"key",
     [](Place& at) -> Result<void> {
       auto key = at.run->key();
       return key ? Result<void>() : key.error();
     },
     [](const Place& at) { return !at.has("runs/R-001/key"); },
     [](const Place& at) { return at.has("runs/R-001/key"); }},
};

int calls_of(const Change& operation) {
  Place place;
  AtCall count(0, [] { return 0; });
  REQUIRE(operation.run(place).ok());
  REQUIRE(count.calls() > 0);
  return count.calls();
}

}  // namespace

// These functions replace the C library's in the whole test program.
extern "C" {
ssize_t write(int fd, const void* bytes, size_t size) {
  if (fails()) return -1;
  return syscall(SYS_write, fd, bytes, size);
}
int fsync(int fd) { return fails() ? -1 : static_cast<int>(syscall(SYS_fsync, fd)); }
int renameat(int from_dir, const char* from, int to_dir, const char* to) noexcept {
  if (fails()) return -1;
  return static_cast<int>(syscall(SYS_renameat, from_dir, from, to_dir, to));
}
int mkdirat(int dir, const char* path, mode_t mode) noexcept {
  return fails() ? -1 : static_cast<int>(syscall(SYS_mkdirat, dir, path, mode));
}
int unlinkat(int dir, const char* path, int flags) noexcept {
  return fails() ? -1 : static_cast<int>(syscall(SYS_unlinkat, dir, path, flags));
}
}

TEST_CASE("a system call that fails in an operation of a driver leaves the old state or the new") {
  for (const Change& operation : kChanges) {
    const int calls = calls_of(operation);
    for (int call = 1; call <= calls; ++call) {
      INFO(operation.name << ", call " << call << " of " << calls);
      Place place;
      bool ok = false;
      {
        AtCall fault(call, [] { return ENOSPC; });
        ok = operation.run(place).ok();
      }
      CHECK((ok ? operation.is_new(place) : operation.is_old(place) || operation.is_new(place)));
      CHECK(place.read("runs/R-001/run.json") != "");
      const bool again = operation.run(place).ok();
      CHECK(again);
      CHECK(operation.is_new(place));
    }
  }
}

TEST_CASE(
    "a driver whose lock goes away in the middle of an operation completes it or changes nothing") {
  for (const Change& operation : kChanges) {
    const int calls = calls_of(operation);
    for (int call = 1; call <= calls; ++call) {
      INFO(operation.name << ", call " << call << " of " << calls);
      Place place;
      Result<void> result;
      {
        AtCall taken(call, [&place] {
          std::filesystem::remove(place.path("runs/R-001/lock"));
          return 0;
        });
        result = operation.run(place);
      }
      // An operation that checked the lock before it was taken away may complete; no later one may.
      if (result) {
        CHECK(operation.is_new(place));
      } else {
        CHECK(result.error().kind == ErrorKind::kDenied);
        CHECK(operation.is_old(place));
      }
      CHECK(place.run->write("later", "x", Durable::kYes).error().kind == ErrorKind::kDenied);
      CHECK_FALSE(place.has("later"));
    }
  }
}

#endif
