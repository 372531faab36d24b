#include <signal.h>

#include <optional>

#include "host/process/client/requests.h"
#include "tests/host/process/child/confine_fixture.h"

using namespace moonlet;
using namespace moonlet::test;

TEST_CASE("a step does not command its own keeper, which could start a child with more rights",
          "[linux]") {
  KeeperRun run(false);
  const std::string& folder = run.folder.path();
  const ChildExit& exit = run.run(run.act(
      "probe", joined({line("status", folder), line("adopt", folder), line("shutdown", folder),
                       line("daemonize"), line("adopt", folder)})));
  CHECK(split(exit.out.text) == Lines{"ok", "EACCES", "EACCES", "ok", "EACCES"});
  CHECK(run.run(run.act("probe", line("status", folder))).success());
}

TEST_CASE("a confined step commands no other run's keeper, not even where it may write its record",
          "[linux]") {
  if (!supported(2)) return;
  Place place;
  KeeperRun victim(false);
  const std::string& folder = victim.folder.path();
  REQUIRE(wait_for([&] { return keeper_live(victim.folder.fd()).ok(); }));
  const Lines script = {line("status", folder), line("adopt", folder), line("shutdown", folder),
                        line("lift-brand"),     line("daemonize"),     line("adopt", folder)};
  const Lines refused = {"ok", "EACCES", "EACCES", "EPERM", "ok", "EACCES"};
  CHECK(place.probe(script) == refused);
  place.confinement.writable.push_back(folder);
  CHECK(place.probe(script) == refused);
  // A process that another program confined, and that belongs to no step, may query the keeper but
  // not shut it down.
  CHECK(probe_with_abi(Confinement{}, confinement_support().abi,
                       {line("status", folder), line("shutdown", folder)}) ==
        Lines{"ok", "EACCES"});
  CHECK(victim.run(victim.act("probe", line("status", folder))).success());
  CHECK_FALSE(victim.keeper->superseded());
  CHECK(victim.run(victim.act("probe", line("status", folder))).success());
  // An unconfined process has its user's rights to the keeper.
  ChildSpec free = place.run.act("probe", line("shutdown", folder));
  CHECK(place.run.run(free).out.text == "ok\n");
}

TEST_CASE("a host sends no secret to a confined step that listens in the keeper's place",
          "[linux]") {
  if (!supported(2)) return;
  Place place;
  RunFolder victim;
  ChildSpec spec = place.run.act("probe", line("listen-unix", victim.path() + "/keeper.sock"));
  spec.confinement = place.confinement;
  spec.confinement->writable.push_back(victim.path());
  auto child = place.run.spawn(spec);
  Result<std::optional<AdoptedKeeper>> adopted{std::optional<AdoptedKeeper>()};
  REQUIRE(place.run.until([&] {
    adopted = adopt_keeper(victim.fd(), 2);
    return !adopted.ok();
  }));
  CHECK(adopted.error().kind == ErrorKind::kDenied);
  CHECK(adopted.error().message.find("confined step") != std::string::npos);
  child->cancel();
  place.run.wait(child);
}

TEST_CASE("a moonlet in a confined step commands the keepers that it started", "[linux]") {
  if (!supported(2)) return;
  Place place;
  const char* both =
      "\"$0\" host \"$1\" \"$2\" 1 >/dev/null 2>&1 & "
      "until [ -S \"$1/keeper.sock\" ]; do sleep 0.02; done; \"$0\" act probe \"$2\" \"$3\"";
  ChildSpec spec = place.run.act("rest");
  spec.argv = {"/bin/sh",
               "-c",
               both,
               places::kKeeperProgram,
               place.work,
               place.run.folder.tag(),
               joined({line("adopt", place.work)})};
  spec.confinement = place.confinement;
  const ChildExit& exit = place.run.run(spec);
  INFO(exit.error.message << exit.err.text);
  CHECK(exit.out.text == "ok\n");
}

TEST_CASE("a confined child dies with its keeper", "[linux]") {
  if (!supported()) return;
  KeeperRun run(false);
  ChildSpec spec = run.act("stubborn");
  spec.confinement = Confinement{};
  auto child = run.spawn(spec);
  REQUIRE(run.until([&] { return child->pid() != 0; }));
  kill(run.guard(), SIGKILL);
  kill(run.worker(), SIGKILL);
  CHECK(nobody_left(run.folder));
}
