// Tests children from the host's side: their start, their results and their end.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "host/process/child/tree.h"
#include "host/process/client/requests.h"
#include "host/process/wire/keeper_log.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"
#include "tests/places.h"

using namespace moonlet;
using namespace moonlet::test;
using Why = ChildExit::Why;

TEST_CASE("a child comes back with its status and both of its streams", "[process]") {
  KeeperRun run;
  const ChildExit& exit = run.run(shell("echo out; echo err >&2; exit 7"));
  CHECK(exit.why == Why::kExited);
  CHECK(exit.code == 7);
  CHECK(exit.signal == 0);
  CHECK(exit.out.text == "out\n");
  CHECK(exit.err.text == "err\n");
  CHECK(exit.out.total == 4);
  CHECK(exit.drained);
  CHECK(exit.stragglers == 0);
  CHECK(exit.pid > 0);
  CHECK(run.keeper->live() == 0);
  CHECK_FALSE(run.loop.run_once(false));
}

TEST_CASE("a child on a terminal has it as the terminal of its session", "[process]") {
  KeeperRun run;
  ChildSpec spec = shell(
      "stty size </dev/tty; test -t 0 && test -t 1 && test -t 2 && echo all; pwd >/dev/tty; exit "
      "3");
  spec.cwd = run.folder.path();
  spec.terminal_rows = 31;
  spec.terminal_cols = 97;
  const ChildExit& exit = run.run(spec);
  CHECK(exit.why == Why::kExited);
  CHECK(exit.code == 3);
  CHECK(run.folder.read("output-0000000000000000.log") ==
        "31 97\r\nall\r\n" + run.folder.path() + "\r\n");
  spec.argv = {"/nonexistent"};
  const ChildExit& missing = run.run(spec);
  CHECK(missing.why == Why::kNotStarted);
  CHECK(missing.error.message.find("/nonexistent") != std::string::npos);
}

TEST_CASE("a child that a signal ended says so", "[process]") {
  KeeperRun run;
  const ChildExit& exit = run.run(shell("kill -9 $$"));
  CHECK(exit.why == Why::kSignalled);
  CHECK(exit.signal == SIGKILL);
  CHECK(exit.code == -1);
}

TEST_CASE("a child sees its own environment, directory and stdin, and nothing of ours",
          "[process]") {
  KeeperRun run;
  setenv("MOONLET_TEST_LEAK", "leaked", 1);
  ChildSpec spec = shell("pwd; env | sort; cat");
  spec.cwd = run.folder.path();
  spec.env.push_back("WORD=a b=c");
  spec.env.push_back("MOONLET_STEP=forged/1");
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  REQUIRE(write(pipe_ends[1], "typed", 5) == 5);
  close(pipe_ends[1]);
  spec.stdin_fd = pipe_ends[0];
  auto operation = run.spawn(spec);
  close(pipe_ends[0]);  // spawn() borrowed the descriptor and has returned
  const ChildExit& exit = run.wait(operation);
  unsetenv("MOONLET_TEST_LEAK");
  CHECK(exit.out.text == run.folder.path() + "\nMOONLET_STEP=" + run.keeper->token() +
                             "/1\nPATH=/usr/bin:/bin\nPWD=" + run.folder.path() +
                             "\nWORD=a b=c\ntyped");
}

TEST_CASE("a child leads its own session and inherits no descriptor, mask or disposition",
          "[process]") {
  signal(SIGUSR1, SIG_IGN);
  int leak = open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as careless programs open files
  KeeperRun run;
  const ChildExit& exit = run.run(run.act("print_state"));
  close(leak);
  signal(SIGUSR1, SIG_DFL);
  CHECK(exit.out.text == "signals 0 fds 0 leader 1\n");
}

