#include "host/artifact/file/swap.h"

#include <fcntl.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif
#include <unistd.h>

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

std::string content(const Dir& dir, const std::string& path) {
  auto found = content_of(dir, path, Durable::kNo);
  REQUIRE(found);
  return *found;
}

unsigned mode_of(const std::string& path) {
  struct stat info {};
  ::lstat(path.c_str(), &info);
  return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("content_of() changes with the content of a name") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  spit(scratch / "a", "x");
  ::chmod((scratch / "a").c_str(), 0640);
  const std::string first = content(*dir, "a");
  CHECK(first.compare(0, 9, "file 640 ") == 0);
  ::chmod((scratch / "a").c_str(), 0600);
  CHECK(content(*dir, "a") != first);
  spit(scratch / "b", "y");
  ::chmod((scratch / "b").c_str(), 0640);
  CHECK(content(*dir, "b") != first);
  CHECK(::symlink("nowhere", (scratch / "link").c_str()) == 0);
  CHECK(::symlink("elsewhere", (scratch / "other").c_str()) == 0);
  CHECK(content(*dir, "link").compare(0, 5, "link ") == 0);
  CHECK(content(*dir, "link") != content(*dir, "other"));
  CHECK(content(*dir, "missing").empty());
  CHECK(content(*dir, "a/below").empty());
  CHECK(content(*dir, "link/below") == "beyond");
  CHECK(::mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  CHECK(content(*dir, "fifo") == "special");
  ::mkdir((scratch / "folder").c_str(), 0700);
  CHECK(content(*dir, "folder") == "directory");
  for (const char* bad : {"", "/etc/passwd", "..", "folder/../a", "./a", "folder//a"}) {
    CHECK_FALSE(content_of(*dir, bad, Durable::kNo).ok());
    CHECK_FALSE(swap_files(*dir, bad, *dir, "a").ok());
    CHECK_FALSE(swap_files(*dir, "a", *dir, bad).ok());
  }
}

namespace {

void check_swaps(const Dir& work, const Dir& stage) {
  // Both files exist, and have different types.
  spit(work.path_of("f"), "old");
  ::chmod(work.path_of("f").c_str(), 0600);
  CHECK(::symlink("target", stage.path_of("1").c_str()) == 0);
  const std::string old = content(work, "f");
  const std::string next = content(stage, "1");
  REQUIRE(swap_files(work, "f", stage, "1"));
  CHECK(content(work, "f") == next);
  CHECK(content(stage, "1") == old);
  REQUIRE(swap_files(work, "f", stage, "1"));
  CHECK(slurp(work.path_of("f")) == "old");
  CHECK(mode_of(work.path_of("f")) == 0600);
  CHECK(content(stage, "1") == next);
  // Only one file exists; it moves to the other name.
  REQUIRE(swap_files(work, "g", stage, "1"));
  CHECK(content(work, "g") == next);
  CHECK(content(stage, "1").empty());
  REQUIRE(swap_files(work, "g", stage, "1"));
  CHECK(content(work, "g").empty());
  CHECK(content(stage, "1") == next);
  // Missing files and folders are refused.
  CHECK_FALSE(swap_files(work, "g", stage, "2").ok());
  ::mkdir(work.path_of("d").c_str(), 0700);
  CHECK_FALSE(swap_files(work, "d", stage, "1").ok());
  CHECK(content(stage, "1") == next);
  CHECK_FALSE(swap_files(work, "link/below", stage, "1").ok());
  CHECK(entries_in(stage.path()) == 1);
  CHECK(entries_in(work.path()) == 2);
}

}  // namespace

TEST_CASE("two files change places, and one goes where the other would be") {
  Scratch a, b;
  auto work = Dir::open(a.path());
  auto stage = Dir::open(b.path());
  REQUIRE(work);
  REQUIRE(stage);
  check_swaps(*work, *stage);
}

TEST_CASE("they do so between two file systems") {
  Scratch b;
  Scratch a(memory_folder());
  auto work = Dir::open(a.path());
  auto stage = Dir::open(b.path());
  REQUIRE(work);
  REQUIRE(stage);
  check_swaps(*work, *stage);
}

TEST_CASE("a folder goes only when nothing is in it") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  ::mkdir((scratch / "d").c_str(), 0700);
  spit(scratch / "d/f", "x");
  auto removed = remove_empty(*dir, "d");
  REQUIRE(removed);
  CHECK_FALSE(*removed);
  removed = remove_empty(*dir, "d/f");
  REQUIRE(removed);
  CHECK_FALSE(*removed);
  CHECK(slurp(scratch / "d/f") == "x");
  ::unlink((scratch / "d/f").c_str());
  removed = remove_empty(*dir, "d");
  REQUIRE(removed);
  CHECK(*removed);
  CHECK(set_mode(*dir, "missing", 0600).ok() == false);
  spit(scratch / "f", "x");
  CHECK(set_mode(*dir, "f", 0751));
  CHECK(mode_of(scratch / "f") == 0751);
}

