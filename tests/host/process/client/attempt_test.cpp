#include "host/process/client/attempt.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;
using State = KeptAttempt::State;
using Why = ChildExit::Why;

namespace {

std::string keeper(const std::string& token, std::uint64_t generation = 0) {
  KeeperRecord record;
  record.token = token;
  record.boot_id = "boot-1";
  record.generation = generation;
  return keeper_line(record);
}

std::string intent(std::uint32_t number, const std::string& step, const std::string& attempt) {
  return intent_line(number, step, attempt, std::string("tool\0", 5));
}

std::string start(std::uint32_t number, const std::string& step, const std::string& attempt) {
  StartLine line = start_line(number, step, attempt, 100, 200, 300);
  return intent(number, step, attempt) + line.prefix + std::to_string(1000 + number) + line.suffix;
}

std::string exited(std::uint32_t number, Why why, int code = 0) {
  ChildExit exit;
  exit.why = why;
  exit.code = code;
  return exit_line(number, exit, 7);
}

class Log {
 public:
  explicit Log(const std::string& text) {
    auto fd = open_keeper_log(folder_.fd(), false);
    REQUIRE(fd);
    REQUIRE(write(*fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(*fd);
    auto keepers = read_keeper_log(folder_.fd());
    REQUIRE(keepers);
    keepers_ = std::move(*keepers);
  }
  KeptAttempt find(const std::string& step, const std::string& attempt, bool alive = false,
                   const std::string& boot = "boot-1") const {
    return find_attempt(keepers_, step, attempt, alive, boot);
  }
  int fd() const { return folder_.fd(); }

 private:
  RunFolder folder_;
  std::vector<LoggedKeeper> keepers_;
};

}  // namespace

TEST_CASE("an attempt is never started, running, exited or lost") {
  Log log(keeper("k") + intent(1, "s", "intent") + start(2, "s", "started") +
          start(3, "s", "reaped") + reaped_line(3, 5, 0) + start(4, "s", "exited") +
          exited(4, Why::kExited, 7) + start(5, "s", "lost") + lost_line(5, "worker died", 7) +
          intent(6, "s", "refused") + exited(6, Why::kNotStarted));
  CHECK(log.find("s", "other").state == State::kNotStarted);
  CHECK(log.find("s", "other").number == 0);
  CHECK(log.find("other", "exited").state == State::kNotStarted);
  for (bool alive : {false, true}) {
    INFO(alive);
    CHECK(log.find("s", "intent", alive).state == (alive ? State::kRunning : State::kNotStarted));
    CHECK(log.find("s", "started", alive).state == (alive ? State::kRunning : State::kLost));
    CHECK(log.find("s", "reaped", alive).state == (alive ? State::kRunning : State::kLost));
    const KeptAttempt exit = log.find("s", "exited", alive);
    CHECK(exit.state == State::kExited);
    CHECK(exit.exit.code == 7);
    CHECK(exit.pid == 1004);
    CHECK(exit.number == 4);
    CHECK(exit.token == "k");
    CHECK(log.find("s", "lost", alive).state == State::kLost);
    CHECK(log.find("s", "refused", alive).state == State::kNotStarted);
  }
  const KeptAttempt lost = log.find("s", "reaped");
  CHECK(lost.exit.why == Why::kLost);
  CHECK(lost.exit.error.kind == ErrorKind::kLost);
  CHECK(lost.exit.code == 5);
  CHECK(log.find("s", "lost").exit.error.message.find("worker died") != std::string::npos);
  // After a reboot an attempt with an intent is lost, and a start that was refused did not happen.
  CHECK(log.find("s", "intent", false, "boot-2").state == State::kLost);
  CHECK(log.find("s", "refused", false, "boot-2").state == State::kNotStarted);
  CHECK(log.find("s", "exited", false, "boot-2").state == State::kExited);
}

TEST_CASE("the newest run of an attempt counts, and a failed start hides no earlier run") {
  Log log(keeper("one") + start(1, "s", "a") + start(2, "s", "b") + exited(2, Why::kExited, 1) +
          start(3, "s", "b") + exited(3, Why::kExited, 2) + intent(4, "s", "b") +
          exited(4, Why::kNotStarted) + end_line("asked", 7) + keeper("two") + intent(1, "s", "a") +
          intent(2, "s", "c"));
  CHECK(log.find("s", "b").exit.code == 2);
  // Only the last keeper can still be running.
  CHECK(log.find("s", "b", true).state == State::kExited);
  CHECK(log.find("s", "a", true).state == State::kRunning);
  const KeptAttempt first = log.find("s", "a");
  CHECK(first.state == State::kLost);
  CHECK(first.token == "one");
  CHECK(log.find("s", "c").state == State::kNotStarted);
}

TEST_CASE("an attempt is found by whatever name it was given") {
  const std::string step = "caf\xc3\xa9 \xff\"\\\n" + std::string(5000, 's');
  const std::string attempt = std::string("a\0\xed\xa0\x80", 5);
  Log log(keeper("k") + start(1, step, attempt) + exited(1, Why::kExited, 9));
  CHECK(log.find(step, attempt).exit.code == 9);
  CHECK(log.find(step, "a").state == State::kNotStarted);
}

TEST_CASE("an exit is on record with all but its text") {
  ChildExit exit;
  exit.why = Why::kWall;
  exit.code = -1;
  exit.signal = 9;
  exit.error = {ErrorKind::kDenied, "message", "hint", "at"};
  exit.out = {"text", 1ull << 40, 12, true, 28};
  exit.err = {"", 9, 5, false, 5};
  exit.drained = false;
  exit.stragglers = 3;
  exit.out_in_time = 2;
  exit.duration_ms = 1ll << 40;
  exit.cpu_ms = 5;
  exit.max_rss_kb = 6;
  exit.pid = 77;
  for (int i = 0; i <= static_cast<int>(Why::kNotStarted); ++i) {
    exit.why = static_cast<Why>(i);
    Log log(keeper("k") + intent(1, "s", "a") + exit_line(1, exit, 7));
    const ChildExit back = log.find("s", "a").exit;
    CHECK(back.why == exit.why);
    CHECK(back.code == -1);
    CHECK(back.signal == 9);
    CHECK(back.error.kind == ErrorKind::kDenied);
    CHECK(back.error.message == "message");
    CHECK(back.error.hint == "hint");
    CHECK(back.error.at == "at");
    CHECK(back.out.text.empty());
    CHECK(back.out.total == 1ull << 40);
    CHECK(back.out.kept == 12);
    CHECK(back.out.cut);
    CHECK(back.out.write_errno == 28);
    CHECK(back.err.kept == 5);
    CHECK_FALSE(back.err.cut);
    CHECK(back.err.write_errno == 5);
    CHECK_FALSE(back.drained);
    CHECK(back.stragglers == 3);
    CHECK(back.out_in_time == 2);
    CHECK(back.duration_ms == 1ll << 40);
    CHECK(back.cpu_ms == 5);
    CHECK(back.max_rss_kb == 6);
    CHECK(back.pid == 77);
  }
}

TEST_CASE("exit records of older and newer keepers are read without the fields that are missing") {
  const std::string old =
      "{\"record\":\"exit\",\"n\":1,\"why\":\"exited\",\"code\":3,\"signal\":0,\"at\":1,\"ms\":2,"
      "\"cpu_ms\":3,\"rss_kb\":4,\"out\":50,\"err\":6,\"out_kept\":10}\n";
  const std::string strange =
      "{\"record\":\"exit\",\"n\":2,\"why\":\"evaporated\",\"code\":99999999999,\"out\":-5,"
      "\"err\":\"x\",\"error_kind\":7,\"pid\":-1}\n";
  Log log(keeper("k") + start(1, "s", "old") + old + start(2, "s", "strange") + strange);
  const KeptAttempt found = log.find("s", "old");
  CHECK(found.exit.code == 3);
  CHECK(found.exit.out.total == 50);
  CHECK(found.exit.out.kept == 10);
  CHECK(found.exit.out.cut);
  CHECK(found.exit.err.kept == 6);
  CHECK_FALSE(found.exit.err.cut);
  CHECK(found.exit.drained);
  CHECK(found.exit.pid == 1001);
  const KeptAttempt other = log.find("s", "strange");
  CHECK(other.state == State::kLost);
  CHECK(other.exit.error.message.find("evaporated") != std::string::npos);
  CHECK(other.exit.code == -1);
  CHECK(other.exit.out.total == 0);
}

TEST_CASE("a glance finds the host of the newest keeper") {
  RunFolder empty;
  CHECK(glance_at_keeper_log(empty.fd()).token.empty());
  Log log(keeper("one", 9) + end_line("asked", 1) + keeper("two", 3) + host_line(UINT64_MAX, 2) +
          start(1, "s", "a") + "{\"record\":\"host\",\"gen");
  const KeeperGlance glance = glance_at_keeper_log(log.fd());
  CHECK(glance.token == "two");
  CHECK(glance.generation == UINT64_MAX);
  CHECK_FALSE(glance.ended);
}
