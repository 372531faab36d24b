#include "host/process/client/query.h"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "tests/catch.h"

using namespace moonlet;

namespace {

Query shell(const std::string& script) {
  Query query;
  query.argv = {"sh", "-c", script};
  query.environment = {"PATH=/usr/bin:/bin", "NAME=moonlet"};
  return query;
}

bool no_child_is_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

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
  Query late = shell("sleep 60");
  late.patience_ms = 0;
  CHECK(ask(late).error().kind == ErrorKind::kTimeout);
  Query endless = shell("yes");
  endless.longest = 1000;
  CHECK(ask(endless)->code == -1);
  const std::atomic<bool> stop{true};
  Query stopped = shell("sleep 60");
  stopped.stop = &stop;
  CHECK(ask(stopped).error().kind == ErrorKind::kCancelled);
  CHECK(no_child_is_left());
}

TEST_CASE("a query to a program that is not there is an error") {
  Query nobody = shell("");
  nobody.argv[0] = "no-such-program-at-all";
  CHECK_FALSE(ask(nobody));
}
