#include "host/process/wire/keeper_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;
using State = LoggedChild::State;

namespace {

void append(const RunFolder& folder, const std::string& text) {
  auto fd = open_keeper_log(folder.fd(), false);
  REQUIRE(fd);
  REQUIRE(write(*fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(*fd);
}

std::string start(std::uint32_t number, pid_t pid) {
  StartLine line = start_line(number, "step", "try 1", 100, 200, 300);
  return line.prefix + std::to_string(pid) + line.suffix;
}

KeeperRecord record() {
  KeeperRecord record;
  record.token = "abc";
  record.boot_id = "boot-1";
  return record;
}

// Limits the files of this process, to simulate a full disk.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    before_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit_);
    rlimit lower{bytes, limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &lower);
  }
  ~FileLimit() { lift(); }
  void lift() {
    setrlimit(RLIMIT_FSIZE, &limit_);
    signal(SIGXFSZ, before_);
  }

 private:
  rlimit limit_{};
  void (*before_)(int);
};

}  // namespace

TEST_CASE("every record is one line of JSON, whatever the names hold") {
  std::string nasty("\"\\\n\x01\x7f caf\xc3\xa9 \xff\xc0\xaf\xed\xa0\x80", 19);
  ChildExit exit;
  exit.why = ChildExit::Why::kExited;
  exit.code = 3;
  exit.error.message = nasty;
  exit.error.hint = exit.error.at = nasty;
  exit.out.cut = true;
  KeeperRecord keeper = record();
  keeper.run_id = nasty;
  for (const std::string& line :
       {keeper_line(keeper), host_line(UINT64_MAX, 7),
        intent_line(1, nasty, nasty, nasty + '\0' + nasty + '\0'), start(1, 5),
        reaped_line(1, 0, 9), exit_line(1, exit, 7), lost_line(1, nasty, 7), swept_line(5, 1, 7),
        end_line(nasty, 7)}) {
    INFO(line);
    REQUIRE(line.back() == '\n');
    CHECK(line.find('\n') == line.size() - 1);
    CHECK(nlohmann::json::parse(line, nullptr, false).is_object());
  }
}

TEST_CASE("long arguments are capped in the log") {
  std::string argv;
  for (int i = 0; i < 1000; ++i) argv += std::string(100, 'a') + '\0';
  auto line = intent_line(1, "s", "a", argv);
  CHECK(line.size() < 5000);
  CHECK(nlohmann::json::parse(line)["more"].get<int>() > 90000);
}

TEST_CASE("the reader follows each child to the last that is known of it") {
  RunFolder folder;
  CHECK(read_keeper_log(folder.fd())->empty());
  ChildExit exit;
  exit.why = ChildExit::Why::kWall;
  exit.signal = 15;
  std::string log = keeper_line(record());
  for (std::uint32_t n = 1; n <= 6; ++n)
    log += intent_line(n, "step", "try 1", std::string("a\0", 2));
  for (std::uint32_t n = 2; n <= 6; ++n) log += start(n, static_cast<pid_t>(n) + 100);
  log += reaped_line(3, 1, 0) + exit_line(4, exit, 5) + lost_line(5, "why", 5);
  append(folder, log);
  auto keepers = read_keeper_log(folder.fd());
  REQUIRE(keepers);
  REQUIRE(keepers->size() == 1);
  const LoggedKeeper& keeper = keepers->front();
  const State expected[] = {State::kIntent, State::kStarted, State::kReaped,
                            State::kExited, State::kLost,    State::kStarted};
  for (std::uint32_t n = 1; n <= 6; ++n) {
    const LoggedChild& child = keeper.children.at(n);
    CHECK(child.state == expected[n - 1]);
    CHECK(child.pid == (n == 1 ? 0 : static_cast<pid_t>(n) + 100));
    // A start is recorded before its program runs. A crash of the machine may lose the record.
    CHECK(keeper.may_have_started(child, "boot-1") == (n != 1));
    CHECK(keeper.may_have_started(child, "boot-2"));
  }
  CHECK(keeper.children.at(4).exit.why == ChildExit::Why::kWall);
  CHECK(keeper.children.at(6).born_ms == 100);
  CHECK(keeper.children.at(6).deadline_ms == 300);
  CHECK_FALSE(keeper.ended);
  auto live = read_keeper_log(folder.fd(), true);
  CHECK(live->front().children.size() == 4);
}

