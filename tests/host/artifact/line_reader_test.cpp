#include "host/artifact/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

namespace moonlet {
namespace {

using test::Scratch;

struct Pair {
  Fd writer;
  LineReader reader;
};

Pair open_pair(const Scratch& scratch, std::size_t line_cap) {
  const std::string path = scratch.path() + "/lines";
  Fd writer(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  Fd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return {std::move(writer), LineReader(std::move(reader), line_cap)};
}

void put(const Pair& pair, std::string_view text) {
  REQUIRE(::write(pair.writer.get(), text.data(), text.size()) ==
          static_cast<ssize_t>(text.size()));
}

std::vector<std::string> read_all(Pair& pair, bool at_end) {
  std::vector<std::string> lines;
  for (;;) {
    auto more = pair.reader.read(lines, at_end);
    REQUIRE(more.ok());
    if (!*more) return lines;
  }
}

using Lines = std::vector<std::string>;

TEST_CASE("lines are read while they are written") {
  Scratch scratch;
  Pair pair = open_pair(scratch, 100);
  CHECK(read_all(pair, false).empty());
  put(pair, "one\r\ntw");
  CHECK(read_all(pair, false) == Lines{"one"});
  put(pair, "o\n\nlast");
  CHECK(read_all(pair, false) == Lines{"two", ""});
  CHECK(read_all(pair, true) == Lines{"last"});
  CHECK(read_all(pair, true).empty());
}

TEST_CASE("a line that is too long is skipped, and bytes stay as they are") {
  Scratch scratch;
  Pair pair = open_pair(scratch, 10);
  put(pair,
      std::string(11, 'x') + "\n" + std::string("a\0\xff", 3) + "\n" + std::string(600000, 'y'));
  CHECK(read_all(pair, false) == Lines{std::string("a\0\xff", 3)});
  put(pair, "\n0123456789\n");
  CHECK(read_all(pair, true) == Lines{"0123456789"});
  CHECK(pair.reader.skipped() == 2);
}

}  // namespace
}  // namespace moonlet
