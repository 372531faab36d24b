#include "host/artifact/run/git_index.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

Result<GitIndexFacts> facts_after(const Scratch& scratch, const std::string& script,
                                  std::size_t id_bytes = 20) {
  REQUIRE(sh(scratch.path(), script));
  std::ifstream in(scratch / ".git/index", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  auto facts = git_index_facts(bytes, id_bytes);
  if (facts) std::sort(facts->folders.begin(), facts->folders.end());
  CHECK_FALSE(git_index_facts(std::string_view(bytes).substr(0, bytes.size() / 2), id_bytes).ok());
  return facts;
}

constexpr const char* kFiles =
    "mkdir -p a/b/c a/b.d e && touch a/b/c/f a/b/c/.gitattributes a/b.d/g e/h top .gitattributes"
    " a/x.gitattributes && git add . && git commit -m files";

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a git index of every version tells its folders and attribute files") {
  const Names folders{"", "a", "a/b", "a/b.d", "a/b/c", "e"};
  for (const char* version : {"2", "3", "4"}) {
    Scratch scratch;
    auto facts = facts_after(scratch, std::string("git init && ") + kFiles +
                                          " && git update-index --index-version " + version);
    REQUIRE(facts);
    CHECK(facts->folders == folders);
    CHECK(facts->attributes == Names{".gitattributes", "a/b/c/.gitattributes"});
    CHECK_FALSE(facts->has_flags);
    CHECK_FALSE(facts->has_submodules);
  }
  Scratch scratch;
  auto facts =
      facts_after(scratch, std::string("git init --object-format=sha256 && ") + kFiles, 32);
  REQUIRE(facts);
  CHECK(facts->folders == folders);
}

TEST_CASE("a git index tells flags, merges and submodules") {
  for (const char* version : {"2", "4"}) {
    Scratch scratch;
    const auto setup = std::string("git init -b main && ") + kFiles +
                       " && git update-index --index-version " + version;
    REQUIRE_FALSE(facts_after(scratch, setup)->has_flags);
    CHECK(facts_after(scratch, "git update-index --skip-worktree a/b/c/f")->has_flags);
    REQUIRE_FALSE(facts_after(scratch, "git update-index --no-skip-worktree a/b/c/f")->has_flags);
    CHECK(facts_after(scratch, "git update-index --assume-unchanged top")->has_flags);
    REQUIRE_FALSE(facts_after(scratch, "git update-index --no-assume-unchanged top")->has_flags);
    CHECK_FALSE(facts_after(scratch, "echo new >new && git add -N new")->has_flags);
    REQUIRE(facts_after(scratch,
                        "git init sub && cd sub && git commit --allow-empty -m sub && cd .."
                        " && git add sub && git rm -q --cached new")
                ->has_submodules);
    CHECK(facts_after(scratch,
                      "git commit -m sub && git checkout -b other && echo 1 >top &&"
                      " git commit -am 1 && git checkout main && echo 2 >top &&"
                      " git commit -am 2 && ! git merge other")
              ->has_flags);
  }
}

TEST_CASE("an index that only git can read is refused") {
  Scratch split, sparse;
  CHECK_FALSE(facts_after(
      split, std::string("git init && ") + kFiles + " && git update-index --split-index"));
  CHECK_FALSE(facts_after(sparse, std::string("git init && ") + kFiles +
                                      " && git sparse-checkout set --cone --sparse-index e"));
  CHECK_FALSE(git_index_facts("", 20).ok());
  CHECK_FALSE(git_index_facts(std::string(100, '\0'), 20).ok());
}
