#include "host/telemetry/sink.h"
#include "host/base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "host/base/text.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

const std::int64_t kWhen = 1795230720123;

Event event(EventType type, nlohmann::json fields, std::string step = {}) {
  return {type, kWhen, "R-007", std::move(step), std::move(fields)};
}

struct Pipe {
  int fds[2];
  Pipe() { REQUIRE(::pipe(fds) == 0); }
  ~Pipe() {
    close_reader();
    ::close(fds[1]);
  }
  void close_reader() {
    if (fds[0] >= 0) ::close(fds[0]);
    fds[0] = -1;
  }
  std::string drain() {
    std::string out;
    char buffer[65536];
    pollfd ready{fds[0], POLLIN, 0};
    while (::poll(&ready, 1, 0) > 0) {
      const auto got = ::read(fds[0], buffer, sizeof buffer);
      if (got <= 0) break;
      out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

nlohmann::json nested(int depth) {
  nlohmann::json value = "deep";
  for (int i = 0; i < depth; ++i) {
    auto outer = nlohmann::json::array();
    outer.push_back(std::move(value));
    value = std::move(outer);
  }
  return value;
}

}  // namespace

TEST_CASE("events are one readable line") {
  CHECK(to_line(event(EventType::kStepStarted, {{"runner", "codex"}, {"attempt", 1}},
                      "a/correct")) == "03:12:00Z step.started a/correct: attempt=1 runner=codex");
  CHECK(to_line(event(EventType::kStepStarted, {{"runner", "codex"}}, "src%2Fb.lua/100%/%1b")) ==
        "03:12:00Z step.started src/b.lua/100%/\\x1b: runner=codex");
  CHECK(to_line(event(EventType::kLog, {{"text", "two words"}, {"none", nullptr}})) ==
        "03:12:00Z log R-007: two words");
  CHECK(to_line(event(EventType::kBudget, {{"left", {{"usd", 1}}}})).empty());
  CHECK(to_line(event(EventType::kProgress, {{"name", "parallel"}, {"planned", 9}})).empty());
  // Fields that only programs read are left out of the line.
  CHECK(to_line(event(EventType::kStepFinished,
                      {{"status", "ok"},
                       {"usage", {{"total_tokens", 7}}},
                       {"attempts", 1},
                       {"taken_over", true},
                       {"error_kind", "failed"},
                       {"runner", "codex"},
                       {"asked", true},
                       {"paid", true}},
                      "a")) == "03:12:00Z step.finished a: status=ok");
  CHECK(to_line(event(EventType::kWarning, {{"text", "again"}, {"retry_in_ms", 5}})) ==
        "03:12:00Z warning R-007: again");
  CHECK(to_line(event(EventType::kLog, {{"text", "a\nb\x1b[31m\xff"}, {"k", "x y"}})) ==
        "03:12:00Z log R-007: a\\nb\\x1b[31m\\xff k=\"x y\"");
  CHECK(to_line(event(EventType::kLog, "bare")) == "03:12:00Z log R-007: bare");
  CHECK(to_line(event(EventType::kLog, nlohmann::json())) == "03:12:00Z log R-007");
  CHECK(to_line(event(EventType::kLog, {{"text", std::string(100'000, 'x')}})).size() < 2100);
}

TEST_CASE("JSON lines hold the event and nothing else") {
  Pipe pipe;
  JsonlSink sink(pipe.fds[1], "test");
  sink.emit(event(EventType::kWarning, {{"text", "a\nb\xff"}}, "s"));
  sink.emit({EventType::kLog, kWhen, {}, {}, nlohmann::json::object()});
  const auto lines = lines_of(pipe.drain());
  REQUIRE(lines.size() == 2);
  const auto first = nlohmann::json::parse(lines[0]);
  CHECK(first["type"] == "warning");
  CHECK(first["ts"] == "2026-11-21T03:12:00.123Z");
  CHECK(first["run"] == "R-007");
  CHECK(first["step"] == "s");
  CHECK(first["data"]["text"] == "a\nb\xef\xbf\xbd");
  CHECK_FALSE(nlohmann::json::parse(lines[1]).contains("run"));
}

TEST_CASE("a long line has its data cut and stays JSON") {
  Pipe pipe;
  JsonlSink sink(pipe.fds[1], "test", 4000);
  sink.emit(event(EventType::kLog, {{"text", std::string(3000, '\"')}}, std::string(9000, 's')));
  const auto value = nlohmann::json::parse(pipe.drain());
  CHECK(value["data"]["cut"] == true);
  CHECK(value["data"]["bytes"] > 6000);
  CHECK(value.dump().size() < 4000);
}

TEST_CASE("the bus redacts every string, keys and step names too") {
  Redactor redactor({{"KEY", "s3cr3t-value"}}, {});
  FakeClock clock(kWhen);
  Bus bus(redactor, clock);
  std::vector<Event> seen;
  CallbackSink sink([&](const Event& one) { seen.push_back(one); });
  bus.add(sink);
  nlohmann::json fields = {{"text", "is s3cr3t-value"},
                           {"list", {1, "s3cr3t-value", {{"s3cr3t-value", true}}}}};
  bus.emit({EventType::kLog, 0, "R-s3cr3t-value", "s3cr3t-value", fields});
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].wall_ms == kWhen);
  CHECK(to_json(seen[0]).dump().find("s3cr3t") == std::string::npos);
  CHECK(seen[0].fields["text"] == "is [redacted:KEY]");
  CHECK(seen[0].fields["list"][2]["[redacted:KEY]"] == true);
  CHECK(seen[0].fields["list"][0] == 1);
}

TEST_CASE("data of any depth passes the bus") {
  Redactor redactor;
  FakeClock clock(kWhen);
  Bus bus(redactor, clock);
  Pipe pipe;
  JsonlSink sink(pipe.fds[1], "test");
  bus.add(sink);
  Event deep{EventType::kLog, kWhen, {}, {}, nested(100'000)};
  bus.emit(deep);
  CHECK(pipe.drain().find("nested too deeply") != std::string::npos);
}

TEST_CASE("events that a sink emits follow, and a removed sink gets none") {
  Redactor redactor;
  FakeClock clock(kWhen);
  Bus bus(redactor, clock);
  std::vector<std::string> seen;
  CallbackSink sink([&](const Event& one) {
    seen.push_back(one.fields["text"]);
    if (seen.size() == 1) bus.emit(event(EventType::kLog, {{"text", "second"}}));
    seen.push_back("end");
  });
  bus.add(sink);
  bus.emit(event(EventType::kLog, {{"text", "first"}}));
  CHECK(seen == std::vector<std::string>{"first", "end", "second", "end"});
  bus.remove(sink);
  bus.emit(event(EventType::kLog, {{"text", "third"}}));
  CHECK(seen.size() == 4);
}

TEST_CASE("a callback that throws is reported once to the others and never called again") {
  Redactor redactor;
  FakeClock clock(kWhen);
  Bus bus(redactor, clock);
  int calls = 0;
  CallbackSink bad([&](const Event&) {
    ++calls;
    throw std::runtime_error("boom");
  });
  std::vector<std::string> texts;
  CallbackSink good([&](const Event& one) { texts.push_back(one.fields["text"]); });
  bus.add(bad);
  bus.add(good);
  for (int i = 0; i < 3; ++i) bus.emit(event(EventType::kLog, {{"text", "hello"}}));
  CHECK(calls == 1);
  REQUIRE(texts.size() == 4);
  CHECK(texts[1].find("boom") != std::string::npos);
}

TEST_CASE("a broken pipe is reported once and raises no signal") {
  Redactor redactor;
  FakeClock clock(kWhen);
  Bus bus(redactor, clock);
  Pipe pipe;
  int sockets[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  ::close(sockets[0]);
  JsonlSink plain(pipe.fds[1], "stdout");
  JsonlSink jsonl(sockets[1], "the socket");
  int warnings = 0;
  CallbackSink good([&](const Event& one) { warnings += one.type == EventType::kWarning; });
  bus.add(plain);
  bus.add(jsonl);
  bus.add(good);
  pipe.close_reader();
  // With SIG_DFL, a delivered SIGPIPE would end the test.
  REQUIRE(::signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  for (int i = 0; i < 3; ++i) bus.emit(event(EventType::kLog, {{"text", "hello"}}));
  CHECK(warnings == 2);
  sigset_t pending;
  sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
  ::close(sockets[1]);
}

TEST_CASE(
    "a reader that does not read blocks no writer, and learns the number of events it missed") {
  Pipe pipe;
  JsonlSink sink(pipe.fds[1], "stdout");
  const std::string text(10'000, 'x');
  for (int i = 0; i < 1000; ++i) sink.emit(event(EventType::kLog, {{"text", text}}));
  CHECK(sink.writer().pending());
  CHECK(sink.writer().dropped() > 100);
  std::string all;
  while (sink.writer().pending()) {
    all += pipe.drain();
    sink.writer().pump();
  }
  sink.flush(0);
  all += pipe.drain();
  const auto lines = lines_of(all);
  CHECK(lines.size() + sink.writer().dropped() == 1001);
  for (const auto& line : lines) REQUIRE(nlohmann::json::accept(line));
  CHECK(nlohmann::json::parse(lines.back())["data"]["dropped"] == sink.writer().dropped());
}

TEST_CASE("a flush ends at its deadline") {
  Pipe pipe;
  LineWriter writer(pipe.fds[1], "stdout");
  (void)writer.write(std::string(1 << 20, 'x'));
  writer.flush(0);
  CHECK(writer.pending());
  pipe.close_reader();
  writer.flush(1000);
  CHECK_FALSE(writer.pending());
  CHECK(writer.take_failure().has_value());
  CHECK_FALSE(writer.take_failure().has_value());
}

TEST_CASE("a full disk leaves whole lines only") {
  Scratch scratch;
  const auto path = scratch / "events.jsonl";
  const int outcome = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10'000, 10'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    JsonlSink sink(fd, path);
    for (int i = 0; i < 100; ++i)
      sink.emit(event(EventType::kLog, {{"text", std::string(300, 'x')}}));
    return sink.take_failure().has_value() && !sink.take_failure().has_value() ? 0 : 1;
  });
  CHECK(outcome == 0);
  const auto text = slurp(path);
  REQUIRE_FALSE(text.empty());
  CHECK(text.back() == '\n');
  CHECK(text.size() > 9'000);
  for (const auto& line : lines_of(text)) CHECK(nlohmann::json::accept(line));
}

TEST_CASE("events of a run are numbered, and a later host goes on with the number in the file") {
  Scratch scratch;
  const std::string path = scratch / "events.jsonl";
  FakeClock clock;
  Redactor redactor;
  const auto emit = [&](int count) {
    Fd fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(fd.get() >= 0);
    Bus bus(redactor, clock);
    const auto last = last_event_number(fd.get());
    REQUIRE(last.ok());
    bus.number_from(*last);
    JsonlSink sink(fd.get(), "events.jsonl");
    bus.add(sink);
    for (int i = 0; i < count; ++i) bus.emit(event(EventType::kLog, {{"text", "x"}}));
    bus.emit({EventType::kWarning, kWhen, "", "", {}});  // an event without a run has no number
    return *last;
  };
  CHECK(emit(2) == 0);
  // A killed host leaves a part of a line, which has no number.
  std::ofstream(path, std::ios::app) << "{\"number\":99,\"type\":\"lo";
  CHECK(emit(3) == 2);
  CHECK(emit(0) == 5);
  std::vector<std::uint64_t> numbers;
  for (const auto& line : lines_of(slurp(path))) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (parsed.is_object() && parsed.contains("number")) numbers.push_back(parsed["number"]);
  }
  CHECK(numbers == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
}
