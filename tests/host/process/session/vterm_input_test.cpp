#include "host/process/session/vterm_input.h"

#include <string>

#include "tests/catch.h"

using moonlet::VtermInput;

namespace {

std::string cleaned(std::string_view bytes) {
  VtermInput input;
  return std::string(input.clean(bytes));
}

}  // namespace

TEST_CASE("usual output reaches libvterm unchanged, in one piece or byte by byte") {
  for (const std::string text :
       {"plain äöü € 🌙\r\n", "\x1b[?1049h\x1b[2J\x1b[1;1H\x1b[38;5;9mx\x1b[0m", "\x1b(0lqk\x1b(B",
        "\x1b]2;title\x07\x1b]8;;http://a\x1b\\b\x1b]8;;\x1b\\", "\x1b[38:2:1:2:3m", "\x1b[>4;2m",
        "\x1b[4 q\x1b[\"p\x1b#8\x1bM\x1b\x37",
        "a\x18"
        "b"}) {
    CHECK(cleaned(text) == text);
    VtermInput input;
    std::string pieces;
    for (const char byte : text) pieces += input.clean({&byte, 1});
    CHECK(pieces == text);
  }
}

TEST_CASE("input that libvterm 0.1 does not survive is changed or left out") {
  CHECK(cleaned("a\xc3"
                "b\x80") == "a\ufffdb\ufffd");
  CHECK(cleaned("a\xc2\x9b"
                "5b\xc2\x85") == "a5b");
  CHECK(cleaned("ab\x1b[3b") == "abbbb");
  CHECK(cleaned("ab\x1b[b") == "abb");
  CHECK(cleaned("ab\x1b[99999999999b").size() == 502);
  CHECK(cleaned("\x1b[5b中\x1b[5b\n\x1b[5b") == "中\n");
  CHECK(cleaned("x\x1b[?5b\x1b[5 b") == "x");
  CHECK(cleaned("\x1b[123456789;1H") == "\x1b[12345;1H");
  CHECK(cleaned("\x1b[" + std::string(40, ';') + "m") == "\x1b[" + std::string(15, ';') + "m");
  CHECK(cleaned("\x1b[" + std::string(5000, '1') + "mx") == "x");
  CHECK(cleaned("\x1b[1\xc2\xa0"
                "2m") ==
        "\xc2\xa0"
        "2m");
  // A control character within an escape sequence takes effect before it. ESC starts a new
  // sequence.
  CHECK(cleaned("\x1b[1\n;2H") == "\n\x1b[1;2H");
  CHECK(cleaned("\x1b[1\x1b[2H\x1b[3\x18x") == "\x1b[2H\x18x");
  CHECK(cleaned("\x1b(\x7f[" + std::string(40, ';') + "mx\x1b(") ==
        "\x1b[" + std::string(15, ';') + "mx");
  CHECK(cleaned("a\x1b_Gi=31;中\x1b\\b\x1b^x\x18") == "a\x1b\\b\x18");
  CHECK(cleaned("\x1b\x38") == "\x1b\x38" + std::string(VtermInput::kComeInside));
}

TEST_CASE("margins are seen") {
  VtermInput input;
  (void)input.clean("r\x1b[1;31mr\x1b[?25h");
  CHECK_FALSE(input.has_margins());
  (void)input.clean("\x1b[2;");
  (void)input.clean("9r");
  CHECK(input.has_margins());
}
