#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "host/process/session/screen.h"
#include "tests/catch.h"
#include "tests/places.h"

using namespace moonlet;

namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// Decodes \e, \r, \n, \t, \b, \\ and \xNN.
std::string bytes_of(const std::string& text) {
  static const std::string names = "ernt\\b", bytes = "\x1b\r\n\t\\\b";
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
    } else if (text[++at] == 'x') {
      out += static_cast<char>(std::stoi(text.substr(at + 1, 2), nullptr, 16));
      at += 2;
    } else {
      out += bytes.at(names.find(text[at]));
    }
  }
  return out;
}

// Feeds bytes to the screen; [4x10] in the text resizes it. Returns true if it was resized.
bool play(Screen& screen, const std::string& script) {
  std::size_t from = 0;
  for (std::size_t at = script.find('['); at != std::string::npos; at = script.find('[', at + 1)) {
    int rows = 0, cols = 0, length = 0;
    const bool is_size = (at == 0 || script[at - 1] != 'e') &&
                         std::sscanf(script.c_str() + at, "[%dx%d]%n", &rows, &cols, &length) == 2;
    if (!is_size) continue;
    screen.feed(bytes_of(script.substr(from, at - from)));
    screen.resize({rows, cols});
    from = at + static_cast<std::size_t>(length);
  }
  screen.feed(bytes_of(script.substr(from)));
  return from > 0;
}

std::string shown(const Screen& screen) {
  std::string all;
  for (const std::string& row : screen.rows()) all += row + "|";
  all.erase(all.find_last_not_of('|') + 1);
  return all;
}

}  // namespace

TEST_CASE("each kind of control sequence has the effect that it has on a terminal") {
  std::ifstream file(std::string(places::kTests) + "/data/terminal/sequences.txt");
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto field = split(line, '\t');
    REQUIRE(field.size() == 4);
    INFO(field[0]);
    for (const bool is_flooded : {false, true}) {
      Screen screen({6, 20}, {});
      screen.set_flooded(is_flooded);
      const bool is_resized = play(screen, field[1]);
      // Lines that a flooded screen dropped do not return when it is resized.
      if (is_flooded && is_resized) continue;
      CHECK(shown(screen) == (field[2] == "-" ? "" : bytes_of(field[2])));
      const Screen::Cursor at = screen.cursor();
      if (field[3] != "-") {
        CHECK(std::to_string(at.row) + "," + std::to_string(at.col) == field[3]);
      }
    }
    ++count;
  }
  CHECK(count > 70);
}