TEST_CASE("torn, strange and foreign lines are skipped") {
  RunFolder folder;
  append(folder, "{\"record\":\"start\",\"n\":1}\n");  // no keeper record precedes it
  append(folder, keeper_line(record()));
  for (const std::string& bad :
       {std::string("\n"), std::string("null\n"), std::string("[1]\n"), std::string("{\"rec\n"),
        std::string("\xff\xfe\0\n", 4), std::string(100000, '[') + "\n",
        std::string(1 << 20, 'x') + "\n", std::string("{\"record\":7}\n"),
        std::string("{\"record\":\"start\",\"n\":\"1\"}\n"),
        std::string("{\"record\":\"start\",\"n\":-1}\n"),
        std::string("{\"record\":\"start\",\"n\":99999999999}\n"),
        std::string("{\"record\":\"new kind\",\"n\":1}\n")}) {
    append(folder, bad);
  }
  append(folder, start(1, 50));
  append(folder,
         "{\"record\":\"start\",\"n\":2,\"pid\":-1}\n{\"record\":\"start\",\"n\":3,\"pid\":1}\n");
  append(folder, "{\"record\":\"exit\",\"n\":1,\"wh");
  auto keepers = read_keeper_log(folder.fd());
  REQUIRE(keepers);
  REQUIRE(keepers->size() == 1);
  CHECK(keepers->front().children.at(1).state == State::kStarted);
  // The pids -1 and 1 are rejected, because kill() would hit unrelated processes.
  CHECK(keepers->front().children.at(2).pid == 0);
  CHECK(keepers->front().children.at(3).pid == 0);
}

TEST_CASE("a full disk refuses records that must be durable, and loses no event") {
  RunFolder folder;
  auto fd = open_keeper_log(folder.fd(), true);
  REQUIRE(fd);
  KeeperLogWriter log(*fd);
  log.add(keeper_line(record()));
  REQUIRE(log.flush(true));
  {
    FileLimit limit(folder.read(kKeeperLogName).size() + 30);
    auto refused = log.append(intent_line(1, "refused", "", ""), true);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("keeper.log") != std::string::npos);
    log.add(lost_line(2, "kept", 5));
    CHECK_FALSE(log.flush(true));
    CHECK(log.waiting());
    CHECK_FALSE(log.append(intent_line(3, "refused", "", ""), true));
  }
  REQUIRE(log.flush(true));
  REQUIRE(log.append(intent_line(4, "fine", "", ""), true));
  auto keepers = read_keeper_log(folder.fd());
  REQUIRE(keepers);
  const auto& children = keepers->front().children;
  CHECK(children.count(1) == 0);
  CHECK(children.at(2).state == State::kLost);
  CHECK(children.count(3) == 0);
  CHECK(children.at(4).step == "fine");
  close(*fd);
}

TEST_CASE("a torn line of a killed keeper spoils no record of the next keeper") {
  for (const std::string& left : {std::string(), std::string("{\"rec"), std::string(7, '\0')}) {
    RunFolder folder;
    append(folder, keeper_line(record()));
    append(folder, end_line("host gone", 5) + left);
    auto fd = open_keeper_log(folder.fd(), true);
    REQUIRE(fd);
    KeeperLogWriter log(*fd);
    log.add(keeper_line(record()));
    REQUIRE(log.flush(true));
    CHECK(read_keeper_log(folder.fd())->size() == 2);
    CHECK(folder.read(kKeeperLogName).find("\n\n") == std::string::npos);
    close(*fd);
  }
}

TEST_CASE("the lock has one holder at a time") {
  RunFolder folder;
  auto first = open_keeper_log(folder.fd(), true);
  REQUIRE(first);
  auto second = open_keeper_log(folder.fd(), true);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::kDenied);
  close(*first);
  auto third = open_keeper_log(folder.fd(), true);
  REQUIRE(third);
  close(*third);
}
