#include "host/base/text.h"

#include <random>

#include "tests/catch.h"

using namespace moonlet;

namespace {

const std::string kFffd = "\xef\xbf\xbd";

std::string random_bytes(std::mt19937& random, std::size_t size) {
  // Bytes that begin and continue sequences, so that near misses are frequent.
  const std::string pool = std::string("az\n\t\x1b[]\\;0m\a\x7f\x80\x9b\xa0\xbf\xc0\xc2\xe0\xe2") +
                           "\xed\xef\xf0\xf4\xf5\xff" + std::string(1, '\0');
  std::string text;
  while (text.size() < size) text += pool[random() % pool.size()];
  return text;
}

}  // namespace

TEST_CASE("UTF-8 is valid exactly as Unicode says") {
  for (const char* good : {"", "plain", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xee\x80\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf", "\xc2\x80"}) {
    CHECK(is_valid_utf8(good));
    CHECK(to_valid_utf8(good) == good);
  }
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "long ascii text first \xe2"}) {
    CHECK_FALSE(is_valid_utf8(bad));
    CHECK(is_valid_utf8(to_valid_utf8(bad)));
  }
  CHECK(is_valid_utf8(std::string_view("a\0b", 3)));
  for (const char* whole : {"", "a", "ä", "€", "\xf0\x9f\x8c\x99", "\x80\x80\x80\x80"}) {
    CHECK(unfinished_utf8(whole) == 0);
  }
  CHECK(unfinished_utf8("a\xc3") == 1);
  CHECK(unfinished_utf8("a\xe2\x82") == 2);
  CHECK(unfinished_utf8("\xf0\x9f\x8c") == 3);
}

TEST_CASE("malformed sequences become one U+FFFD a maximal subpart") {
  CHECK(to_valid_utf8("a\xe2\x82z") == "a" + kFffd + "z");
  CHECK(to_valid_utf8("\xf0\x9f\x98\xf0\x9f\x98\x80") == kFffd + "\xf0\x9f\x98\x80");
  CHECK(to_valid_utf8("\xed\xa0\x80") == kFffd + kFffd + kFffd);
  CHECK(to_valid_utf8("\xff\xff") == kFffd + kFffd);
}

TEST_CASE("binary data is recognized") {
  CHECK_FALSE(looks_binary(""));
  CHECK_FALSE(looks_binary("text \xc3\xa4\n\x1b[31mred\x1b[m\r\n\t"));
  CHECK_FALSE(looks_binary("latin-1 text: gr\xfc\xdf Gott"));
  CHECK(looks_binary(std::string_view("PK\x03\x04\0", 5)));
  CHECK(looks_binary("\x1f\x8b\x08\xff\xfe\xfa\x01\x02\x9c\xcb"));
  // A UTF-8 sequence that the end of the inspected window cuts is not malformed.
  std::string text(8191, 'a');
  CHECK_FALSE(looks_binary(text + "\xe2\x82\xac"));
}

TEST_CASE("a text is cut in its middle on boundaries") {
  CHECK(cut_middle("short", 5) == "short");
  CHECK(cut_middle("0123456789", 6) == "0123\n[\xe2\x80\xa6 4 bytes left out \xe2\x80\xa6]\n89");
  CHECK(cut_middle("0123456789", 6, "see stdout.log") ==
        "0123\n[\xe2\x80\xa6 4 bytes left out: see stdout.log \xe2\x80\xa6]\n89");
  CHECK(cut_middle("abc", 0) == "[\xe2\x80\xa6 3 bytes left out \xe2\x80\xa6]\n");
  std::string umlauts;
  for (int i = 0; i < 500; ++i)
    umlauts += i % 3 == 0 ? "\xc3\xa4" : i % 3 == 1 ? "\xe2\x82\xac" : "\xf0\x9f\x98\x80";
  for (std::size_t cap = 0; cap < 60; ++cap) {
    const auto cut = cut_middle(umlauts, cap);
    CHECK(is_valid_utf8(cut));
    CHECK(cut.size() <= cap + 40);
  }
}

TEST_CASE("a cut fed in pieces equals the cut of the whole") {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const auto text = random_bytes(random, random() % 200);
    const std::size_t cap = random() % 60;
    MiddleCut cut(cap);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t step = 1 + random() % 40;
      cut.feed(std::string_view(text).substr(at, step));
      at += step;
    }
    CHECK(cut.text() == cut_middle(text, cap));
    CHECK(cut.total() == text.size());
    CHECK(cut.cut() == (text.size() > cap));
  }
}

