#include "host/process/session/screen.h"

#include <random>

#include "tests/catch.h"

using namespace moonlet;

namespace {

struct Shown {
  std::string answers;
  std::vector<std::string> lines;
  Screen screen;
  explicit Shown(ScreenSize size = {5, 20})
      : screen(size, {[this](std::string_view bytes) { answers += bytes; },
                      [this](std::string_view text) { lines.emplace_back(text); }}) {}
};

}  // namespace

TEST_CASE("the screen shows what a person would see") {
  Shown shown;
  shown.screen.feed("one\r\ntwo\x1b[1;31m red\x1b[0m\r\n\x1b[3;5Hhere \xe4\xb8\xad!");
  CHECK(shown.screen.row(0) == "one");
  CHECK(shown.screen.row(1) == "two red");
  CHECK(shown.screen.row(2) == "    here \xe4\xb8\xad!");
  CHECK(shown.screen.cursor().row == 2);
  CHECK(shown.screen.cursor().col == 12);
  // Switches to the alternate screen and back.
  shown.screen.feed("\x1b[?1049h\x1b[2J\x1b[Hediting");
  CHECK(shown.screen.alternate());
  CHECK(shown.screen.row(0) == "editing");
  shown.screen.feed("\x1b[?1049l");
  CHECK_FALSE(shown.screen.alternate());
  CHECK(shown.screen.row(0) == "one");
}

TEST_CASE("lines that leave the screen are kept, and come back when it grows") {
  Shown shown;
  for (int i = 1; i <= 9; ++i) shown.screen.feed("line " + std::to_string(i) + "\r\n");
  CHECK(shown.lines.size() == 5);
  CHECK(shown.screen.history(2) == std::vector<std::string>{"line 4", "line 5"});
  CHECK(shown.screen.row(0) == "line 6");
  shown.screen.resize({7, 20});
  CHECK(shown.screen.row(0) == "line 4");
  CHECK(shown.screen.history(1) == std::vector<std::string>{"line 3"});
  shown.screen.resize({4, 10});
  CHECK(shown.screen.size() == ScreenSize{4, 10});
}

TEST_CASE("a program's questions to its terminal are answered") {
  Shown shown;
  shown.screen.feed("\x1b[c\x1b[2;4H\x1b[6n\x1b[?u\x1b]10;?\x07\x1b]11;?\x1b\\\x1b[18t");
  CHECK(shown.answers.find("\x1b[?1;2c") != std::string::npos);
  CHECK(shown.answers.find("\x1b[2;4R") != std::string::npos);
  CHECK(shown.answers.find("\x1b[?0u") != std::string::npos);
  CHECK(shown.answers.find("\x1b]10;rgb:ffff") != std::string::npos);
  CHECK(shown.answers.find("\x1b]11;rgb:0000") != std::string::npos);
  CHECK(shown.answers.find("\x1b[8;5;20t") != std::string::npos);
}

TEST_CASE("keys are sent as the program asked for them") {
  Shown shown;
  CHECK(shown.screen.press("up"));
  shown.screen.feed("\x1b[?1h");
  CHECK(shown.screen.press("up"));
  CHECK(shown.screen.press("ctrl-c"));
  CHECK(shown.screen.press("f5"));
  CHECK(shown.answers == "\x1b[A\x1bOA\x03\x1b[15~");
  CHECK_FALSE(shown.screen.press("hyper-x"));
  CHECK_FALSE(shown.screen.press("f99"));
  CHECK_FALSE(shown.screen.press(""));
  shown.answers.clear();
  shown.screen.feed("\x1b[?2004h");
  shown.screen.type("a\nb");
  CHECK(shown.answers == "\x1b[200~a\rb\x1b[201~");
}

TEST_CASE("a redrawn screen has the modes that its program switched on") {
  Shown shown, second;
  CHECK(shown.screen.redraw().find("h\x1b[?1h") == std::string::npos);
  CHECK(shown.screen.redraw().find("2004") == std::string::npos);
  shown.screen.feed("\x1b[?1h\x1b[?2004h\x1b[?1002h\x1b[?1006h");
  const std::string drawn = shown.screen.redraw();
  CHECK(shown.answers.empty());
  for (const char* mode : {"\x1b[?1h", "\x1b[?2004h", "\x1b[?1002h", "\x1b[?1006h"}) {
    INFO(mode + 1);
    CHECK(drawn.find(mode) != std::string::npos);
  }
  second.screen.feed(drawn);
  CHECK(second.screen.redraw() == drawn);
  shown.screen.feed("\x1b[?1l\x1b[?2004l\x1b[?1002l");
  CHECK(shown.screen.redraw().find("\x1b[?1h") == std::string::npos);
}