TEST_CASE("a child that cannot be started has the reason in its error", "[process]") {
  KeeperRun run;
  auto error_of = [&](ChildSpec spec) {
    const ChildExit& exit = run.run(std::move(spec));
    CHECK(exit.why == Why::kNotStarted);
    CHECK(exit.pid == 0);
    return exit.error;
  };
  ChildSpec spec = shell("true");

  spec.argv = {"moonlet-no-such-program"};
  Error error = error_of(spec);
  CHECK(error.kind == ErrorKind::kInvalid);
  CHECK(error.message == "program 'moonlet-no-such-program' was not found");
  CHECK(error.hint == "install it or name it with its path");

  spec.env = {"A=b"};
  CHECK(error_of(spec).hint.find("has no PATH") != std::string::npos);

  spec.argv = {"/nonexistent/program"};
  CHECK(error_of(spec).message.find("does not exist") != std::string::npos);

  std::string script = run.folder.path() + "/script";
  std::ofstream(script) << "no interpreter line\n";
  spec.argv = {script};
  CHECK(error_of(spec).message.find("not executable") != std::string::npos);
  chmod(script.c_str(), 0755);
  CHECK(error_of(spec).hint.find("#!") != std::string::npos);
  std::ofstream(script) << "#!/no/such/interpreter\n";
  CHECK(error_of(spec).message.find("interpreter") != std::string::npos);

  spec.argv = {run.folder.path()};
  CHECK(error_of(spec).message.find("folder") != std::string::npos);

  spec = shell("true");
  spec.cwd = "/no/such/folder";
  CHECK(error_of(spec).message.find("working directory /no/such/folder does not exist") !=
        std::string::npos);

  spec = shell("true");
  spec.argv.push_back(std::string(200000, 'a'));
  CHECK(error_of(spec).message.find("E2BIG") != std::string::npos);
  spec.argv.push_back(std::string(9 << 20, 'a'));
  CHECK(error_of(spec).message.find("too long") != std::string::npos);

  spec = shell("true");
  spec.argv.push_back(std::string("a\0b", 3));
  CHECK(error_of(spec).message.find("NUL") != std::string::npos);
  spec.argv = {};
  CHECK(error_of(spec).message.find("empty") != std::string::npos);

  spec = shell("true");
  spec.out = OutputSpec::to_file("no/such/folder/out.log");
  CHECK(error_of(spec).at == "no/such/folder/out.log");
}

TEST_CASE("a name is looked up in the child's PATH, first entry first, and not in relative entries",
          "[process]") {
  KeeperRun run;
  for (const char* folder : {"/a", "/b"}) {
    std::filesystem::create_directory(run.folder.path() + folder);
    std::string script = run.folder.path() + folder + "/tool";
    std::ofstream(script) << "#!/bin/sh\necho " << folder << "\n";
    chmod(script.c_str(), 0755);
  }
  ChildSpec spec = shell("");
  spec.cwd = run.folder.path();
  spec.argv = {"tool"};
  spec.env = {"PATH=/nonexistent:b::" + run.folder.path() + "/a"};
  CHECK(run.run(spec).out.text == "/a\n");
  spec.argv = {"b/tool"};
  CHECK(run.run(spec).out.text == "/b\n");
}

TEST_CASE("output goes to files under the run, capped, with the true sizes reported", "[process]") {
  KeeperRun run;
  std::filesystem::create_directory(run.folder.path() + "/steps");
  ChildSpec spec = run.act("bytes", "1000000");
  spec.out = OutputSpec::to_file("steps/out.log", 1000);
  const ChildExit& exit = run.run(spec);
  CHECK(exit.success());
  CHECK(exit.out.total == 1000000);
  CHECK(exit.out.kept == 1000);
  CHECK(exit.out.cut);
  CHECK(exit.out.text.empty());
  CHECK((run.folder.read("steps/out.log") ==
         std::string(500, 'y') + "\n[moonlet: 999000 bytes cut here]\n" + std::string(500, 'y')));
}

