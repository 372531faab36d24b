#include "host/process/client/hook.h"

#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;

namespace {

const std::string kTag = "moonlet-hook-test-" + std::to_string(getpid());

HookRequest shell(const std::string& script) {
  HookRequest request;
  request.argv = {"/bin/sh", "-c", script + " # " + kTag};
  request.environment = {"PATH=/usr/bin:/bin", "NAME=moonlet"};
  return request;
}

bool nobody_left() {
  return test::wait_for([] { return test::processes_with(kTag).empty(); });
}

}  // namespace

TEST_CASE("a hook runs to its end with the environment that it is given, without input or output") {
  const auto end = run_hook(shell("echo words; read line || [ $NAME = moonlet ] && exit 3"));
  REQUIRE(end);
  CHECK_FALSE(end->late);
  CHECK(end->code == 3);
  CHECK(run_hook(shell("kill -9 $$"))->signal == SIGKILL);
}

TEST_CASE("a hook that exceeds its time limit is ended with its descendants") {
  HookRequest request = shell("sh -c 'sleep 600; : # " + kTag + "' & sleep 601; true");
  request.wall_ms = 0;
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
  HookRequest request = shell("trap '' TERM; : > " + ready + "; sleep 600; true");
  request.wall_ms = 600'000;
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
  HookRequest request = shell("sleep 600; true");
  request.wall_ms = 600'000;
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
  HookRequest request;
  request.argv = {"/missing/program"};
  const auto end = run_hook(request);
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().message.find("/missing/program") != std::string::npos);
}
