// Tests that a write which the system refuses in part leaves the old file and no other.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

enum Outcome { kFine, kNoError, kOldLost, kLeftover, kSkipped, kWrongError };

Outcome overwrite(const std::string& path, std::size_t size, const char* expected) {
  auto dir = Dir::open(path);
  if (!dir) return kWrongError;
  const auto result = dir->write_file("file", std::string(size, 'n'), Durable::kYes);
  if (result.ok()) return kNoError;
  if (result.error().message.find(expected) == std::string::npos) return kWrongError;
  if (slurp(path + "/file") != "old") return kOldLost;
  return entries_in(path) == 1 ? kFine : kLeftover;
}

}  // namespace

TEST_CASE("a file size limit leaves the old file") {
  Scratch scratch;
  spit(scratch / "file", "old");
  const int outcome = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return overwrite(scratch.path(), 1'000'000, "File too large");
  });
  CHECK(outcome == kFine);
}

#ifdef __linux__
TEST_CASE("a full disk leaves the old file") {
  Scratch scratch;
  const int outcome = in_child([&] {
    if (!mount_tmpfs(scratch.path(), "size=256k")) return kSkipped;
    spit(scratch / "file", "old");
    return overwrite(scratch.path(), 1'000'000, "ENOSPC");
  });
  if (outcome == kSkipped) {
    WARN("skipped: this user may not mount");
    return;
  }
  CHECK(outcome == kFine);
}

TEST_CASE("a read-only file system is one clear error") {
  Scratch scratch;
  spit(scratch / "file", "old");
  const int outcome = in_child([&] {
    const char* path = scratch.path().c_str();
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(path, path, nullptr, MS_BIND, nullptr) != 0 ||
        ::mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      return kSkipped;
    }
    return overwrite(scratch.path(), 10, "EROFS");
  });
  if (outcome == kSkipped) {
    WARN("skipped: this user may not mount");
    return;
  }
  CHECK(outcome == kFine);
}

// A test case below runs this one under strace in a separate process.
TEST_CASE("overwrite a file under faults", "[.fault]") {
  const char* path = std::getenv("MOONLET_FAULT_DIR");
  if (path == nullptr) return;
  auto dir = Dir::open(path);
  REQUIRE(dir);
  const auto result = dir->write_file("file", std::string(100'000, 'n'), Durable::kYes);
  std::_Exit(result.ok() ? 42 : 43);
}

TEST_CASE("every system call of a write may fail or be interrupted") {
  char self[4096];
  const auto size = ::readlink("/proc/self/exe", self, sizeof self - 1);
  REQUIRE(size > 0);
  self[size] = 0;
  struct Fault {
    const char* inject;
    bool must_fail;
  };
  // Injects only into system calls that the start of a program does not make, or makes at known
  // times.
  const Fault faults[] = {
      {"fsync:error=EIO:when=1", true},    {"fsync:error=ENOSPC:when=1", true},
      {"fsync:error=EINTR:when=1", false}, {"write:error=ENOSPC:when=1", true},
      {"write:error=EINTR:when=1", false}, {"write:retval=1000:when=1", false},
      {"renameat:error=EIO:when=1", true}, {"renameat:error=EDQUOT:when=1", true},
      {"openat2:error=ENOSYS", false},     {"openat2:error=EAGAIN:when=1..3", false},
      {"fsync:signal=KILL:when=1", true},  {"renameat:signal=KILL:when=1", true},
      {"write:signal=KILL:when=1", true},
  };
  for (const auto& fault : faults) {
    // The sanitizers write first, an unknown number of times.
    if (kSanitized && std::string_view(fault.inject).substr(0, 6) == "write:") continue;
    Scratch scratch;
    spit(scratch / "file", "old");
    ::setenv("MOONLET_FAULT_DIR", scratch.path().c_str(), 1);
    const std::string command =
        "ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=fsync,write,renameat,openat2 "
        "-e inject=" +
        std::string(fault.inject) + " '" + self +
        "' 'overwrite a file under faults' >/dev/null 2>&1";
    const int status = std::system(command.c_str());
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    ::unsetenv("MOONLET_FAULT_DIR");
    if (code == 127 || code == 1) {
      WARN("skipped: strace is not installed or may not trace");
      return;
    }
    INFO(fault.inject << " ended with " << code);
    const bool killed = std::string(fault.inject).find("KILL") != std::string::npos;
    const std::string now = slurp(scratch / "file");
    if (fault.must_fail) {
      CHECK((killed ? code != 42 : code == 43));
      CHECK(now == "old");
    } else {
      CHECK(code == 42);
      CHECK(now.size() >= 99'000);
    }
    if (killed) Dir::open(scratch.path())->sweep_temporaries();
    CHECK(entries_in(scratch.path()) == 1);
  }
}
#endif