TEST_CASE("ten megabytes of stdin for a child that reads none, and that reads all", "[process]") {
  KeeperRun run;
  std::string input = run.folder.path() + "/input";
  std::ofstream(input) << std::string(10 << 20, 'i');
  for (const char* script : {"exit 3", "wc -c"}) {
    ChildSpec spec = shell(script);
    spec.stdin_fd = open(input.c_str(), O_RDONLY | O_CLOEXEC);
    const ChildExit& exit = run.run(spec);
    close(spec.stdin_fd);
    CHECK(exit.why == Why::kExited);
    CHECK((exit.code == 3 || exit.out.text == "10485760\n"));
  }
}

TEST_CASE("a child without stdin reads its end at once", "[process]") {
  KeeperRun run;
  CHECK(run.run(shell("cat; echo end")).out.text == "end\n");
}

TEST_CASE("many children at once each get their own answer", "[process]") {
  KeeperRun run;
  std::vector<std::shared_ptr<ChildOperation>> operations;
  for (int i = 0; i < 200; ++i) {
    ChildSpec spec = shell("echo " + std::to_string(i) + "; exit " + std::to_string(i % 100));
    operations.push_back(run.spawn(spec));
  }
  CHECK(run.keeper->live() == 200);
  for (int i = 0; i < 200; ++i) {
    const ChildExit& exit = run.wait(operations[static_cast<std::size_t>(i)]);
    CHECK(exit.code == i % 100);
    CHECK(exit.out.text == std::to_string(i) + "\n");
  }
}

TEST_CASE("captured output holds no secret", "[process]") {
  KeeperRun run;
  ChildSpec spec = shell("printf 'key=%s.' \"$SECRET\"; printf %s \"$SECRET\" >&2");
  spec.env.push_back("SECRET=correct-horse-battery");
  spec.secrets = {{"SECRET", "correct-horse-battery"}};
  spec.out = OutputSpec::to_file("out.log");
  const ChildExit& exit = run.run(spec);
  CHECK(run.folder.read("out.log") == "key=[redacted:SECRET].");
  CHECK(exit.err.text == "[redacted:SECRET]");
  CHECK(run.folder.read("keeper.log").find("battery") == std::string::npos);
}

TEST_CASE("the log has intent, start and exit of each child, in this order", "[process]") {
  KeeperRun run;
  ChildSpec spec = shell("exit 3");
  spec.argv.push_back("caf\xc3\xa9 \xff \"quoted\"\n");
  spec.durable = true;
  run.run(spec);
  spec.argv = {"moonlet-no-such-program"};
  run.run(spec);
  auto keepers = read_keeper_log(run.folder.fd());
  REQUIRE(keepers);
  REQUIRE(keepers->size() == 1);
  const LoggedKeeper& keeper = keepers->back();
  CHECK(keeper.record.run_id == "R-007");
  CHECK(keeper.record.token == run.keeper->token());
  CHECK(keeper.record.boot_id == boot_id());
  CHECK_FALSE(keeper.ended);
  REQUIRE(keeper.children.size() == 2);
  const LoggedChild& child = keeper.children.at(1);
  CHECK(child.state == LoggedChild::State::kExited);
  CHECK(child.step == "shell");
  CHECK(child.exit.code == 3);
  CHECK(child.exit.why == Why::kExited);
  REQUIRE(child.argv.size() == 4);
  CHECK(child.argv[3] == "caf\xc3\xa9 \xef\xbf\xbd \"quoted\"\n");
  CHECK(keeper.may_have_started(child, keeper.record.boot_id));
  CHECK(keeper.children.at(2).exit.why == Why::kNotStarted);
  CHECK_FALSE(keeper.may_have_started(keeper.children.at(2), keeper.record.boot_id));

  std::string log = run.folder.read("keeper.log");
  std::size_t intent = log.find("\"intent\""), start = log.find("\"start\""),
              exit = log.find("\"exit\"");
  CHECK(intent < start);
  CHECK(start < exit);
  run.keeper.reset();
  CHECK(read_keeper_log(run.folder.fd())->back().ended);
}

