#include "host/process/client/helper.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;

namespace {

const std::string kTag = "moonlet-helper-test-" + std::to_string(getpid());

HelperCall shell(const std::string& script) {
  HelperCall call;
  call.argv = {"/bin/sh", "-c", script + " # " + kTag};
  call.environment = {"PATH=/usr/bin:/bin", "NAME=moonlet"};
  return call;
}

bool nobody_left() {
  return test::wait_for([] { return test::processes_with(kTag).empty(); });
}

bool no_child_is_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

/// Reaps a child. Returns its exit code, or 1000 plus its signal.
int reap() {
  int status = 0;
  if (::waitpid(-1, &status, 0) < 0) return -1;
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("a query returns the output and the exit code of its program") {
  const auto answer = ask(shell("read line || echo $NAME; echo lost >&2; exit 3"));
  REQUIRE(answer);
  CHECK(answer->out == "moonlet\n");
  CHECK(answer->code == 3);
  CHECK(no_child_is_left());
  CHECK(ask(shell("exec >&-; exit 4"))->code == 4);
}

TEST_CASE("a query whose program does not end is ended") {
  HelperCall late = shell("sleep 60");
  late.limit_ms = 0;
  CHECK(ask(late).error().kind == ErrorKind::kTimeout);
  HelperCall endless = shell("yes");
  endless.longest = 1000;
  CHECK(ask(endless)->code == -1);
  const std::atomic<bool> stop{true};
  HelperCall stopped = shell("sleep 60");
  stopped.stop = &stop;
  CHECK(ask(stopped).error().kind == ErrorKind::kCancelled);
  CHECK(no_child_is_left());
}

TEST_CASE("a query to a program that is not there is an error") {
  HelperCall nobody = shell("");
  nobody.argv[0] = "no-such-program-at-all";
  CHECK_FALSE(ask(nobody));
}

TEST_CASE("a hook runs to its end with the environment that it is given, without input or output") {
  const auto end = run_hook(shell("echo words; read line || [ $NAME = moonlet ] && exit 3"));
  REQUIRE(end);
  CHECK_FALSE(end->late);
  CHECK(end->code == 3);
  CHECK(run_hook(shell("kill -9 $$"))->signal == SIGKILL);
}

TEST_CASE("a hook that exceeds its time limit is ended with its descendants") {
  HelperCall request = shell("sh -c 'sleep 600; : # " + kTag + "' & sleep 601; true");
  request.limit_ms = 0;
  request.grace_ms = 0;
  const auto end = run_hook(request);
  REQUIRE(end);
  CHECK(end->late);
  CHECK(nobody_left());
}

TEST_CASE("a hook that ignores the wish to end is killed") {
  // SIGTERM would end a shell that has not set its trap yet, so the stop waits for a file that the
  // shell makes afterwards.
  const test::Scratch scratch;
  const std::string ready = scratch / "ready";
  HelperCall request = shell("trap '' TERM; : > " + ready + "; sleep 600; true");
  request.limit_ms = 600'000;
  request.grace_ms = 0;
  std::atomic<bool> stop{false};
  request.stop = &stop;
  std::thread stopper([&] {
    test::wait_for([&] { return ::access(ready.c_str(), F_OK) == 0; });
    stop = true;
  });
  const auto end = run_hook(request);
  stopper.join();
  REQUIRE(end);
  CHECK(end->signal == SIGKILL);
  CHECK(nobody_left());
}

TEST_CASE("a hook is ended at once when its caller is stopped") {
  std::atomic<bool> stop{false};
  HelperCall request = shell("sleep 600; true");
  request.limit_ms = 600'000;
  request.stop = &stop;
  std::thread stopper([&] {
    test::wait_for([] { return !test::processes_with(kTag).empty(); });
    stop = true;
  });
  const auto end = run_hook(request);
  stopper.join();
  REQUIRE(end);
  CHECK(end->late);
  CHECK(nobody_left());
}

TEST_CASE("a hook that is not there is an error with its name") {
  HelperCall request;
  request.argv = {"/missing/program"};
  const auto end = run_hook(request);
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().message.find("/missing/program") != std::string::npos);
}

TEST_CASE("a detached process continues after its first line has come") {
  const auto answer = start_detached(shell("echo $$; read line || echo more; sleep 60"));
  REQUIRE(answer);
  const auto pid = static_cast<pid_t>(std::stol(*answer));
  CHECK(::getsid(pid) == pid);
  REQUIRE(::kill(pid, SIGKILL) == 0);
  CHECK(reap() == 1000 + SIGKILL);
}

TEST_CASE("a detached process has the environment that it is given, and no input") {
  CHECK(start_detached(shell("read line || echo $NAME")).value() == "moonlet");
  CHECK(reap() == 0);
}

TEST_CASE("a detached process that ends without an answer leaves it empty") {
  CHECK(start_detached(shell("exit 3")).value().empty());
  CHECK(reap() == 3);
}

TEST_CASE("a detached process that does not answer is asked to end") {
  HelperCall late = shell("sleep 60");
  late.limit_ms = 0;
  CHECK(start_detached(late).error().kind == ErrorKind::kTimeout);
  CHECK(reap() == 1000 + SIGTERM);
  HelperCall endless = shell("yes moonlet | tr -d '\\n'");
  endless.longest = 1000;
  CHECK(start_detached(endless).error().kind == ErrorKind::kLimit);
  CHECK(reap() == 1000 + SIGTERM);
  const std::atomic<bool> stop{true};
  HelperCall stopped = shell("sleep 60");
  stopped.stop = &stop;
  CHECK(start_detached(stopped).error().kind == ErrorKind::kCancelled);
  CHECK(reap() == 1000 + SIGTERM);
}

TEST_CASE("a program that cannot be started is no detached process") {
  HelperCall missing = shell("");
  missing.argv[0] = "/missing/program";
  CHECK(start_detached(missing).error().message.find("/missing/program") != std::string::npos);
}