TEST_CASE("a redrawn screen equals the screen before") {
  Shown first, second;
  first.screen.feed(
      "\x1b[?25l\x1b[7mtop\x1b[0m\x1b[3;3H\x1b[38;5;9mx\x1b[48;2;1;2;3my\x1b[5;1Hend");
  second.screen.feed("rubbish everywhere\r\nmore");
  second.screen.feed(first.screen.redraw());
  CHECK(second.screen.rows() == first.screen.rows());
  CHECK(second.screen.cursor().col == 3);
  CHECK_FALSE(second.screen.cursor().visible);
  CHECK(second.screen.redraw() == first.screen.redraw());
}

TEST_CASE("a UTF-8 sequence in two parts is one character, and a broken one is a replacement") {
  Shown shown;
  shown.screen.feed("a\xe2\x82");
  CHECK(shown.screen.rows().front() == "a");
  shown.screen.feed("\xac b\xf0\x9f");
  shown.screen.feed("c\xc3");
  shown.screen.feed("\x1b[1md");
  CHECK(shown.screen.rows().front() == "a€ b\ufffdc\ufffdd");
}

TEST_CASE("the text of a hostile screen holds nothing that a terminal obeys") {
  std::mt19937 random(20261121);
  Shown shown({24, 80});
  static constexpr char kStarts[] = "[]PX^_()#c78=>DEMHNO%";
  for (int round = 0; round < 400; ++round) {
    std::string bytes;
    for (int i = 0; i < 600; ++i) {
      switch (random() % 6) {
        case 0:
          bytes += "\x1b";
          bytes += kStarts[random() % (sizeof kStarts - 1)];
          break;
        case 1:
          bytes += std::to_string(random() % 3 == 0 ? random() : random() % 100) + ";";
          break;
        case 2:
          bytes += static_cast<char>(random() % 256);
          break;
        default:
          bytes += static_cast<char>(' ' + random() % 95);
      }
    }
    shown.screen.feed(bytes);
    if (round % 10 == 0) {
      shown.screen.resize({static_cast<int>(1 + random() % 60), static_cast<int>(random() % 200)});
    }
  }
  shown.screen.feed("\x1b]2;title \x1b[31m\x07\x1b]52;c;aGVsbG8=\x07");
  std::string text = shown.screen.title();
  for (const auto& row : shown.screen.rows()) text += row;
  for (const auto& line : shown.screen.history(5000)) text += line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    REQUIRE((byte >= 0x20 && byte != 0x7f));
  }
  CHECK(shown.screen.history(5000).size() <= Screen::kMostHistory);
}

TEST_CASE("a control character above 0x7f is left out, also where text is inserted") {
  Screen screen({5, 29}, {});
  screen.feed("\x1b[4h\xc2");
  screen.feed(
      "\x9b"
      "3A\xc2\xb0\xc2");
  screen.feed("\x80\xc2\xa7");
  CHECK(screen.row(0) == "3A\xc2\xb0\xc2\xa7");
}

TEST_CASE("a screen that skips frames of a flood ends up the same") {
  std::mt19937 random(7);
  const auto below = [&](unsigned limit) { return random() % limit; };
  const char* const odd[] = {"\x1b[31m",
                             "\x1b[0m",
                             "\x1b[2J",
                             "\x1b[5;7H",
                             "\x1b[K",
                             "\x1b[?7l",
                             "\x1b[?7h",
                             "\n",
                             "\x1b[2;5r",
                             "\x1b[r",
                             "\x1b[?1049h",
                             "\x1b[?1049l",
                             ("\xc2\x9b"
                              "3A"),
                             "\b\b",
                             "\x1b[4h",
                             "\x1b[4l",
                             "\x1b]2;title",
                             "\x07",
                             "\x1b["};
  for (int round = 0; round < 60; ++round) {
    const ScreenSize size{static_cast<int>(2 + below(9)), static_cast<int>(4 + below(30))};
    Screen calm(size, {}), flood(size, {});
    flood.set_flooded(true);
    const unsigned oddness = below(3) * 2;
    for (int turn = 0; turn < 12; ++turn) {
      std::string bytes;
      while (bytes.size() < 12'000) {
        if (below(1000) < oddness) bytes += odd[below(std::size(odd))];
        for (unsigned left = below(40); left > 0; --left) {
          bytes += below(30) != 0 ? std::string(1, static_cast<char>(' ' + below(95)))
                                  : "\xc3\xa9\t\xe4\xb8\xad";
        }
        bytes += below(20) != 0 ? "\r\n" : "\r";
      }
      const std::size_t cut = below(20);
      for (Screen* screen : {&calm, &flood}) {
        screen->feed(std::string_view(bytes).substr(0, bytes.size() - cut));
        screen->feed(std::string_view(bytes).substr(bytes.size() - cut));
      }
      REQUIRE(flood.rows() == calm.rows());
      REQUIRE(flood.cursor().row == calm.cursor().row);
      REQUIRE(flood.cursor().col == calm.cursor().col);
    }
  }
}
