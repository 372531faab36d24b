#include "host/process/wire/protocol.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include "host/process/wire/channel.h"
#include "tests/catch.h"

using namespace moonlet;

namespace {

ChildSpec full_spec() {
  ChildSpec spec;
  spec.step = "lens \xff";
  spec.attempt = "lens/2@1";
  spec.outlives_host = true;
  spec.argv = {"tool", "", "a b\n"};
  spec.redacted_argv = {"tool", "", "***"};
  spec.env = {"A=1", "B="};
  spec.cwd = "/tmp";
  spec.stdin_fd = 0;
  spec.out = OutputSpec::to_file("steps/x/stdout.log", 12345678901);
  spec.err = OutputSpec::to_inline(9);
  spec.wall_ms = 480000;
  spec.idle_ms = -1;
  spec.grace_ms = 1;
  spec.drain_ms = 2;
  spec.durable = true;
  spec.confinement = Confinement{{"/out", "/b c"}, {"/in"}, true, false, true};
  spec.secrets = {{"KEY", std::string("v\0w", 3)}};
  return spec;
}

ChildExit full_exit() {
  ChildExit exit;
  exit.why = ChildExit::Why::kWall;
  exit.signal = 9;
  exit.error = {ErrorKind::kDenied, "m", "h", "a"};
  exit.out = {"text", 1, 2, true, 28};
  exit.err.total = 1ull << 40;
  exit.drained = false;
  exit.stragglers = 3;
  exit.out_in_time = 2;
  exit.duration_ms = 4;
  exit.cpu_ms = 5;
  exit.max_rss_kb = 6;
  exit.pid = 77;
  return exit;
}

std::vector<std::string> one_of_each() {
  std::vector<std::string> frames(8);
  encode(frames[0], HelloFrame{kKeeperProtocol, "1.2.3", "token", 10, 11});
  REQUIRE(encode_start(frames[1], 7, full_spec()));
  encode_number(frames[2], FrameType::kStarted, 8, -5);
  encode_exit(frames[3], 10, full_exit());
  encode(frames[4], std::vector<ChildRecord>{{1, 2, "s", "a", 3, 4}, {5, 6, "", "", 7, 8}});
  encode_refused(frames[5], {ErrorKind::kQuota, "m", "h", "a"});
  encode(frames[6], AdoptedFrame{77, {{1, 2, "s", "a", 3, 4}, {76, 0, "", "b", 0, 0}}});
  encode_refused(frames[7], {ErrorKind::kDenied, "m", "", ""}, FrameType::kSuperseded);
  return frames;
}

void decode_anything(std::string_view body) {
  (void)decode_hello(body);
  (void)decode_start(body);
  (void)decode_number(body);
  (void)decode_exit(body);
  (void)decode_live(body);
  (void)decode_adopted(body);
  (void)decode_refused(body);
}

}  // namespace

TEST_CASE("every frame reads back as it was written") {
  std::string bytes;
  for (const auto& frame : one_of_each()) bytes += frame;
  std::string_view rest = bytes;
  auto next = [&] {
    auto frame = next_frame(rest, kHostFrameLimit);
    REQUIRE(frame);
    REQUIRE(*frame);
    return **frame;
  };
  auto hello = decode_hello(next().body);
  REQUIRE(hello);
  CHECK(hello->token == "token");
  CHECK(hello->worker_pid == 11);
  CHECK_FALSE(check_protocol(*hello));

  auto start = decode_start(next().body);
  REQUIRE(start);
  CHECK(start->number == 7);
  CHECK(start->has_stdin);
  CHECK(start->argc == 3);
  CHECK(start->argv == std::string("tool\0\0a b\n\0", 11));
  CHECK(start->logged_argv == std::string("tool\0\0***\0", 10));
  CHECK(start->env == std::string("A=1\0B=\0", 7));
  CHECK(start->spec.step == "lens \xff");
  CHECK(start->spec.out.path == "steps/x/stdout.log");
  CHECK(start->spec.out.cap == 12345678901);
  CHECK(start->spec.err.target == OutputSpec::Target::kInline);
  CHECK(start->spec.err.cap == 9);
  CHECK(start->spec.idle_ms == -1);
  CHECK(start->spec.attempt == "lens/2@1");
  REQUIRE(start->spec.confinement);
  CHECK(start->spec.confinement->writable == std::vector<std::string>{"/out", "/b c"});
  CHECK(start->spec.confinement->readable == std::vector<std::string>{"/in"});
  CHECK(start->spec.confinement->restrict_reads);
  CHECK_FALSE(start->spec.confinement->no_network);
  CHECK(start->spec.confinement->terminals);
  CHECK(start->spec.outlives_host);
  CHECK(start->spec.durable);
  CHECK_FALSE(start->spec.own_cgroup);
  CHECK(start->spec.secrets.at(0).value == std::string("v\0w", 3));

  auto number = decode_number(next().body);
  REQUIRE(number);
  CHECK(number->value == -5);

  auto exit = decode_exit(next().body);
  REQUIRE(exit);
  CHECK(exit->exit.why == ChildExit::Why::kWall);
  CHECK(exit->exit.error.kind == ErrorKind::kDenied);
  CHECK(exit->exit.out.write_errno == 28);
  CHECK(exit->exit.err.total == 1ull << 40);
  CHECK_FALSE(exit->exit.drained);
  CHECK(exit->exit.out_in_time == 2);
  CHECK(exit->exit.pid == 77);

  auto live = decode_live(next().body);
  REQUIRE(live);
  CHECK(live->at(0).attempt == "a");
  CHECK(live->at(1).deadline_ms == 8);
  CHECK(decode_refused(next().body)->kind == ErrorKind::kQuota);
  auto adopted = decode_adopted(next().body);
  REQUIRE(adopted);
  CHECK(adopted->highest == 77);
  REQUIRE(adopted->children.size() == 2);
  CHECK(adopted->children[1].number == 76);
  auto superseded = next();
  CHECK(superseded.type == FrameType::kSuperseded);
  CHECK(decode_refused(superseded.body)->kind == ErrorKind::kDenied);
  CHECK(rest.empty());
}