#ifdef __linux__
TEST_CASE("a new file has the access list that its folder hands on", "[linux]") {
  Scratch a, b;
  auto work = Dir::open(a.path());
  auto stage = Dir::open(b.path());
  REQUIRE(work);
  REQUIRE(stage);
  ::mkdir((a / "for").c_str(), 0755);
  // u::rwx g::r-x g:65534:rwx m::rwx o::---
  const unsigned char list[] = {2, 0,   0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 4,   0,  5,
                                0, 255, 255, 255, 255, 8,   0,  7, 0,   254, 255, 0,   0,   16, 0,
                                7, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};
  const std::string folder = a / "for";
  if (::setxattr(folder.c_str(), "system.posix_acl_default", list, sizeof list, 0) != 0) return;
  for (const mode_t mode : {0666, 0777}) {
    const std::string own = folder + "/own";
    ::unlink(own.c_str());
    ::close(::open(own.c_str(), O_CREAT | O_WRONLY, mode));
    spit(b / "1", "new");
    ::chmod((b / "1").c_str(), mode & ~022U);
    REQUIRE(inherit(*stage, "1", *work, "for/below/f"));
    char expected[256], found[256];
    const auto size = ::getxattr(own.c_str(), "system.posix_acl_access", expected, 256);
    REQUIRE(size > 0);
    REQUIRE(::getxattr((b / "1").c_str(), "system.posix_acl_access", found, 256) == size);
    CHECK(std::string(expected, size) == std::string(found, size));
    CHECK(mode_of(b / "1") == mode_of(own));
  }
}
#endif

TEST_CASE("a file that takes the place of another one has its owner and attributes", "[linux]") {
  Scratch a, b;
  auto work = Dir::open(a.path());
  auto stage = Dir::open(b.path());
  REQUIRE(work);
  REQUIRE(stage);
  spit(a / "f", "old");
  spit(b / "1", "new");
  CHECK_FALSE(inherit(*stage, "missing", *work, "f").ok());
  CHECK_FALSE(inherit(*stage, "1", *work, "../f").ok());
#ifdef __linux__
  const bool has_attributes = ::setxattr((a / "f").c_str(), "user.tag", "x", 1, 0) == 0;
  REQUIRE(inherit(*stage, "1", *work, "f"));
  char value = 0;
  if (has_attributes) CHECK(::getxattr((b / "1").c_str(), "user.tag", &value, 1) == 1);
#endif
  CHECK(slurp(b / "1") == "new");
  // Neither a link nor a file inherits from the other kind.
  CHECK(::symlink("f", (a / "link").c_str()) == 0);
  CHECK(::symlink("f", (b / "2").c_str()) == 0);
  CHECK(inherit(*stage, "1", *work, "link"));
  CHECK(inherit(*stage, "2", *work, "f"));
  if (::geteuid() != 0) return;
  CHECK(::chown((a / "f").c_str(), 1000, 1234) == 0);
  ::mkdir((a / "shared").c_str(), 0755);
  CHECK(::chown((a / "shared").c_str(), 0, 1234) == 0);
  ::chmod((a / "shared").c_str(), 02775);
  struct stat info {};
  REQUIRE(inherit(*stage, "1", *work, "f"));
  REQUIRE(::lstat((b / "1").c_str(), &info) == 0);
  CHECK(info.st_uid == 1000);
  CHECK(info.st_gid == 1234);
  // A new file gets the group that its folder, or the nearest folder that exists, hands on.
  spit(b / "3", "new");
  REQUIRE(inherit(*stage, "3", *work, "shared/below/it/f"));
  REQUIRE(::lstat((b / "3").c_str(), &info) == 0);
  CHECK(info.st_uid == 0);
  CHECK(info.st_gid == 1234);
}
