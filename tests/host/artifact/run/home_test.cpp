#include "host/artifact/run/home.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "host/process/client/helper.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

Result<Home> find(const std::string& folder) {
  return Home::find(folder, ask_git({"PATH=/usr/local/bin:/usr/bin:/bin"}));
}

std::string real(const std::string& path) { return std::filesystem::canonical(path); }

int lines_with(const std::string& path, const std::string& line) {
  std::ifstream in(path);
  int count = 0;
  for (std::string one; std::getline(in, one);) count += one == line;
  return count;
}

}  // namespace

TEST_CASE("outside git the home is the folder itself") {
  Scratch scratch;
  auto home = Home::find(scratch.path());
  REQUIRE(home);
  CHECK(home->root() == real(scratch.path()));
  CHECK(home->git().top.empty());
  CHECK(home->existing().value() == nullptr);
  CHECK(entries_in(scratch.path()) == 0);
  REQUIRE(home->make());
  CHECK(home->existing().value() != nullptr);
  for (const char* name : {"runs", "sidecars", "tasks", "live"}) {
    CHECK(std::filesystem::is_directory(scratch / ".agent/" + name));
  }
  CHECK_FALSE(Home::find(scratch / "missing").ok());
  CHECK_FALSE(Home::find("relative").ok());
}

TEST_CASE("in a repository the home is its top, excluded once") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(), "git init && mkdir -p a/b && printf 'last line' > .git/info/exclude"));
  auto home = Home::find(scratch / "a/b");
  REQUIRE(home);
  CHECK(home->root() == real(scratch.path()));
  CHECK(entries_in(scratch.path()) == 2);
  REQUIRE(home->make());
  CHECK(slurp(scratch / ".git/info/exclude") == "last line\n/.agent/\n");
  REQUIRE(Home::find(scratch.path())->make());
  CHECK(slurp(scratch / ".git/info/exclude") == "last line\n/.agent/\n");
  CHECK(sh(scratch.path(), "touch .agent/x && test -z \"$(git status --porcelain)\""));
  CHECK(home->warning().empty());
}

TEST_CASE("the exclude file is made where missing, and left alone where .gitignore does it") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(), "git init && rm -rf .git/info"));
  REQUIRE(Home::find(scratch.path())->make());
  CHECK(slurp(scratch / ".git/info/exclude") == "/.agent/\n");
  REQUIRE(sh(scratch.path(), "rm -rf .git/info && printf 'x\\r\\n.agent\\r\\n' > .gitignore"));
  REQUIRE(Home::find(scratch.path())->make());
  CHECK_FALSE(std::filesystem::exists(scratch / ".git/info/exclude"));
}

TEST_CASE("many hosts at once exclude it once") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(), "git init"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { (void)Home::find(scratch.path())->make(); });
  }
  for (auto& thread : threads) thread.join();
  CHECK(lines_with(scratch / ".git/info/exclude", "/.agent/") == 1);
}

TEST_CASE("a tracked .agent is not excluded") {
  for (const char* setup : {"git init", "git init --object-format=sha256"}) {
    Scratch scratch;
    REQUIRE(sh(scratch.path(), std::string(setup) + "; mkdir -p .agent/tasks src/.agent && touch "
                                                    ".agent/t src/.agent/x .agentx && git add ."));
    REQUIRE(find(scratch.path())->make());
    CHECK(lines_with(scratch / ".git/info/exclude", "/.agent/") == 0);
    REQUIRE(sh(scratch.path(), "git rm -r --cached .agent"));
    REQUIRE(find(scratch.path())->make());
    CHECK(lines_with(scratch / ".git/info/exclude", "/.agent/") == 1);
  }
}

TEST_CASE("a repository with a damaged index excludes .agent") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(), "git init && mkdir .agent && touch .agent/x && git add -f ."));
  spit(scratch / ".git/index", "DIRC");
  REQUIRE(find(scratch.path())->make());
  CHECK(lines_with(scratch / ".git/info/exclude", "/.agent/") == 1);
}

