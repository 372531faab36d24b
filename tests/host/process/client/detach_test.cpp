#include "host/process/client/detach.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/catch.h"

using namespace moonlet;

namespace {

DetachRequest shell(const std::string& script) {
  DetachRequest request;
  request.argv = {"/bin/sh", "-c", script};
  request.environment = {"PATH=/usr/bin:/bin", "NAME=moonlet"};
  return request;
}

/// Reaps a child. Returns its exit code, or 1000 plus its signal.
int reap() {
  int status = 0;
  if (::waitpid(-1, &status, 0) < 0) return -1;
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

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
  DetachRequest late = shell("sleep 60");
  late.patience_ms = 0;
  CHECK(start_detached(late).error().kind == ErrorKind::kTimeout);
  CHECK(reap() == 1000 + SIGTERM);
  DetachRequest endless = shell("yes moonlet | tr -d '\\n'");
  endless.longest = 1000;
  CHECK(start_detached(endless).error().kind == ErrorKind::kLimit);
  CHECK(reap() == 1000 + SIGTERM);
  const std::atomic<bool> stop{true};
  DetachRequest stopped = shell("sleep 60");
  stopped.stop = &stop;
  CHECK(start_detached(stopped).error().kind == ErrorKind::kCancelled);
  CHECK(reap() == 1000 + SIGTERM);
}

TEST_CASE("a program that cannot be started is no detached process") {
  DetachRequest missing = shell("");
  missing.argv[0] = "/missing/program";
  CHECK(start_detached(missing).error().message.find("/missing/program") != std::string::npos);
}
