#include "host/executor/session.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"

using namespace moonlet;
using namespace moonlet::executor;
namespace fs = std::filesystem;

TEST_CASE("executor session: STATE_DIR is a folder of its own") {
  char name[] = "/tmp/executor-session-XXXXXX";
  const std::string top = ::mkdtemp(name), root = top + "/root";
  fs::create_directories(root + "/src");
  fs::create_directories(root + "/empty");
  std::ofstream(root + "/src/a.c") << "a";
  std::ofstream(root + "/src/a.json") << "{}";
  fs::create_directory_symlink(root, top + "/link");
  auto dir = Dir::open(root);
  REQUIRE(dir);
  const Redactor none;
  const auto open = [&](const std::string& path) { return open_state_dir(path, *dir); };

  for (const std::string& path : {root, root + "/", top, root + "/src/..", top + "/link",
                                  root + "/.codex-sessions/../", root + "/src"}) {
    CAPTURE(path);
    if (path.find("sessions") != std::string::npos) fs::create_directory(root + "/.codex-sessions");
    auto state = open(path);
    REQUIRE(!state);
    CHECK(state.error().kind == ErrorKind::kInvalid);
    CHECK(state.error().hint.find("new or empty") != std::string::npos);
  }
  CHECK(!fs::exists(root + "/.gitignore"));
  CHECK(!fs::exists(top + "/.gitignore"));
  CHECK(!fs::exists(root + "/src/.gitignore"));

  // An empty folder is accepted, but git does not ignore other files that are put into it.
  REQUIRE(open(root + "/empty"));
  CHECK(!fs::exists(root + "/empty/.gitignore"));
  for (const std::string& path : {root + "/state", root + "/.codex-sessions/tasks"}) {
    auto state = open(path);
    REQUIRE(state);
    CHECK(fs::exists(path + "/.gitignore"));
    auto session = Session::open(*state, "t-1", none);
    REQUIRE(session);
    REQUIRE(session->save());
    CHECK(open(path).ok());
  }
  std::ofstream(root + "/state/a.c") << "a";
  CHECK(!open(root + "/state"));
  fs::remove_all(top);
}

TEST_CASE("executor session: the session of another task is refused") {
  char name[] = "/tmp/executor-session-XXXXXX";
  const std::string top = ::mkdtemp(name);
  auto state = Dir::open(top);
  REQUIRE(state);
  const Redactor none;
  {
    auto session = Session::open(*state, "theirs", none);
    REQUIRE(session);
    REQUIRE(session->save());
  }
  fs::copy_file(top + "/theirs.json", top + "/mine.json");
  auto session = Session::open(*state, "mine", none);
  REQUIRE(!session);
  CHECK(session.error().message.find("'theirs'") != std::string::npos);
  CHECK(Session::open(*state, "theirs", none).ok());
  fs::remove_all(top);
}
