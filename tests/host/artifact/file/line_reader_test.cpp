#include "host/artifact/file/line_reader.h"

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

Pair open_pair(const Scratch& scratch, const LineRules& rules) {
  const std::string path = scratch.path() + "/lines";
  Fd writer(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  Fd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return {std::move(writer), LineReader(std::move(reader), rules)};
}

void put(const Pair& pair, std::string_view text) {
  REQUIRE(::write(pair.writer.get(), text.data(), text.size()) ==
          static_cast<ssize_t>(text.size()));
}

using Lines = std::vector<std::string>;

/// Returns the lines. A skipped line is represented by its size in brackets.
Lines read_all(Pair& pair, bool at_end) {
  std::vector<Line> lines;
  for (;;) {
    auto more = pair.reader.read(lines, at_end);
    REQUIRE(more.ok());
    if (!*more) break;
  }
  Lines texts;
  for (const Line& line : lines) {
    texts.push_back(line.skipped == 0 ? line.text : "[" + std::to_string(line.skipped) + "]");
  }
  return texts;
}

TEST_CASE("lines are read while they are written") {
  Scratch scratch;
  Pair pair = open_pair(scratch, {.longest = 100});
  CHECK(read_all(pair, false).empty());
  put(pair, "one\r\ntw");
  CHECK(read_all(pair, false) == Lines{"one"});
  put(pair, "o\n\nlast");
  CHECK(read_all(pair, false) == Lines{"two", ""});
  CHECK(read_all(pair, true) == Lines{"last"});
  CHECK(read_all(pair, true).empty());
}

TEST_CASE(
    "a line that is too long is returned as its size, in its place, and bytes stay as they are") {
  Scratch scratch;
  Pair pair = open_pair(scratch, {.longest = 10});
  put(pair,
      std::string(11, 'x') + "\n" + std::string("a\0\xff", 3) + "\n" + std::string(600000, 'y'));
  CHECK(read_all(pair, false) == Lines{"[11]", std::string("a\0\xff", 3)});
  put(pair, "\n0123456789\n");
  CHECK(read_all(pair, true) == Lines{"[600000]", "0123456789"});
}

TEST_CASE("lines that are no objects are passed over, and counted") {
  Scratch scratch;
  Pair pair = open_pair(scratch, {.longest = 10, .kind = LineKind::kObject});
  const std::string flood = std::string(100000, 'y');
  put(pair, "y\n\n {\"a\":1}\n\xef\xbb\xbf{}\n" + flood + "z\n\r\n{\"a\":\"too long\"}\n{");
  std::vector<Line> lines;
  while (*pair.reader.read(lines, true)) {
  }
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].text == " {\"a\":1}");
  CHECK(lines[0].number == 3);
  CHECK(lines[1].number == 4);
  CHECK(lines[2].skipped == 16);
  CHECK(lines[2].number == 7);
  CHECK(lines[3].text == "{");
  CHECK(pair.reader.others() == 2);
  CHECK(pair.reader.last_other() == flood.substr(0, 999) + "z");
}

TEST_CASE("a possible line of a JSON text is recognized") {
  Scratch scratch;
  Pair pair = open_pair(scratch, {.kind = LineKind::kJson});
  put(pair, "{\n  \"a\": [\n    -1,\n    true\n  ]\n}\nwarning\n");
  CHECK(read_all(pair, true).size() == 6);
  CHECK(pair.reader.others() == 1);
}

TEST_CASE("a long line of very many values is returned as its size") {
  Scratch scratch;
  Pair pair = open_pair(scratch, {.most_values = 1000});
  std::string many = "{\"a\":[";
  for (int i = 0; i < 40000; ++i) many += "[],";
  many += "0]}";
  const std::string text = "{\"a\":\"" + std::string(200000, ',') + "\\\"[[\"}";
  put(pair, many + "\n" + text + "\n{\"n\":" + std::string(100000, '1') + "}\n");
  CHECK(read_all(pair, true) == Lines{"[" + std::to_string(many.size()) + "]", text, "[100006]"});
}

TEST_CASE("values are counted outside of texts") {
  CHECK_FALSE(is_crowded("{\"a,b\":1,\"c\":[2,3]}", 6));
  CHECK(is_crowded("{\"a,b\":1,\"c\":[2,3]}", 5));
  CHECK_FALSE(is_crowded("\"unclosed , , , \\", 0));
  CHECK(is_crowded(std::string(1001, '1'), 10));
  CHECK_FALSE(is_crowded(std::string(5000, ' '), 10));
}

}  // namespace
}  // namespace moonlet