TEST_CASE("linked work trees share the main one's home") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(),
             "git init main && cd main && git commit --allow-empty -m x && "
             "git worktree add ../linked && mkdir ../linked/deep"));
  auto home = Home::find(scratch / "linked/deep");
  REQUIRE(home);
  CHECK(home->root() == real(scratch / "main"));
  CHECK(home->work_tree() == real(scratch / "linked"));
  REQUIRE(home->make());
  CHECK(std::filesystem::is_directory(scratch / "main/.agent"));
  CHECK_FALSE(std::filesystem::exists(scratch / "linked/.agent"));
  CHECK(lines_with(scratch / "main/.git/info/exclude", "/.agent/") == 1);
}

TEST_CASE("work trees of a bare repository have a home each") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(),
             "git init src && cd src && git commit --allow-empty -m x && cd .. && "
             "git clone --bare src repo.git && cd repo.git && git worktree add ../tree"));
  auto home = Home::find(scratch / "tree");
  REQUIRE(home);
  CHECK(home->root() == real(scratch / "tree"));
  REQUIRE(home->make());
  CHECK(sh(scratch / "tree", "touch .agent/x && test -z \"$(git status --porcelain)\""));

  for (const char* bare : {"repo.git", "repo.git/objects", "src/.git"}) {
    const auto error = Home::find(scratch / bare).error();
    CHECK(error.kind == ErrorKind::kInvalid);
    CHECK(error.message.find("without a work tree") != std::string::npos);
    CHECK(error.hint.find("--repo") != std::string::npos);
  }
}

TEST_CASE("a submodule has a home of its own, shared by its work trees") {
  Scratch scratch;
  REQUIRE(
      sh(scratch.path(),
         "git init lib && cd lib && git commit --allow-empty -m x && cd .. && git init super && "
         "cd super && git -c protocol.file.allow=always submodule add ../lib sub && cd sub && "
         "git worktree add ../../subtree"));
  auto home = Home::find(scratch / "super/sub");
  REQUIRE(home);
  CHECK(home->root() == real(scratch / "super/sub"));
  REQUIRE(home->make());
  CHECK(sh(scratch / "super/sub", "touch .agent/x && test -z \"$(git status --porcelain)\""));
  CHECK(find(scratch / "subtree")->root() == real(scratch / "super/sub"));
}

TEST_CASE("a repository kept elsewhere is found") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(), "git init --separate-git-dir=store tree"));
  auto home = Home::find(scratch / "tree");
  REQUIRE(home);
  CHECK(home->root() == real(scratch / "tree"));
  CHECK(home->git().common_dir == real(scratch / "store"));
}

TEST_CASE("damaged .git files are named, with a hint") {
  Scratch scratch;
  const std::string nul("gitdir: a\0b\n", 12);
  for (const std::string& text :
       {std::string(), std::string("rubbish\n"), std::string("gitdir:\n"),
        std::string("gitdir: /nowhere/at/all\n"), std::string("gitdir: .\n"), nul,
        "gitdir: " + std::string(10'000, 'x'), std::string(2 << 20, 'x')}) {
    spit(scratch / ".git", text);
    const auto home = Home::find(scratch.path());
    REQUIRE_FALSE(home.ok());
    CHECK(home.error().message.find(".git is damaged") != std::string::npos);
    CHECK_FALSE(home.error().hint.empty());
  }
  REQUIRE(sh(scratch.path(), "rm .git && git init && rm .git/HEAD"));
  CHECK(Home::find(scratch.path())->git().top.empty());
}

TEST_CASE("a linked .agent is refused") {
  Scratch elsewhere, scratch;
  REQUIRE(::symlink(elsewhere.path().c_str(), (scratch / ".agent").c_str()) == 0);
  auto home = Home::find(scratch.path());
  REQUIRE(home);
  const auto made = home->make();
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message.find("ELOOP") != std::string::npos);
  CHECK_FALSE(home->existing().ok());
  CHECK(entries_in(elsewhere.path()) == 0);
}

TEST_CASE("an exclude file that is a link is a warning, not a failure") {
  Scratch scratch;
  REQUIRE(sh(scratch.path(), "git init && touch other && ln -sf ../../other .git/info/exclude"));
  auto home = Home::find(scratch.path());
  REQUIRE(home);
  REQUIRE(home->make());
  CHECK(home->warning().find("not excluded from git") != std::string::npos);
  CHECK(slurp(scratch / "other").empty());
}
