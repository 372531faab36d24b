#include "host/executor/tools/guard.h"

#include "host/executor/changes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"

using namespace moonlet;
using namespace moonlet::executor;
namespace fs = std::filesystem;

namespace {

/// A repository with hooks and a config, as a command finds it.
struct Repository {
  Repository() {
    char name[] = "/tmp/executor-guard-XXXXXX";
    path = ::mkdtemp(name);
    fs::create_directories(path + "/.git/hooks");
    fs::create_directories(path + "/.git/objects/ab");
    write(".git/config", "[core]\n");
    write(".git/hooks/pre-commit", "#!/bin/sh\n");
    ::chmod((path + "/.git/hooks/pre-commit").c_str(), 0755);
    write("a.txt", "a\n");
  }
  ~Repository() { fs::remove_all(path); }
  void write(const std::string& rel, const std::string& text) const {
    std::ofstream(path + "/" + rel) << text;
  }
  std::string read(const std::string& rel) const {
    std::ifstream file(path + "/" + rel);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool has(const std::string& rel) const {
    return fs::exists(fs::symlink_status(path + "/" + rel));
  }
  std::string path;
};

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("executor guard: a change in a read-only place is undone") {
  const Repository repository;
  const Workspace workspace(std::move(*Dir::open(repository.path)), "");
  Guard guard(workspace);
  guard.remember();
  CHECK(guard.put_back().empty());

  SECTION("edited, made executable, removed and new files") {
    repository.write(".git/config", "[user]\n");
    repository.write(".git/hooks/post-checkout", "evil\n");
    ::unlink((repository.path + "/.git/hooks/pre-commit").c_str());
    fs::create_directories(repository.path + "/.claude/commands");
    repository.write(".claude/commands/evil.md", "x");
    repository.write(".mcp.json", "{}");
    CHECK(guard.put_back() == Paths{".claude", ".git/config", ".git/hooks/post-checkout",
                                    ".git/hooks/pre-commit", ".mcp.json"});
    CHECK(!repository.has(".mcp.json"));
    CHECK(!repository.has(".claude"));
    CHECK(!repository.has(".git/hooks/post-checkout"));
  }
  SECTION("git's folder moved away, and another in its place") {
    fs::rename(repository.path + "/.git", repository.path + "/gone");
    fs::create_directories(repository.path + "/.git");
    repository.write(".git/config", "evil");
    CHECK(guard.put_back() == Paths{".git"});
    CHECK(!repository.has("gone"));
    CHECK(repository.has(".git/objects/ab"));
  }
  SECTION("git's folder moved into the one that takes its place") {
    fs::rename(repository.path + "/.git", repository.path + "/gone");
    fs::create_directories(repository.path + "/.git/deep");
    fs::rename(repository.path + "/gone", repository.path + "/.git/deep/gone");
    CHECK(guard.put_back() == Paths{".git"});
    CHECK(repository.has(".git/objects/ab"));
  }
  SECTION("git's folder removed, with objects that nobody remembers") {
    repository.write(".git/objects/ab/cd", "only here");
    guard.remember();
    fs::remove_all(repository.path + "/.git");
    CHECK(guard.put_back() == Paths{"!.git/objects", ".git/config", ".git/hooks/pre-commit"});
  }
  SECTION("git's folder as a link to the outside") {
    fs::rename(repository.path + "/.git", repository.path + "/gone");
    fs::create_directory_symlink("/tmp", repository.path + "/.git");
    guard.put_back();
    CHECK(fs::is_directory(fs::symlink_status(repository.path + "/.git")));
  }
  SECTION("a folder and a link in the place of files") {
    ::unlink((repository.path + "/.git/config").c_str());
    fs::create_directories(repository.path + "/.git/config/deep");
    ::unlink((repository.path + "/.git/hooks/pre-commit").c_str());
    ::symlink("/etc/passwd", (repository.path + "/.git/hooks/pre-commit").c_str());
    guard.put_back();
    CHECK(!fs::is_symlink(repository.path + "/.git/hooks/pre-commit"));
  }
  SECTION("a file that cannot run any more") {
    ::chmod((repository.path + "/.git/hooks/pre-commit").c_str(), 0644);
    CHECK(guard.put_back() == Paths{".git/hooks/pre-commit"});
  }
  CHECK(repository.read(".git/config") == "[core]\n");
  CHECK(repository.read(".git/hooks/pre-commit") == "#!/bin/sh\n");
  struct stat info {};
  ::stat((repository.path + "/.git/hooks/pre-commit").c_str(), &info);
  CHECK((info.st_mode & 0777) == 0755);
  CHECK(repository.read("a.txt") == "a\n");
  guard.remember();
  CHECK(guard.put_back().empty());
}

TEST_CASE("executor guard: places below the top are put back, too") {
  const Repository repository;
  fs::create_directories(repository.path + "/pkg/.git/hooks");
  fs::create_directories(repository.path + "/pkg/.git/objects");
  fs::create_directories(repository.path + "/pkg/.claude");
  fs::create_directories(repository.path + "/a/b/c");
  repository.write("pkg/.git/config", "[core]\n");
  repository.write("pkg/.git/objects/blob", "only here");
  repository.write("pkg/.claude/settings.json", "{}");
  const Workspace workspace(std::move(*Dir::open(repository.path)), "");
  Guard guard(workspace);
  guard.remember();
  SECTION("new and edited ones") {
    repository.write("pkg/.claude/settings.json", "evil");
    repository.write("pkg/.git/hooks/pre-commit", "evil");
    fs::create_directories(repository.path + "/a/b/c/.Claude");
    repository.write("a/b/c/.Claude/settings.json", "evil");
    fs::create_directory_symlink("/tmp", repository.path + "/a/.cursor");
    CHECK(guard.put_back() == Paths{"a/.cursor", "a/b/c/.Claude", "pkg/.claude/settings.json",
                                    "pkg/.git/hooks/pre-commit"});
    CHECK(!repository.has("a/b/c/.Claude"));
    CHECK(!repository.has("a/.cursor"));
    CHECK(!repository.has("pkg/.git/hooks/pre-commit"));
  }
  SECTION("a folder around one that is moved, with what cannot be remembered") {
    fs::rename(repository.path + "/pkg", repository.path + "/moved");
    CHECK(guard.put_back() == Paths{"pkg/.claude", "pkg/.git"});
    CHECK(!repository.has("moved/.git"));
  }
  SECTION("a folder around one that is removed") {
    fs::remove_all(repository.path + "/pkg/.claude");
    CHECK(guard.put_back() == Paths{"pkg/.claude/settings.json"});
  }
  SECTION("files that make programs start, of whatever tool") {
    fs::create_directories(repository.path + "/a/.github/hooks");
    fs::create_directories(repository.path + "/.VSCode");
    for (const char* path : {"a/.envrc", "a/x.code-workspace", "a/.github/hooks/a.json",
                             "a/.github/ci.yml", ".VSCode/tasks.json"}) {
      repository.write(path, "x");
    }
    fs::create_directory_symlink("/tmp", repository.path + "/.amazonq");
    CHECK(guard.put_back() ==
          Paths{".VSCode", ".amazonq", "a/.envrc", "a/.github/hooks", "a/x.code-workspace"});
    CHECK(repository.has("a/.github/ci.yml"));
  }
  CHECK(repository.read("pkg/.claude/settings.json") == "{}");
  CHECK(repository.read("pkg/.git/config") == "[core]\n");
  CHECK(repository.read("pkg/.git/objects/blob") == "only here");
  guard.remember();
  CHECK(guard.put_back().empty());
}

TEST_CASE("executor guard: changes by other processes in moonlet's records stay") {
  const Repository repository;
  fs::create_directories(repository.path + "/.agent/sidecars/t1");
  repository.write(".agent/sidecars/t1/stdout.log", "one\n");
  const Workspace workspace(std::move(*Dir::open(repository.path)), "");
  Guard guard(workspace);
  guard.remember();
  // A keeper appends to this log while the command runs, and the guard must not undo that.
  repository.write(".agent/sidecars/t1/stdout.log", "one\ntwo\n");
  CHECK(guard.put_back().empty());
  CHECK(repository.read(".agent/sidecars/t1/stdout.log") == "one\ntwo\n");
}

TEST_CASE("executor guard: a place that the kernel held is left to those who changed it") {
  const Repository repository;
  const Workspace workspace(std::move(*Dir::open(repository.path)), "");
  Guard guard(workspace);
  guard.remember({".git"});
  repository.write(".git/config", "[user]\n");
  fs::create_directories(repository.path + "/a/.git");
  repository.write(".mcp.json", "{}");
  CHECK(guard.put_back() == Paths{".mcp.json", "a/.git"});
  CHECK(repository.read(".git/config") == "[user]\n");
}

TEST_CASE("executor changes: settings of agents that changed are named") {
  const Repository repository;
  const Workspace workspace(std::move(*Dir::open(repository.path)), repository.path + "/state");
  auto state = Dir::make(repository.path + "/state");
  REQUIRE(state);
  Changes changes(workspace, std::move(*state), "t.baseline");
  REQUIRE(changes.begin());
  fs::create_directories(repository.path + "/pkg/.claude");
  fs::create_directories(repository.path + "/pkg/.git/objects");
  repository.write("pkg/.claude/settings.json", "x");
  repository.write("pkg/.git/config", "x");
  repository.write("pkg/.git/objects/blob", "x");
  repository.write(".mcp.json", "x");
  repository.write(".git/config", "x");
  Paths paths;
  bool partial = false;
  for (const Change& change : changes.now(partial)) paths.push_back(change.path);
  CHECK(paths == Paths{".mcp.json", "pkg/.claude/settings.json", "pkg/.git/config"});
}

TEST_CASE("executor changes: the limit ends the first look, and nothing is compared then") {
  const Repository repository;
  for (int i = 0; i < 200; ++i) repository.write("f" + std::to_string(i), "x");
  fs::create_directories(repository.path + "/state");
  const Workspace workspace(std::move(*Dir::open(repository.path)), repository.path + "/state");
  const auto changes = [&] {
    return Changes(workspace, std::move(*Dir::open(repository.path + "/state")), "t.baseline");
  };
  FakeClock clock;
  clock.advance(10);
  int stop[2];
  REQUIRE(::pipe(stop) == 0);
  REQUIRE(::write(stop[1], "", 1) == 1);
  for (const Limit& limit : {Limit{&clock, 5, -1}, Limit{&clock, 0, stop[0]}}) {
    Changes cut = changes();
    CHECK(!*cut.begin(limit));
    repository.write("new", "x");
    bool partial = false;
    CHECK(cut.now(partial).empty());
    CHECK(!repository.has("state/t.baseline"));
  }
  Changes whole = changes();
  CHECK(*whole.begin({&clock, 20, -1}));
  bool partial = false;
  CHECK(whole.now(partial).empty());
  CHECK(!partial);
  CHECK(whole.now(partial, {&clock, 5, -1}).empty());
  CHECK(partial);
  ::close(stop[0]);
  ::close(stop[1]);
}

TEST_CASE("executor changes: a new folder counts although it is empty") {
  const Repository repository;
  fs::create_directories(repository.path + "/old/empty");
  fs::create_directories(repository.path + "/full");
  repository.write("full/file", "x");
  const Workspace workspace(std::move(*Dir::open(repository.path)), repository.path + "/state");
  fs::create_directories(repository.path + "/state");
  const auto changed = [&](Changes& changes) {
    Paths paths;
    bool partial = false;
    for (const Change& change : changes.now(partial)) {
      paths.push_back(change.path + " " + change.what);
    }
    return paths;
  };
  Changes changes(workspace, std::move(*Dir::open(repository.path + "/state")), "t.baseline");
  REQUIRE(changes.begin());
  CHECK(changed(changes).empty());
  fs::create_directories(repository.path + "/made/below");
  fs::remove(repository.path + "/full/file");
  repository.write("old/empty/file", "x");
  const Paths expected{"full/file deleted", "made/below/ created", "old/empty/file created"};
  CHECK(changed(changes) == expected);
  // A process that takes over the session compares with the same baseline.
  Changes next(workspace, std::move(*Dir::open(repository.path + "/state")), "t.baseline");
  REQUIRE(next.begin());
  CHECK(changed(next) == expected);
}

TEST_CASE("executor guard: objects of git and other files are the command's to write") {
  const Repository repository;
  const Workspace workspace(std::move(*Dir::open(repository.path)), "");
  Guard guard(workspace);
  guard.remember();
  repository.write(".git/objects/ab/cd", "blob");
  repository.write("a.txt", "b\n");
  CHECK(guard.put_back().empty());
  CHECK(repository.read("a.txt") == "b\n");
}

TEST_CASE("executor guard: a file that is too large to remember is named when it changed") {
  const Repository repository;
  repository.write(".git/large", std::string(2 << 20, 'x'));
  const Workspace workspace(std::move(*Dir::open(repository.path)), "");
  Guard guard(workspace);
  guard.remember();
  repository.write(".git/large", "y");
  CHECK(guard.put_back() == Paths{"!.git/large"});
}
