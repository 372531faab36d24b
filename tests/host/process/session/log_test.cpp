#include "host/process/session/log.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;

namespace {

/// Limits the files of this process to `bytes` during its lifetime, to simulate a full disk.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() { lift(); }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;
  void lift() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

const std::string kFirst = SessionLog::piece_name(0, "log");
// The system's message for a file at its limit (EFBIG).
const std::string kWhy = "File too large";

struct Log {
  test::RunFolder folder;
  SessionLog log;
  explicit Log(std::uint64_t cap = 0) {
    const auto opened = log.open(folder.fd(), cap, 0, {24, 80});
    REQUIRE(opened.ok());
  }
  std::string text() const { return folder.read(kFirst); }
};

}  // namespace

TEST_CASE("output that a full disk refuses for a moment is written later, without a loss") {
  Log own;
  {
    const FileLimit limit(1000);
    own.log.append(std::string(900, 'a'), 1);
    own.log.append(std::string(5000, 'b'), 2);
  }
  CHECK(own.text().size() == 1000);
  CHECK(own.log.waiting() == 4900);
  CHECK(own.log.lost() == 0);
  own.log.retry();
  CHECK(own.log.waiting() == 0);
  own.log.append("end", 3);
  own.log.finish(4);
  CHECK(own.text() == std::string(900, 'a') + std::string(5000, 'b') + "end");
  CHECK(own.log.take_holes().empty());
}

TEST_CASE("a log notes how much a full disk took from it, where it was, and keeps the newest") {
  Log own;
  const std::string flood(SessionLog::kMostWaiting + 30000, 'x');
  {
    const FileLimit limit(1000);
    own.log.append("start\n", 1);
    own.log.append(flood, 2);
    own.log.append("\n[QUESTION] which?\n", 3);
  }
  const std::uint64_t lost = flood.size() - 994;
  CHECK(own.log.lost() == lost);
  CHECK(own.log.take_holes().empty());
  own.log.append("more\n", 4);
  own.log.finish(5);
  const std::string note =
      "\r\n[moonlet: " + std::to_string(lost) + " bytes are missing here: " + kWhy + "]";
  CHECK(own.text() == "start\n" + std::string(994, 'x') + note + "\n[QUESTION] which?\nmore\n");
  const auto holes = own.log.take_holes();
  REQUIRE(holes.size() == 1);
  CHECK(holes[0].offset == 1000);
  CHECK(holes[0].bytes == lost);
  CHECK(own.log.end() == own.text().size());
  CHECK(own.log.printed() == 6 + flood.size() + 19 + 5);
}

TEST_CASE("on a full disk the end of a log says how many bytes need room") {
  Log own;
  std::uint64_t asked = 0;
  // The limit would hold for the test's output too, so nothing is checked while it is in force.
  FileLimit limit(10);
  own.log.append("0123456789abc", 1);
  own.log.finish(2, [&](std::uint64_t bytes) {
    asked = bytes;
    limit.lift();
    return true;
  });
  CHECK(own.text() == "0123456789abc");
  CHECK(own.log.lost() == 0);
  CHECK(asked >= 3);
}

TEST_CASE("on a full disk the end of a log counts the bytes that were lost") {
  Log own;
  std::uint64_t asked = 0;
  FileLimit limit(10);
  own.log.append("0123456789abc", 1);
  own.log.finish(2, [&](std::uint64_t bytes) {
    asked = bytes;
    return false;
  });
  limit.lift();
  CHECK(own.text() == "0123456789");
  CHECK(own.log.lost() == 3);
  const auto holes = own.log.take_holes();
  REQUIRE(holes.size() == 1);
  CHECK(holes[0].offset == 10);
  CHECK(asked >= 3);
}

TEST_CASE("a note about lost output is written whole or not at all") {
  Log own;
  {
    const FileLimit limit(1000);
    own.log.append(std::string(1000, 'a') + std::string(SessionLog::kMostWaiting + 7, 'b'), 1);
    CHECK(own.log.lost() == 7);
  }
  {
    const FileLimit limit(1010);
    own.log.retry();
    CHECK(own.text() == std::string(1000, 'a'));
  }
  own.log.finish(2);
  CHECK(own.text().find("7 bytes are missing here") != std::string::npos);
  CHECK(own.log.lost() == 7);
}

TEST_CASE("the log of a session whose folder was removed does not fill the disk") {
  Log own(32768);  // in pieces of 4096 bytes
  const int piece = openat(own.folder.fd(), kFirst.c_str(), O_RDONLY);
  REQUIRE(piece >= 0);
  const Fd held(piece);
  for (const char* ending : {"log", "times"}) {
    REQUIRE(unlinkat(own.folder.fd(), SessionLog::piece_name(0, ending).c_str(), 0) == 0);
  }
  REQUIRE(::rmdir(own.folder.path().c_str()) == 0);
  for (int i = 0; i < 10; ++i) own.log.append(std::string(4096, 'x'), i);
  CHECK(lseek(held.get(), 0, SEEK_END) <= 4096);
  CHECK(own.log.end() == 40960);
  CHECK(own.log.lost() == 0);
}