TEST_CASE("on a full disk a durable start is refused, others run, and exits are not lost",
          "[process]") {
  // A limit on file sizes, which the keeper inherits, simulates a full disk.
  auto before = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  rlimit limit{1500, old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  KeeperRun run;
  const ChildExit& first = run.run(shell("echo fine"));
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, before);
  CHECK(first.out.text == "fine\n");
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    ChildSpec spec =
        shell("echo fine; echo words > " + run.folder.path() + "/ran-" + std::to_string(i));
    spec.durable = i % 2 == 0;
    const ChildExit& exit = run.run(spec);
    const bool ran = std::filesystem::exists(run.folder.path() + "/ran-" + std::to_string(i));
    if (exit.why == Why::kNotStarted) {
      ++refused;
      CHECK(spec.durable);
      CHECK_FALSE(ran);
      CHECK(exit.error.message.find("keeper.log") != std::string::npos);
    } else {
      CHECK(exit.out.text == "fine\n");
      CHECK(ran);
    }
  }
  CHECK(refused >= 5);
  ChildSpec big = run.act("bytes", "100000");
  big.out = OutputSpec::to_file("out.log");
  const ChildExit& exit = run.run(big);
  CHECK(exit.success());
  CHECK(exit.out.total == 100000);
  CHECK(exit.out.kept == 1500);
  CHECK(exit.out.write_errno == EFBIG);
}

TEST_CASE("a child that is finished with is ended for that reason, and stays so on record",
          "[process]") {
  KeeperRun run;
  auto child = run.spawn(shell("echo done; exec sleep 600"));
  REQUIRE(run.until([&] { return child->pid() != 0; }));
  child->end_finished();
  CHECK(run.wait(child).why == ChildExit::Why::kFinished);
  child->end_finished();  // no effect on a child that has ended
  auto log = read_keeper_log(run.folder.fd());
  REQUIRE(log);
  CHECK(log->back().children.begin()->second.exit.why == ChildExit::Why::kFinished);
}

TEST_CASE("the idle limit of a child stands still while it is held", "[process]") {
  KeeperRun run;
  const std::string said = run.folder.path() + "/said";
  auto spec = shell("sleep 1; touch " + said + "; exec sleep 600");
  spec.idle_ms = 500;
  auto child = run.spawn(std::move(spec));
  REQUIRE(run.until([&] { return child->pid() != 0; }));
  child->hold_idle(true);
  REQUIRE(run.until([&] { return std::filesystem::exists(said); }));
  child->hold_idle(false);
  CHECK(run.wait(child).why == ChildExit::Why::kIdle);
}

TEST_CASE("shutdown lets running children end by themselves, and takes no new ones", "[process]") {
  KeeperRun run;
  auto running = run.spawn(shell("sleep 0.2; echo done"));
  run.keeper->shutdown();
  auto late = run.spawn(shell("echo late"));
  CHECK(run.wait(running).out.text == "done\n");
  CHECK(run.wait(late).why == Why::kNotStarted);
  CHECK(wait_for([&] { return read_keeper_log(run.folder.fd())->back().ended; }));
}

TEST_CASE("an ending keeper starts no child, and does not wait for late requests", "[process]") {
  KeeperRun run;
  auto stubborn = run.spawn(run.act("stubborn"));
  REQUIRE(run.until([&] { return processes_with(run.folder.tag()).size() == 1; }));
  // The child resists for a while, in which the host asks for more children.
  REQUIRE(kill(run.worker(), SIGTERM) == 0);
  std::vector<std::shared_ptr<ChildOperation>> late;
  REQUIRE(run.until([&] {
    late.push_back(run.spawn(run.act("rest")));
    return stubborn->done();
  }));
  CHECK(stubborn->exit().why == Why::kCancelled);
  for (const auto& operation : late) {
    const Why why = run.wait(operation).why;
    CHECK((why == Why::kNotStarted || why == Why::kCancelled || why == Why::kLost));
  }
  CHECK(processes_with(run.folder.tag()).empty());
  CHECK(wait_for([&] { return read_keeper_log(run.folder.fd())->back().ended; }));
}

