#include "host/telemetry/live/width.h"

#include "tests/catch.h"

using namespace moonlet;

TEST_CASE("characters take the columns that a terminal gives them") {
  CHECK(display_width("") == 0);
  CHECK(display_width("plain") == 5);
  CHECK(display_width("caf\u00e9") == 4);
  CHECK(display_width("cafe\u0301") == 4);                      // a combining accent
  CHECK(display_width("\u65e5\u672c\u8a9e") == 6);              // ideographs
  CHECK(display_width("\uff21\uff22") == 4);                    // fullwidth letters
  CHECK(display_width("\uff71\uff72") == 2);                    // halfwidth letters
  CHECK(display_width("\U0001f680") == 2);                      // a rocket
  CHECK(display_width("\u2764") == 1);                          // a heart as text
  CHECK(display_width("\u2764\ufe0f") == 2);                    // a heart as an emoji
  CHECK(display_width("\ud55c\uae00") == 4);                    // Hangul syllables
  CHECK(display_width("\u1112\u1161\u11ab") == 2);              // the same as letters
  CHECK(display_width("a\u200bb") == 2);                        // a zero-width space
  CHECK(display_width("\u2500\u2713\u25cf\u2026\u00ad") == 5);  // lines and marks are narrow
  CHECK(display_width("\u0928\u093f") == 2);                    // a mark of one column
  CHECK(display_width("\xff\xfe") == 2);
}

TEST_CASE("texts are cut by columns and between characters") {
  CHECK(cut_to_width("short", 5) == "short");
  CHECK(cut_to_width("longer", 5) == "long\u2026");
  CHECK(cut_to_width("longer", 5, "~") == "long~");
  CHECK(cut_to_width("longer", 0).empty());
  CHECK(cut_to_width("longer", -3).empty());
  CHECK(cut_to_width("longer", 1) == "\u2026");
  CHECK(cut_to_width("longer", 2, "...") == "lo");
  // A wide character that does not fit is dropped whole.
  CHECK(cut_to_width("\u65e5\u672c\u8a9e", 4) == "\u65e5\u2026");
  // A combining mark stays with its character.
  CHECK(cut_to_width("e\u0301e\u0301e\u0301", 2) == "e\u0301\u2026");
  CHECK(cut_to_width("ab\u0301", 2) == "ab\u0301");
  const std::string flood = "a" + [] {
    std::string marks;
    for (int i = 0; i < 1000; ++i) marks += "\u0301";
    return marks;
  }();
  CHECK(display_width(flood) == 1);
}

TEST_CASE("a long path is cut in the middle") {
  CHECK(cut_middle_to_width("review/a/agent", 14) == "review/a/agent");
  CHECK(cut_middle_to_width("review-of-everything/branch-17", 16) == "revie\u2026/branch-17");
  for (int columns = 0; columns < 40; ++columns) {
    INFO(columns);
    CHECK(display_width(cut_middle_to_width("review-of-everything/branch-17/agent", columns)) <=
          columns);
    const auto wide =
        cut_middle_to_width("\u65e5\u672c\u8a9ee\u0301\u65e5\u672c\u8a9e/e\u0301x", columns);
    CHECK(display_width(wide) <= columns);
    // No combining mark is attached to the ellipsis.
    CHECK(wide.find("\u2026\u0301") == std::string::npos);
  }
}

TEST_CASE("a line is broken between words, or within a word that is too long") {
  using Lines = std::vector<std::string>;
  CHECK(wrap_to_width("", 10) == Lines{""});
  CHECK(wrap_to_width("  a  b", 10) == Lines{"  a  b"});
  CHECK(wrap_to_width("one two  three", 8) == Lines{"one two", "three"});
  CHECK(wrap_to_width("one two", 3) == Lines{"one", "two"});
  CHECK(wrap_to_width("abcdefgh", 3) == Lines{"abc", "def", "gh"});
  CHECK(wrap_to_width("\u65e5\u672c", 3) == Lines{"\u65e5", "\u672c"});
  CHECK(wrap_to_width("\u65e5\u672c", 1) == Lines{"\u65e5", "\u672c"});
}
