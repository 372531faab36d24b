#include "host/artifact/run/sidecar.h"

#include <set>
#include <utility>

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
  REQUIRE(make_sidecar(agent.dir, "task-1"));
  CHECK(std::filesystem::is_directory(agent.scratch / "sidecars/task-1/out"));
  const auto taken = make_sidecar(agent.dir, "task-1").error();
  CHECK(taken.kind == ErrorKind::kInvalid);
  CHECK(taken.message.find("taken") != std::string::npos);
  for (const char* id : {"", "..", "../x", "a/b", ".hidden", "a b"}) {
    CHECK(make_sidecar(agent.dir, id).error().kind == ErrorKind::kInvalid);
  }
  CHECK(entries_in(agent.scratch / "sidecars") == 1);
}

TEST_CASE("an id taken by a link or a file is taken") {
  Scratch outside;
  Agent agent;
  ::symlink(outside.path().c_str(), (agent.scratch / "sidecars/link").c_str());
  spit(agent.scratch / "sidecars/file", "");
  for (const char* id : {"link", "file"}) {
    CHECK(make_sidecar(agent.dir, id).error().message.find("taken") != std::string::npos);
  }
  CHECK(entries_in(outside.path()) == 0);
}

TEST_CASE("default ids are valid whatever the preset is called") {
  const std::int64_t when = 1795230720000;
  CHECK(default_task_id("review", when).compare(0, 24, "review-20261121T031200Z-") == 0);
  CHECK(default_task_id("review", when).size() == 28);
  for (const std::string& preset :
       {std::string(), std::string("../../etc/passwd"), std::string(500, 'x'),
        std::string("\xc3\xa4\n"), std::string("._-")}) {
    const auto id = default_task_id(preset, when);
    CHECK(is_valid_id(id));
  }
}

TEST_CASE("a step's name is its key where it can be, and never another's") {
  CHECK(step_name("correctness") == "correctness");
  CHECK(step_name("root/review/risks").compare(0, 18, "root-review-risks-") == 0);
  CHECK(step_name("review%2Frisks%232").compare(0, 15, "review-risks-2-") == 0);
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
                              step_name("a/b"),
                              "steps",
                              "CON"};
  for (const auto& key : keys) {
    auto name = step_name(key);
    CHECK(is_valid_id(name));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    CHECK(names.insert(name).second);
  }
}
