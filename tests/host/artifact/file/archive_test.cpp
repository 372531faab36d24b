#include "host/artifact/file/archive.h"

#include <vector>

#include "host/base/digest.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

ArchivedFile file_of(const std::string& name, const std::string& text) {
  return {name, name, text.size(), sha256_hex(text)};
}

}  // namespace

TEST_CASE("an archive gives back its manifest and its files") {
  Scratch scratch;
  const std::string long_name = std::string(120, 'd') + "/" + std::string(90, 'n');
  spit(scratch / "a", "one");
  spit(scratch / "empty", "");
  std::filesystem::create_directories(scratch / std::string(120, 'd'));
  spit(scratch / long_name, std::string(1025, 'x'));
  std::filesystem::create_directory(scratch / "into");
  auto dir = Dir::open(scratch.path());
  auto into = Dir::open(scratch / "into");
  REQUIRE(dir);
  REQUIRE(into);
  const std::vector<ArchivedFile> files{file_of("a", "one"), file_of("empty", ""),
                                        file_of(long_name, std::string(1025, 'x'))};
  REQUIRE(write_archive(*dir, "{}", files, *dir, "out"));
  CHECK(*read_archive_manifest(*dir, "out") == "{}");
  REQUIRE(extract_archive(*dir, "out", "{}", files, *into));
  CHECK(into->read_file(long_name, 4096)->bytes == std::string(1025, 'x'));
  CHECK(into->stat("a")->mode == 0600);
  CHECK_FALSE(extract_archive(*dir, "out", "{ }", files, *into));
}

TEST_CASE("an archive is not written when a file differs from its hash or size") {
  Scratch scratch;
  spit(scratch / "a", "one");
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  for (const std::string text : {"two", "on", "one and more"}) {
    CHECK_FALSE(write_archive(*dir, "{}", {file_of("a", text)}, *dir, "out"));
  }
  CHECK_FALSE(dir->exists("out"));
  CHECK(dir->list(".", 10)->total == 1);
}

TEST_CASE("names that could leave the folder do not fit into an archive") {
  for (const char* name :
       {"", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a\nb", "a\\b", "a\x1b[1m", "a\xff",
        "\xe2\x80\xae"
        "a"}) {
    INFO(name);
    CHECK_FALSE(is_archivable(name));
  }
  CHECK_FALSE(is_archivable(std::string(101, 'a')));
  CHECK(is_archivable("steps/ü b/..c"));
}

TEST_CASE("an archive with one changed byte is refused, wherever the byte is") {
  Scratch scratch;
  spit(scratch / "a", "one");
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  const std::vector<ArchivedFile> files{file_of("a", "one")};
  REQUIRE(write_archive(*dir, "{}", files, *dir, "out"));
  const std::string whole = dir->read_file("out", 1 << 20)->bytes;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    spit(scratch / "changed", changed);
    std::filesystem::remove_all(scratch / "into");
    std::filesystem::create_directory(scratch / "into");
    auto into = Dir::open(scratch / "into");
    REQUIRE(into);
    INFO(at);
    REQUIRE_FALSE(extract_archive(*dir, "changed", "{}", files, *into));
  }
}