TEST_CASE("the end is cut on a boundary") {
  CHECK(cut_end("abc", 5) == "abc");
  CHECK(cut_end("abc", 2) == "ab");
  CHECK(cut_end("\xc3\xa4\xc3\xa4", 3) == "\xc3\xa4");
  CHECK(cut_end("\xf0\x9f\x98\x80z", 3) == "");
  CHECK(cut_end("\xf0\x9f\x98\x80z", 4) == "\xf0\x9f\x98\x80");
  CHECK(cut_end("\x80\x80\x80\x80\x80", 4).size() <= 4);
}

TEST_CASE("a terminal gets no control characters") {
  CHECK(strip_controls("keeps\n\tthis \xc3\xa4 \xf0\x9f\x98\x80") ==
        "keeps\n\tthis \xc3\xa4 \xf0\x9f\x98\x80");
  CHECK(strip_controls("\x1b[1;31mred\x1b[0m") == "red");
  CHECK(strip_controls("a\x1b]0;title\ab") == "ab");
  CHECK(strip_controls("a\x1b]52;c;cGF5bG9hZA==\x1b\\b") == "ab");
  CHECK(strip_controls("a\x1b]8;;http://x\nb") == "a8;;http://x\nb");
  CHECK(strip_controls("a\x1bP1$r0m\x1b\\b") == "ab");
  CHECK(strip_controls("a\xc2\x9b"
                       "31mb") == "ab");
  CHECK(strip_controls("a\xc2\x9d"
                       "0;t\xc2\x9c"
                       "b") == "ab");
  CHECK(strip_controls("a\x9b"
                       "31m") == "a" + kFffd + "31m");
  CHECK(strip_controls("a\x1b(0b\x1b"
                       "cc\x1b") == "abc");
  CHECK(strip_controls("\x1b[\n1") == "\n1");
  CHECK(strip_controls(std::string_view("a\r\b\0\x07\x7f"
                                        "b",
                                        7)) == "ab");
  CHECK(strip_controls("a\xe2\x80\xae"
                       "txt\xe2\x81\xa6\xef\xbb\xbf") == "atxt");
  CHECK(strip_controls("a\xc2\x85z") == "az");
}

TEST_CASE("any input becomes harmless on a terminal") {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const auto shown = strip_controls(random_bytes(random, random() % 80));
    REQUIRE(is_valid_utf8(shown));
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const auto byte = static_cast<unsigned char>(shown[i]);
      REQUIRE((byte >= 0x20 || byte == '\n' || byte == '\t'));
      REQUIRE(byte != 0x7f);
      if (byte == 0xc2) REQUIRE(static_cast<unsigned char>(shown[i + 1]) >= 0xa0);
    }
  }
}

TEST_CASE("a printable text shows marks that are not seen, and keeps joiners that join") {
  CHECK(printable("a\u200bb\u2060\u00ad\u3164") == "a\\u{200b}b\\u{2060}\\u{ad}\\u{3164}");
  CHECK(strip_controls("a\u200bb") == "ab");
  for (const std::string kept :
       {"\u2764\ufe0f\u200d\U0001f525", "1\ufe0f\u20e3", "\u0645\u06cc\u200c\u062e",
        "\u0915\u094d\u200d\u0937", "\u845b\U000e0100"}) {
    CHECK(printable(kept) == kept);
  }
  CHECK(printable("a\u200db\ufe01") == "a\\u{200d}b\\u{fe01}");
  CHECK(printable("\u2764\ufe0f\ufe01\ufe02") == "\u2764\ufe0f\\u{fe01}\\u{fe02}");
}

TEST_CASE("a printable text is one line") {
  CHECK(printable("plain \xc3\xa4 \\") == "plain \xc3\xa4 \\");
  CHECK(printable("a\nb\tc\r") == "a\\nb\\tc\\r");
  CHECK(printable(std::string_view("\0\x1b\x7f", 3)) == "\\x00\\x1b\\x7f");
  CHECK(printable("\xff\xe2\x82") == "\\xff\\xe2\\x82");
  CHECK(printable("\xe2\x80\xae\xc2\x9b") == "\\u{202e}\\u{9b}");
  CHECK(printable("0123456789", 4) == "0123\xe2\x80\xa6");
}

TEST_CASE("the size of a text as JSON is that of its escapes") {
  CHECK(json_size("") == 2);
  CHECK(json_size("plain \xc3\xa4 \xf0\x9f\x98\x80") == 15);
  CHECK(json_size("\"\\") == 6);
  CHECK(json_size(std::string_view("\0\n", 2)) == 14);
  CHECK(json_size("\xff\xc3") == 14);
  CHECK(json_size("\x7f\xc2\x9b\xe2\x80\xae") == 20);
  CHECK(json_size("\xf3\xa0\x81\x81") == 14);
}
