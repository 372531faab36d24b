#include "host/artifact/file/tree_digest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "host/base/digest.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

TreeDigest digest_of(const Scratch& scratch, const TreeOptions& options = {}) {
  return std::move(*digest_tree(*Dir::open(scratch.path()), options));
}

std::vector<std::string> paths_of(const TreeDigest& digest) {
  std::vector<std::string> paths;
  for (const auto& entry : digest.entries) paths.push_back(entry.path);
  return paths;
}

const TreeEntry& at(const TreeDigest& digest, const std::string& path) {
  const auto found = std::find_if(digest.entries.begin(), digest.entries.end(),
                                  [&](const TreeEntry& entry) { return entry.path == path; });
  REQUIRE(found != digest.entries.end());
  return *found;
}

void make_folders(const Scratch& scratch, const std::string& path) {
  std::filesystem::create_directories(scratch / path);
}

}  // namespace

TEST_CASE("a tree's files are listed with their hashes, sorted") {
  Scratch scratch;
  make_folders(scratch, "steps/b/out");
  make_folders(scratch, "empty/inside");
  spit(scratch / "output.md", "abc");
  spit(scratch / "steps/b.txt", "");
  spit(scratch / "steps/b/out/x", std::string(1 << 20, 'x'));
  spit(scratch / "events.jsonl", "changes");
  spit(scratch / "steps/b/.tmp-0123456789abcdef", "half of it");
  const auto digest = digest_of(scratch, {.skip = {"events.jsonl"}});
  CHECK(paths_of(digest) == std::vector<std::string>{"output.md", "steps/b.txt", "steps/b/out/x"});
  CHECK(at(digest, "output.md").sha256 == sha256_hex("abc"));
  CHECK(at(digest, "output.md").bytes == 3);
  CHECK(at(digest, "steps/b.txt").sha256 == sha256_hex(""));
  CHECK(at(digest, "steps/b/out/x").sha256 == sha256_hex(std::string(1 << 20, 'x')));
  CHECK(digest.fold == -1);
}

TEST_CASE("a tree's links are not followed, and special files are not opened") {
  Scratch scratch;
  make_folders(scratch, "out");
  REQUIRE(::symlink("/etc/passwd", (scratch / "out/link").c_str()) == 0);
  REQUIRE(::symlink("/", (scratch / "out/root").c_str()) == 0);
  REQUIRE(::mkfifo((scratch / "out/pipe").c_str(), 0600) == 0);
  const auto digest = digest_of(scratch);
  CHECK(paths_of(digest) == std::vector<std::string>{"out/link", "out/pipe", "out/root"});
  CHECK(at(digest, "out/link").kind == TreeEntry::Kind::kLink);
  CHECK(at(digest, "out/link").sha256 == sha256_hex("/etc/passwd"));
  CHECK(at(digest, "out/pipe").kind == TreeEntry::Kind::kSpecial);
  CHECK(at(digest, "out/pipe").sha256.empty());
}

TEST_CASE("names that are no text stay apart") {
  Scratch scratch;
  spit(scratch / "a\xff", "1");
  spit(scratch / "a\\xff", "2");
  spit(scratch / "new\nline", "3");
  spit(scratch / "größe", "4");
  const auto digest = digest_of(scratch);
  CHECK(paths_of(digest) ==
        std::vector<std::string>{"a\\x5cxff", "a\\xff", "größe", "new\\x0aline"});
  CHECK(at(digest, "a\\xff").sha256 == sha256_hex("1"));
}

TEST_CASE("a tree with very many files is folded, the same way each time") {
  Scratch scratch;
  make_folders(scratch, "out/deep/er");
  make_folders(scratch, "steps/one");
  for (int i = 0; i < 30; ++i) spit(scratch / ("out/deep/er/" + std::to_string(i)), "x");
  spit(scratch / "out/deep/note", "n");
  spit(scratch / "output.md", "o");
  spit(scratch / "steps/one/a", "a");
  const auto digest = digest_of(scratch, {.most = 10});
  CHECK(digest.fold == 3);
  CHECK(paths_of(digest) ==
        std::vector<std::string>{"out/deep/er/", "out/deep/note", "output.md", "steps/one/a"});
  const auto folded = at(digest, "out/deep/er/");
  CHECK(folded.kind == TreeEntry::Kind::kFolder);
  CHECK(folded.files == 30);
  CHECK(folded.bytes == 30);
  spit(scratch / "out/deep/er/7", "y");
  const auto again = digest_of(scratch, {.fold = digest.fold});
  CHECK(at(again, "out/deep/er/").sha256 != folded.sha256);
  CHECK(at(again, "out/deep/note").sha256 == sha256_hex("n"));
  const auto whole = digest_of(scratch, {.most = 1});
  CHECK(paths_of(whole) == std::vector<std::string>{"./"});
  CHECK(whole.entries[0].files == 33);
}

