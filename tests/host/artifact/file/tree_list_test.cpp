#include "host/artifact/file/tree_list.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

struct Tree {
  Scratch scratch, lists;
  Dir top = std::move(*Dir::open(scratch.path()));
  Dir list_dir = std::move(*Dir::open(lists.path()));

  Tree() {
    std::filesystem::create_directories(scratch / "a/b");
    std::filesystem::create_directories(scratch / ".git");
    spit(scratch / "one", "1");
    spit(scratch / "a/two", "2");
    spit(scratch / "a/b/three", "3");
    record();
  }

  void record() {
    TreeList list;
    REQUIRE(list.update(top, {}).ok());
    REQUIRE(list.save(list_dir, "list").ok());
  }

  // Returns each change as "path was>is".
  std::vector<std::string> changes(const std::vector<std::string>& only = {}) {
    TreeList list = std::move(*TreeList::load(list_dir, "list"));
    auto found = list.update(top, {only, {}, nullptr});
    REQUIRE(found.ok());
    REQUIRE(list.save(list_dir, "list").ok());
    std::vector<std::string> texts;
    for (const TreeChange& change : *found) {
      texts.push_back(change.path + " " + change.was + ">" + change.is);
    }
    return texts;
  }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("an unchanged tree has no changes, and .git at the top does not count") {
  Tree tree;
  CHECK(tree.changes().empty());
  spit(tree.scratch / ".git/config", "x");
  CHECK(tree.changes().empty());
}

TEST_CASE("a file is changed even if its size and modification time are set back") {
  Tree tree;
  struct stat info;
  REQUIRE(::stat((tree.scratch / "a/b/three").c_str(), &info) == 0);
  const timespec times[2] = {info.st_atim, info.st_mtim};
  spit(tree.scratch / "a/b/three", "4");
  REQUIRE(::utimensat(AT_FDCWD, (tree.scratch / "a/b/three").c_str(), times, 0) == 0);
  CHECK(tree.changes() == Texts{"a/b/three f>f"});
  CHECK(tree.changes().empty());
}

TEST_CASE("new, removed and replaced entries of a tree are changes") {
  Tree tree;
  spit(tree.scratch / "a/new", "");
  std::filesystem::create_directories(tree.scratch / "c/d");
  spit(tree.scratch / "c/d/e", "");
  CHECK(tree.changes() == Texts{"a/new ->f", "c ->d", "c/d ->d", "c/d/e ->f"});
  std::filesystem::remove_all(tree.scratch / "c");
  std::filesystem::remove(tree.scratch / "a/new");
  spit(tree.scratch / "c", "a file now");
  CHECK(tree.changes() == Texts{"a/new f>-", "c d>-", "c ->f", "c/d d>-", "c/d/e f>-"});
  std::filesystem::rename(tree.scratch / "a", tree.scratch / "moved");
  std::filesystem::create_symlink("moved", tree.scratch / "a");
  CHECK(tree.changes() == Texts{"a d>-", "a ->l", "a/b d>-", "a/b/three f>-", "a/two f>-",
                                "moved ->d", "moved/b ->d", "moved/b/three ->f", "moved/two ->f"});
  CHECK(tree.changes().empty());
}

TEST_CASE("a folder's mode is a change, its times are not") {
  Tree tree;
  REQUIRE(::chmod((tree.scratch / "a").c_str(), 0700) == 0);
  CHECK(tree.changes() == Texts{"a d>d"});
  REQUIRE(::utimensat(AT_FDCWD, (tree.scratch / "a").c_str(), nullptr, 0) == 0);
  CHECK(tree.changes().empty());
  REQUIRE(::chmod(tree.scratch.path().c_str(), 0750) == 0);
  CHECK(tree.changes() == Texts{" d>d"});
}

TEST_CASE("an update that is limited to paths leaves the other entries as they are listed") {
  Tree tree;
  spit(tree.scratch / "one", "changed");
  spit(tree.scratch / "a/b/three", "changed");
  std::filesystem::create_directories(tree.scratch / "new/deep");
  CHECK(tree.changes({"a/b/three", "new"}) == Texts{"a/b/three f>f", "new ->d", "new/deep ->d"});
  CHECK(tree.changes() == Texts{"one f>f"});
}

TEST_CASE("a skipped path of a tree is in no list") {
  Tree tree;
  std::filesystem::create_directories(tree.scratch / "a/kept/deep");
  spit(tree.scratch / "a/kept/deep/x", "");
  TreeList list = std::move(*TreeList::load(tree.list_dir, "list"));
  const auto found = list.update(tree.top, {{}, {"a/kept"}, nullptr});
  REQUIRE(found.ok());
  CHECK(found->empty());
  CHECK(list.files() == 3);
}

TEST_CASE("an incomplete list of a tree is refused") {
  Tree tree;
  const std::string text = slurp(tree.lists / "list");
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{9}, text.size() / 2, text.size() - 1}) {
    spit(tree.lists / "list", text.substr(0, size));
    CHECK_FALSE(TreeList::load(tree.list_dir, "list").ok());
  }
  spit(tree.lists / "list", text);
  CHECK(TreeList::load(tree.list_dir, "list").ok());
}

TEST_CASE("a list of a tree in which a power cut left a sector of zeros is refused") {
  constexpr std::size_t kSector = 512;
  Tree tree;
  for (int i = 0; i < 30; ++i) {
    const std::string folder = "a/" + std::string(static_cast<std::size_t>(i) * 8 + 1, 'x');
    std::filesystem::create_directories(tree.scratch / folder);
    spit(tree.scratch / (folder + "/file"), "");
  }
  tree.record();
  const std::string text = slurp(tree.lists / "list");
  REQUIRE(text.size() > 10 * kSector);
  for (std::size_t at = 0; at + kSector <= text.size(); at += 37) {
    std::string holed = text;
    holed.replace(at, kSector, kSector, '\0');
    spit(tree.lists / "list", holed);
    CHECK_FALSE(TreeList::load(tree.list_dir, "list").ok());
  }
}

#ifdef __linux__
TEST_CASE("extended attributes of a folder are a change", "[linux]") {
  Tree tree;
  const std::string folder = tree.scratch / "a";
  if (::setxattr(folder.c_str(), "user.moonlet", "1", 1, 0) != 0)
    return;  // the file system has no user attributes
  CHECK(tree.changes() == Texts{"a d>d"});
  spit(tree.scratch / "a/new", "");
  CHECK(tree.changes() == Texts{"a/new ->f"});
  REQUIRE(::setxattr(folder.c_str(), "user.moonlet", "2", 1, 0) == 0);
  CHECK(tree.changes() == Texts{"a d>d"});
}
#endif