TEST_CASE("a second keeper in the same directory is refused by name", "[process]") {
  KeeperRun run;
  run.run(shell("true"));
  KeeperOptions options;
  options.program = places::kKeeperProgram;
  options.run_dir_fd = run.folder.fd();
  auto second = Keeper::start(run.loop, options);
  REQUIRE(second);
  auto operation = (*second)->spawn(shell("true"));
  const ChildExit& exit = run.wait(operation);
  CHECK(exit.why == Why::kNotStarted);
  CHECK(exit.error.message == "a keeper is at work in this run's directory already");
  second->reset();
  CHECK(run.run(shell("true")).success());
}

TEST_CASE("a keeper program that does not exist is reported at once", "[process]") {
  RunFolder folder;
  SystemClock clock;
  Loop loop(clock);
  KeeperOptions options;
  options.program = "/no/such/moonlet";
  options.run_dir_fd = folder.fd();
  CHECK_FALSE(Keeper::start(loop, options));
}

TEST_CASE("a program that is no keeper leaves its children not started", "[process]") {
  RunFolder folder;
  SystemClock clock;
  Loop loop(clock);
  KeeperOptions options;
  options.program = "/bin/true";
  options.run_dir_fd = folder.fd();
  auto keeper = Keeper::start(loop, options);
  REQUIRE(keeper);
  auto operation = (*keeper)->spawn(shell("true"));
  while (!operation->done()) loop.run_once();
  CHECK(operation->exit().why == Why::kNotStarted);
}

