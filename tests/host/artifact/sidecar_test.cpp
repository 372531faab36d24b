#include "host/artifact/sidecar.h"

#include <nlohmann/json.hpp>
#include <set>

#include "host/base/id.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

struct Agent {
  Scratch scratch;
  Dir dir;
  Agent() : dir(std::move(*Dir::open(scratch.path()))) { (void)dir.make_dirs("sidecars"); }
};

}  // namespace

TEST_CASE("a sidecar is made once, under a valid id") {
  Agent agent;
  auto sidecar = Sidecar::create(agent.dir, "task-1");
  REQUIRE(sidecar);
  CHECK(sidecar->id() == "task-1");
  CHECK(sidecar->root().out_path() == agent.scratch / "sidecars/task-1/out");
  CHECK(std::filesystem::is_directory(sidecar->root().out_path()));
  const auto taken = Sidecar::create(agent.dir, "task-1").error();
  CHECK(taken.kind == ErrorKind::kInvalid);
  CHECK(taken.message.find("taken") != std::string::npos);
  for (const char* id : {"", "..", "../x", "a/b", ".hidden", "a b"}) {
    CHECK(Sidecar::create(agent.dir, id).error().kind == ErrorKind::kInvalid);
    CHECK(Sidecar::open(agent.dir, id).error().kind == ErrorKind::kInvalid);
  }
  CHECK(entries_in(agent.scratch / "sidecars") == 1);
  CHECK(Sidecar::open(agent.dir, "task-1")->id() == "task-1");
  CHECK(Sidecar::open(agent.dir, "task-2").error().message.find("no sidecar") != std::string::npos);
}

TEST_CASE("an id taken by a link or a file is taken") {
  Scratch outside;
  Agent agent;
  ::symlink(outside.path().c_str(), (agent.scratch / "sidecars/link").c_str());
  spit(agent.scratch / "sidecars/file", "");
  for (const char* id : {"link", "file"}) {
    CHECK(Sidecar::create(agent.dir, id).error().message.find("taken") != std::string::npos);
    CHECK_FALSE(Sidecar::open(agent.dir, id).ok());
  }
  CHECK(entries_in(outside.path()) == 0);
}

TEST_CASE("default ids are valid whatever the preset is called") {
  const std::int64_t when = 1795230720000;
  CHECK(Sidecar::default_id("review", when).compare(0, 24, "review-20261121T031200Z-") == 0);
  CHECK(Sidecar::default_id("review", when).size() == 28);
  for (const std::string& preset :
       {std::string(), std::string("../../etc/passwd"), std::string(500, 'x'),
        std::string("\xc3\xa4\n"), std::string("._-")}) {
    const auto id = Sidecar::default_id(preset, when);
    CHECK(is_valid_id(id));
  }
}

TEST_CASE("a step's name is its key where it can be, and never another's") {
  CHECK(Sidecar::step_name("correctness") == "correctness");
  CHECK(Sidecar::step_name("root/review/risks").compare(0, 18, "root-review-risks-") == 0);
  std::set<std::string> names;
  const std::string keys[] = {"a/b",
                              "a b",
                              "a-b",
                              "a\nb",
                              "A-b",
                              "a-B",
                              "",
                              "/",
                              "..",
                              ".",
                              std::string(64, 'x'),
                              std::string(65, 'x'),
                              std::string(66, 'x'),
                              "\xff",
                              "\xc3\xa4",
                              "-a",
                              "_a",
                              std::string("a\0b", 3),
                              Sidecar::step_name("a/b"),
                              "steps",
                              "CON"};
  for (const auto& key : keys) {
    auto name = Sidecar::step_name(key);
    CHECK(is_valid_id(name));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    CHECK(names.insert(name).second);
  }
}

TEST_CASE("each step has its own folder, found again by its key") {
  Agent agent;
  auto sidecar = Sidecar::create(agent.dir, "t");
  REQUIRE(sidecar);
  REQUIRE(sidecar->step("a/b")->write_text("prompt.md", "one").ok());
  REQUIRE(sidecar->step("a/c")->write_text("prompt.md", "two").ok());
  CHECK(slurp(sidecar->step("a/b")->dir().path_of("prompt.md")) == "one");
  CHECK(entries_in(agent.scratch / "sidecars/t/steps") == 2);
}

TEST_CASE("known files are written with caps, others refused") {
  Agent agent;
  auto sidecar = Sidecar::create(agent.dir, "t");
  REQUIRE(sidecar);
  const auto& root = sidecar->root();
  const std::string odd("as it came \xff\0\r\n", 15);
  REQUIRE(root.write_text("output.md", odd).ok());
  CHECK(slurp(root.dir().path_of("output.md")) == odd);
  REQUIRE(root.write_json("model.json", {{"model", "\xff"}}).ok());
  CHECK(nlohmann::json::parse(slurp(root.dir().path_of("model.json"))).is_object());

  const std::string large(CallDir::cap_of("model.md") + 1000, 'x');
  REQUIRE(root.write_text("model.md", large).ok());
  const auto cut = slurp(root.dir().path_of("model.md"));
  CHECK(cut.size() < large.size());
  CHECK(cut.find("1000 bytes left out") != std::string::npos);
  CHECK(root.write_json("exit.json", std::string(2 << 20, 'x')).error().kind == ErrorKind::kLimit);
  CHECK_FALSE(root.dir().exists("exit.json"));

  for (const char* name : {"other.md", "../x", "model.json", "stdout.log", ""}) {
    CHECK_FALSE(root.write_text(name, "x").ok());
  }
  CHECK_FALSE(root.write_json("model.md", {}).ok());
  CHECK(root.open_log("stdout.log").ok());
  CHECK_FALSE(root.open_log("output.md").ok());
}

TEST_CASE("the agent's links in out/ and beside it are not followed") {
  Scratch outside;
  Agent agent;
  auto sidecar = Sidecar::create(agent.dir, "t");
  REQUIRE(sidecar);
  spit(outside / "file", "theirs");
  const auto& root = sidecar->root();
  for (const char* name : {"output.md", "stdout.log", "steps"}) {
    ::symlink((outside / "file").c_str(), root.dir().path_of(name).c_str());
  }
  CHECK(root.write_text("output.md", "mine").ok());
  CHECK_FALSE(root.open_log("stdout.log").ok());
  CHECK_FALSE(sidecar->step("a").ok());
  CHECK(slurp(outside / "file") == "theirs");
}