TEST_CASE("a tree that is very deep, or may not be read, says so") {
  Scratch scratch;
  std::string path = "out";
  for (int i = 0; i < 100; ++i) path += "/d";
  make_folders(scratch, path);
  spit(scratch / (path + "/file"), "x");
  spit(scratch / "secret", "s");
  ::chmod((scratch / "secret").c_str(), 0);
  const auto digest = digest_of(scratch);
  CHECK(digest.entries.front().error == "it is nested too deeply");
  if (::geteuid() != 0) CHECK_FALSE(at(digest, "secret").error.empty());
  CHECK_FALSE(digest_tree(*Dir::open(scratch.path()), {}).value().entries.empty());
}

TEST_CASE("files beyond a limit of bytes are listed with their size") {
  Scratch scratch;
  make_folders(scratch, "out");
  spit(scratch / "a", std::string(1000, 'a'));
  spit(scratch / "b", std::string(1001, 'b'));
  spit(scratch / "c", std::string(600, 'c'));
  spit(scratch / "out/d", std::string(500, 'd'));
  std::filesystem::resize_file(scratch / "out/d", std::uintmax_t{1} << 40);
  spit(scratch / "out/e", std::string(400, 'e'));
  const auto digest = digest_of(scratch, {.largest = 1000, .most_bytes = 1500});
  CHECK(at(digest, "a").sha256 == sha256_hex(std::string(1000, 'a')));
  CHECK_FALSE(at(digest, "a").unhashed);
  for (const std::string path : {"b", "c", "out/d"}) {
    INFO(path);
    CHECK(at(digest, path).unhashed);
    CHECK(at(digest, path).sha256.empty());
    CHECK(at(digest, path).error.empty());
  }
  CHECK(at(digest, "b").bytes == 1001);
  CHECK(at(digest, "out/d").bytes == std::uint64_t{1} << 40);
  CHECK(at(digest, "out/e").sha256 == sha256_hex(std::string(400, 'e')));
  const auto folded = digest_of(scratch, {.most = 4, .largest = 1000});
  CHECK(at(folded, "out/").unhashed);
  CHECK_FALSE(at(folded, "out/").sha256.empty());
}

TEST_CASE("an unreadable file in a folded folder is an error of the folder") {
  Scratch scratch;
  make_folders(scratch, "out");
  for (char c : {'a', 'b', 'c'}) spit(scratch / (std::string("out/") + c), "x");
  std::string deep = "out";
  for (int i = 0; i < 300; ++i) deep += "/d";
  std::filesystem::create_directories(scratch / deep);
  const auto digest = digest_of(scratch, {.fold = 1});
  CHECK(at(digest, "out/").files >= 3);
  CHECK_FALSE(at(digest, "out/").error.empty());
  CHECK(at(digest, "out/").sha256.empty());
}

TEST_CASE("a digest can be stopped") {
  Scratch scratch;
  spit(scratch / "a", "a");
  const std::atomic<bool> stop = true;
  const auto digest = digest_tree(*Dir::open(scratch.path()), {.stop = &stop});
  REQUIRE_FALSE(digest.ok());
  CHECK(digest.error().kind == ErrorKind::kCancelled);
}

TEST_CASE("a file has a digest, and so has its beginning") {
  Scratch scratch;
  const std::string text(1 << 20, 'x');
  spit(scratch / "file", text);
  const auto dir = Dir::open(scratch.path());
  const auto whole = digest_file(*dir, "file", {}, Durable::kYes);
  REQUIRE(whole);
  CHECK(whole->bytes == text.size());
  CHECK(whole->sha256 == sha256_hex(text));
  const auto beginning = digest_file(*dir, "file", 300'000, Durable::kNo);
  REQUIRE(beginning);
  CHECK(beginning->bytes == 300'000);
  CHECK(beginning->sha256 == sha256_hex(text.substr(0, 300'000)));
  CHECK(digest_file(*dir, "file", 2 << 20, Durable::kNo)->bytes == text.size());
  CHECK_FALSE(digest_file(*dir, "missing", {}, Durable::kNo).ok());
}
