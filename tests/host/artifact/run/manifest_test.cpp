#include "host/artifact/run/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/base/digest.h"
#include "host/base/text.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

TEST_CASE("a file is loaded with its digest, cut in the middle") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  const std::string text = "first\n" + std::string(200'000, 'x') + "\nlast\n";
  spit(scratch / "big", text);
  spit(scratch / "small",
       "viele gr\xfc\xdf"
       "e");
  spit(scratch / "binary", std::string("\0\1\2", 3));
  spit(scratch / "empty", "");

  InputEntry big{"file:big", InputKind::kFile, "big"};
  const auto shown = load_file(big, *dir, 1000);
  CHECK(shown.compare(0, 6, "first\n") == 0);
  CHECK(shown.find("bytes left out") != std::string::npos);
  CHECK(shown.substr(shown.size() - 5) == "last\n");
  CHECK(big.bytes == text.size());
  CHECK(big.kept == 1000);
  CHECK(big.cut);
  CHECK(big.sha256 == sha256_hex(text));

  InputEntry small{"small", InputKind::kFile, "small"};
  CHECK(load_file(small, *dir, 1000) ==
        "viele gr\xef\xbf\xbd\xef\xbf\xbd"
        "e");
  CHECK(small.kept == 11);
  CHECK_FALSE(small.cut);

  InputEntry binary{"binary", InputKind::kFile, "binary"};
  CHECK(load_file(binary, *dir, 1000).find("binary data, 3 bytes") != std::string::npos);
  CHECK(binary.binary);
  CHECK(binary.kept == 0);

  InputEntry empty{"empty", InputKind::kFile, "empty"};
  CHECK(load_file(empty, *dir, 1000).empty());
  CHECK(empty.error.empty());
  CHECK(empty.sha256 == sha256_hex(""));
}

TEST_CASE("an unreadable file is an entry with an error") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  ::mkfifo((scratch / "fifo").c_str(), 0600);
  for (const char* path : {"missing", "fifo", "../up", "/etc/passwd", ""}) {
    InputEntry entry{path, InputKind::kFile, path};
    CHECK(load_file(entry, *dir, 10).empty());
    CHECK_FALSE(entry.error.empty());
  }
  spit(scratch / "huge", "x");
  REQUIRE(::truncate((scratch / "huge").c_str(), 1L << 40) == 0);
  InputEntry huge{"huge", InputKind::kFile, "huge"};
  CHECK(load_file(huge, *dir, 10).empty());
  CHECK(huge.bytes == std::uint64_t{1} << 40);
  CHECK(huge.error.find("64 MiB") != std::string::npos);
}

TEST_CASE("an inline text is cut like a file") {
  InputEntry entry{"cmd:git log", InputKind::kCmd, "git log"};
  CHECK(take_text(entry, "0123456789", 6) ==
        "0123\n[\xe2\x80\xa6 4 bytes left out \xe2\x80\xa6]\n89");
  CHECK(entry.bytes == 10);
  CHECK(entry.kept == 6);
  CHECK(entry.cut);
}

TEST_CASE("no name breaks the table") {
  std::vector<InputEntry> entries;
  const std::string hostile[] = {
      "a|b\nc",      "``` | ``",        "\x1b[31m", "\xff\xfe",
      "<img src=x>", "\xe2\x80\xaetxt", "\\|",      std::string(5000, '|')};
  for (const auto& name : hostile) {
    InputEntry entry{"file:" + name, InputKind::kFile, name};
    entry.error = "cannot read " + name;
    entries.push_back(entry);
  }
  const auto text = manifest_markdown(entries);
  CHECK(is_valid_utf8(text));
  CHECK(strip_controls(text) == text);
  std::size_t rows = 0;
  for (std::size_t at = text.find("\n|") + 1; at < text.size(); at = text.find('\n', at) + 1) {
    const auto row = text.substr(at, text.find('\n', at) - at);
    CHECK(std::count(row.begin(), row.end(), '|') == 9);
    CHECK(std::count(row.begin(), row.end(), '`') % 2 == 0);
    ++rows;
  }
  CHECK(rows == 2 + 8);
  CHECK(manifest_markdown({}) == "# Inputs\n\nNone.\n");
}