TEST_CASE("a frame that is cut short, too long or has bytes left over is not one") {
  for (const auto& whole : one_of_each()) {
    std::string_view none = std::string_view(whole).substr(0, whole.size() - 1);
    auto frame = next_frame(none, kHostFrameLimit);
    REQUIRE(frame);
    CHECK_FALSE(*frame);
    // Bodies of any other length do not crash the decoders.
    std::string body = whole.substr(5);
    for (std::size_t size = 0; size < body.size(); ++size) decode_anything(body.substr(0, size));
    CHECK_FALSE(decode_start(body + "x"));
    CHECK_FALSE(decode_exit(body + "x"));
    CHECK_FALSE(decode_adopted(body + "x"));
  }
  std::string huge("\xff\xff\xff\xff\x01", 5);
  std::string_view view = huge;
  CHECK_FALSE(next_frame(view, kHostFrameLimit));
  std::string empty("\0\0\0\0", 4);
  view = empty;
  CHECK_FALSE(next_frame(view, kHostFrameLimit));
}

TEST_CASE("a corrupted frame crashes no decoder, and none reads past its end") {
  std::mt19937 random(7);
  auto frames = one_of_each();
  for (int round = 0; round < 20000; ++round) {
    std::string body = frames[random() % frames.size()].substr(5);
    for (int change = 0; change < 3 && !body.empty(); ++change) {
      body[random() % body.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) body.resize(random() % (body.size() + 1));
    decode_anything(body);
    if (auto hello = decode_hello(body)) CHECK(hello->version.size() <= body.size());
    if (auto refused = decode_refused(body)) CHECK(refused->message.size() <= body.size());
  }
}

TEST_CASE("an attempt's name is short") {
  ChildSpec spec = full_spec();
  std::string frame;
  spec.attempt.assign(ChildSpec::kAttemptLimit, 'a');
  CHECK(encode_start(frame, 1, spec));
  spec.attempt += 'a';
  CHECK_FALSE(encode_start(frame, 1, spec));
}

TEST_CASE("an unknown protocol version is named in the error") {
  std::string frame;
  encode(frame, HelloFrame{kKeeperProtocol + 1, "9.9", "", 0, 0});
  auto hello = decode_hello(std::string_view(frame).substr(5, 6));
  REQUIRE(hello);
  auto error = check_protocol(*hello);
  REQUIRE(error);
  const std::string versions =
      std::to_string(kKeeperProtocol + 1) + " and " + std::to_string(kKeeperProtocol);
  CHECK(error->message.find("different protocols (" + versions + ")") != std::string::npos);
}

TEST_CASE("a channel carries frames and descriptors in order, through a socket that fills up") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  Channel sender(ends[0], kHostFrameLimit, Channel::Fds::kNone);
  Channel receiver(ends[1], kHostFrameLimit, Channel::Fds::kAll);
  const int count = 300;
  int received = 0, with_fd = 0;
  auto read_all = [&] {
    CHECK(receiver.fill() == Channel::Read::kOk);
    while (true) {
      auto frame = receiver.next();
      REQUIRE(frame);
      if (!*frame) return;
      auto start = decode_start((*frame)->body);
      REQUIRE(start);
      CHECK(start->number == static_cast<std::uint32_t>(received++));
      if (!start->has_stdin) continue;
      int fd = receiver.take_fd();
      REQUIRE(fd >= 0);
      CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
      char text[16] = {};
      CHECK(pread(fd, text, sizeof text, 0) > 0);
      CHECK(text == std::to_string(start->number));
      close(fd);
      ++with_fd;
    }
  };
  for (int i = 0; i < count; ++i) {
    ChildSpec spec;
    spec.argv = {std::string(static_cast<std::size_t>(i % 7) * 5000, 'x')};
    char name[] = "/tmp/moonlet-channel-XXXXXX";
    int fd = i % 3 == 0 ? mkstemp(name) : -1;
    spec.stdin_fd = fd;
    std::size_t at = sender.out().size();
    REQUIRE(encode_start(sender.out(), static_cast<std::uint32_t>(i), spec));
    if (fd >= 0) {
      std::string text = std::to_string(i);
      REQUIRE(write(fd, text.data(), text.size()) > 0);
      REQUIRE(sender.attach(at, fd));
      close(fd);
      unlink(name);
    }
    if (i % 5 == 0) CHECK(sender.flush());
  }
  while (sender.pending()) {
    CHECK(sender.flush());
    read_all();
  }
  read_all();
  CHECK(received == count);
  CHECK(with_fd == 100);
  CHECK(receiver.take_fd() == -1);
}

TEST_CASE("a channel reports that its peer is gone") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  Channel channel(ends[0], 100, Channel::Fds::kAll);
  close(ends[1]);
  CHECK(channel.fill() == Channel::Read::kClosed);
  channel.out() = "x";
  CHECK_FALSE(channel.flush());
}