TEST_CASE("strangers at the keeper's socket are hung up on, and block no host", "[process]") {
  KeeperRun run;
  run.run(shell("true"));
  std::string path = run.folder.path() + "/keeper.sock";
  auto connect_to = [&] {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
  };
  auto hung_up = [&](int fd) {
    return wait_for([&] {
      char buffer[4096];
      ssize_t got;
      while ((got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
      }
      return got == 0 || errno == ECONNRESET;
    });
  };
  std::string hello, deep, other;
  encode(hello, HelloFrame{kKeeperProtocol, "", "", 0, 0});
  encode(other, HelloFrame{kKeeperProtocol + 1, "", "", 0, 0});
  REQUIRE(encode_start(deep, 1, shell("true")));
  std::string status;
  encode_number(status, FrameType::kStatus, 0);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.0\r\n\r\n"), std::string(100000, '\xff'), std::string(5, '\0'),
        status, other, hello + deep, hello + std::string("\x01\0\0\0\xee", 5)}) {
    int fd = connect_to();
    CHECK(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0);
    CHECK(hung_up(fd));
    close(fd);
  }
  // A process that may only read the run's record cannot act as its host, and ends no child.
  for (FrameType type : {FrameType::kAdopt, FrameType::kCancel, FrameType::kShutdown}) {
    for (const char* shown : {"", "/keeper.log", "/keeper.sock"}) {
      Fd file(*shown == '\0' ? -1 : open((run.folder.path() + shown).c_str(), O_PATH | O_CLOEXEC));
      if (std::string(shown) == "/keeper.log") {
        file = Fd(open((run.folder.path() + shown).c_str(), O_RDONLY | O_CLOEXEC));
      }
      Channel peer(connect_to(), kWorkerFrameLimit, Channel::Fds::kNone);
      peer.out() = hello;
      const std::size_t at = peer.out().size();
      encode_number(peer.out(), type, 1, 1000);
      if (file) REQUIRE(peer.attach(at, file.get()));
      REQUIRE(peer.flush());
      REQUIRE(wait_for([&] { return peer.fill() == Channel::Read::kClosed; }));
      auto greeted = peer.next(), refused = peer.next();
      REQUIRE((greeted && *greeted && refused && *refused));
      CHECK((*refused)->type == FrameType::kRefused);
    }
  }
  // Connects more silent peers than the keeper accepts, and one peer that sends requests without
  // reading the answers.
  std::vector<int> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(connect_to());
  int greedy = connect_to();
  send(greedy, hello.data(), hello.size(), MSG_NOSIGNAL);
  for (int i = 0; i < 100000; ++i) {
    if (send(greedy, status.data(), status.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
  }
  CHECK(keeper_live(run.folder.fd()));
  CHECK(run.run(shell("echo fine")).out.text == "fine\n");
  close(greedy);
  for (int fd : silent) close(fd);
}

TEST_CASE("a connection that lingers does not hold up the keeper that it was passed to",
          "[process]") {
  KeeperRun run;
  run.run(shell("true"));
  // The socket has bytes that its peer never reads, and SO_LINGER lets close() wait a minute for
  // them.
  Fd server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(server.get(), raw, size) == 0);
  REQUIRE(listen(server.get(), 1) == 0);
  REQUIRE(getsockname(server.get(), raw, &size) == 0);
  Fd lingering(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(connect(lingering.get(), raw, size) == 0);
  const std::string bytes(1 << 16, 'x');
  while (send(lingering.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
  }
  const linger minute{1, 60};
  REQUIRE(setsockopt(lingering.get(), SOL_SOCKET, SO_LINGER, &minute, sizeof minute) == 0);

  sockaddr_un keeper{};
  keeper.sun_family = AF_UNIX;
  std::strcpy(keeper.sun_path, (run.folder.path() + "/keeper.sock").c_str());
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&keeper), sizeof keeper) == 0);
  Channel peer(fd, kWorkerFrameLimit, Channel::Fds::kNone);
  peer.out() = "GET / HTTP/1.0\r\n\r\n";
  REQUIRE(peer.attach(0, lingering.get()));
  lingering = Fd();
  REQUIRE(peer.flush());
  CHECK(keeper_live(run.folder.fd()));
  CHECK(run.run(shell("echo fine")).out.text == "fine\n");
}

TEST_CASE("commands ask a keeper over its socket, however long the run's path is", "[process]") {
  RunFolder outer;
  std::string deep = outer.path();
  for (int i = 0; i < 3; ++i) {
    deep.append("/").append(100, 'd');
    std::filesystem::create_directory(deep);
  }
  int fd = open(deep.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  SystemClock clock;
  Loop loop(clock);
  KeeperOptions options;
  options.program = places::kKeeperProgram;
  options.run_dir_fd = fd;
  CHECK_FALSE(keeper_live(fd));
  auto keeper = Keeper::start(loop, options);
  REQUIRE(keeper);
  ChildSpec spec = shell("exec sleep 1000");
  spec.wall_ms = 500000;
  auto operation = (*keeper)->spawn(spec);
  while (operation->pid() == 0) loop.run_once();
  struct stat st {};
  REQUIRE(fstatat(fd, "keeper.sock", &st, 0) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  auto live = keeper_live(fd);
  REQUIRE(live);
  REQUIRE(live->size() == 1);
  CHECK(live->front().pid == operation->pid());
  CHECK(live->front().step == "shell");
  CHECK(live->front().deadline_ms == live->front().started_ms + 500000);
  CHECK(keeper_cancel(fd, operation->number()));
  while (!operation->done()) loop.run_once();
  CHECK(operation->exit().why == Why::kCancelled);
  CHECK(keeper_shutdown(fd));
  keeper->reset();
  CHECK(faccessat(fd, "keeper.sock", F_OK, 0) != 0);
  close(fd);
}
