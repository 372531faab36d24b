#include "host/validation/question.h"

#include <random>

#include "tests/catch.h"

using namespace moonlet;

namespace {

std::string shown(const Marker& marker) {
  std::string out =
      std::to_string(marker.line) + " " + std::string(to_string(marker.kind)) + ":" + marker.text;
  for (const auto& option : marker.options) out += " {" + option + "}";
  for (const auto& file : marker.files) out += " <" + file.path + "|" + file.change + ">";
  if (marker.iterations) out += " #" + std::to_string(*marker.iterations);
  return marker.cut ? out + " cut" : out;
}

std::vector<std::string> scan(std::string_view text, std::size_t step = 1 << 20) {
  std::vector<std::string> found;
  MarkerScanner scanner([&](const Marker& marker) { found.push_back(shown(marker)); });
  for (std::size_t at = 0; at < text.size(); at += step) scanner.feed(text.substr(at, step));
  scanner.finish();
  return found;
}

using Found = std::vector<std::string>;

const char* const kSession =
    "[PROGRESS] Exploring existing patterns\n"
    "[Tool: Glob] src/components/**/*.tsx\n"
    "\n"
    "  [PROGRESS] Creating UserAuth component\r\n"
    "[QUESTION] Should I use localStorage or sessionStorage?\n"
    "Options:\n"
    "1. localStorage - Persists across sessions\n"
    "2. sessionStorage - Cleared on close\n"
    "[BLOCKED] API_BASE_URL not defined in config\n"
    "[FILES_MODIFIED]\n"
    "- src/components/UserAuth.tsx (created)\n"
    "- src/App.tsx (Modified)\n"
    "- `old (1).txt` (deleted)\n"
    "- plain\n"
    "\n"
    "[CODEX_COMPLETE] Task completed in 12 iterations";

const Found kSessionMarkers = {
    "1 progress:Exploring existing patterns",
    "4 progress:Creating UserAuth component",
    "5 question:Should I use localStorage or sessionStorage? {localStorage - Persists across "
    "sessions}"
    " {sessionStorage - Cleared on close}",
    "9 blocked:API_BASE_URL not defined in config",
    "10 files_modified: <src/components/UserAuth.tsx|created> <src/App.tsx|modified>"
    " <old (1).txt|deleted> <plain|>",
    "16 complete:Task completed in 12 iterations #12",
};

}  // namespace

TEST_CASE("all markers of a session are found, however it is cut") {
  for (std::size_t step = 1; step < 60; ++step) REQUIRE(scan(kSession, step) == kSessionMarkers);
  std::string crlf;
  for (const char* c = kSession; *c != 0; ++c) {
    if (*c == '\n' && crlf.back() != '\r') crlf += '\r';
    crlf += *c;
  }
  for (std::size_t step : {1, 2, 7, 4096}) CHECK(scan(crlf, step) == kSessionMarkers);
}

TEST_CASE("a marker stands at the start of a line, alone") {
  CHECK(scan("   [BLOCKED] x") == Found{"1 blocked:x"});
  CHECK(scan("[BLOCKED]") == Found{"1 blocked:"});
  CHECK(scan("[BLOCKED]x\n[BLOCKED]: y") == Found{"1 blocked:x", "2 blocked:y"});
  for (const char* none :
       {"    [BLOCKED] x", "\t[BLOCKED] x", "text [BLOCKED] x", "> [BLOCKED] x", " > [BLOCKED] x",
        "- [BLOCKED] x", "`[BLOCKED]` x", "[blocked] x", "[BLOCKED](http://x)", "[BLOCKED][1]",
        "[BLOCKED x", "\r[BLOCKED] x", "[PROGRES] x", "[", "", "\n\n\n"}) {
    CHECK(scan(none).empty());
  }
}

TEST_CASE("a byte order mark before the first line is no text") {
  CHECK(scan("\xef\xbb\xbf[BLOCKED] x\n\xef\xbb\xbf[BLOCKED] y", 1) == Found{"1 blocked:x"});
}

TEST_CASE("code fences hide markers") {
  const std::string end = "\n[BLOCKED] x";
  for (const char* fence :
       {"```\n[BLOCKED] no\n```", "~~~\n[BLOCKED] no\n~~~", "   ```sh\n[BLOCKED] no\n   ```",
        "````\n```\n[BLOCKED] no\n````", "```\n~~~\n[BLOCKED] no\n```",
        "```\n[BLOCKED] no\n`````  ", "~~~ a`b\n[BLOCKED] no\n~~~", "- ```\n  [BLOCKED] no\n  ```",
        "1. ```sh\n   [BLOCKED] no\n   ```", "- - ```\n    [BLOCKED] no\n    ```",
        "- ```\n  [BLOCKED] no", "```\r\n[BLOCKED] no\r\n```\r"}) {
    INFO(fence);
    const auto found = scan(fence + end);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("blocked:x") != std::string::npos);
    CHECK(scan(fence + end, 1) == found);
  }
  for (const char* open :
       {"```\n", "```\n``\n", "```\n~~~\n", "```\n    ```\n", "```\n``` x\n", "````\n```\n"}) {
    INFO(open);
    CHECK(scan(open + end).empty());
  }
  // None of these opens a fence.
  for (const char* text : {"``` a `b`", "``", "    ```", "text ```", "> ```", "-```"}) {
    INFO(text);
    CHECK(scan(text + end).size() == 1);
  }
}

TEST_CASE("a fence in a list ends with the list") {
  CHECK(scan("- ```\n  code\n[BLOCKED] x") == Found{"3 blocked:x"});
  CHECK(scan("- ```\n\n  code\n  ```\n[BLOCKED] x") == Found{"5 blocked:x"});
}

TEST_CASE("questions have options in several forms, or none") {
  CHECK(scan("[QUESTION] a?\n") == Found{"1 question:a?"});
  CHECK(scan("[QUESTION] a?\nmore\n\ntext") == Found{"1 question:a?\nmore"});
  CHECK(scan("[QUESTION] a?\n1. x\n2) y\n\n3. z\ntext") == Found{"1 question:a? {x} {y} {z}"});
  CHECK(scan("[QUESTION] a?\n\nOPTIONS\n- x\n  goes on\n* y\n") ==
        Found{"1 question:a? {x goes on} {y}"});
  CHECK(scan("[QUESTION] a?\nOptions:\n\n1. x\n\n\n2. y") == Found{"1 question:a? {x}"});
  CHECK(scan("[QUESTION] a?\nOptions:\n1. x\n[BLOCKED] b") ==
        Found{"1 question:a? {x}", "4 blocked:b"});
  CHECK(scan("[QUESTION]\nwhat?\n") == Found{"1 question:what?"});
  CHECK(scan("[QUESTION] a?\n```\n1. x\n[BLOCKED] no\n```\n[BLOCKED] b") ==
        Found{"1 question:a?", "6 blocked:b"});
  CHECK(scan("[QUESTION] a?\n> 1. x\n2. y") == Found{"1 question:a?"});
  CHECK(scan("[QUESTION] a?\n[QUESTION] b?") == Found{"1 question:a?", "2 question:b?"});
}

TEST_CASE("file lists end where something else begins") {
  CHECK(scan("[FILES_MODIFIED]\n- a (created)\ntext\n- b (created)") ==
        Found{"1 files_modified: <a|created>"});
  CHECK(scan("[FILES_MODIFIED]\n\n* a b (renamed)\n") == Found{"1 files_modified: <a b|renamed>"});
  CHECK(scan("[FILES_MODIFIED] none\n") == Found{"1 files_modified:none"});
  CHECK(scan("[FILES_MODIFIED]\n- f(x)\n- g (v2)\n- (created)\n") ==
        Found{"1 files_modified: <f(x)|> <g (v2)|> <(created)|>"});
}

TEST_CASE("completion gives its iterations when it says so") {
  CHECK(scan("[CODEX_COMPLETE] Task completed in 1 iteration") ==
        Found{"1 complete:Task completed in 1 iteration #1"});
  for (const char* text : {"done", "Task completed in many iterations", "Task completed in 12",
                           "Task completed in 99999999999999999999 iterations"}) {
    CHECK(scan(std::string("[CODEX_COMPLETE] ") + text) ==
          Found{std::string("1 complete:") + text});
  }
}

TEST_CASE("bytes that are no UTF-8 pass as they are") {
  CHECK(scan("\xff\xfe\n[BLOCKED] a\xff\n") == Found{"2 blocked:a\xff"});
  const std::string nul("[BLOCKED] a\0b\n", 14);
  CHECK(scan(nul) == Found{std::string("1 blocked:a\0b", 13)});
}

TEST_CASE("lines of any length take bounded memory") {
  std::vector<std::string> found;
  std::size_t longest = 0;
  MarkerScanner scanner([&](const Marker& marker) {
    found.push_back(std::string(to_string(marker.kind)) + (marker.cut ? " cut" : ""));
    longest = std::max(longest, marker.text.size());
  });
  const std::string megabyte(1 << 20, 'x');
  for (int line = 0; line < 2; ++line) {
    scanner.feed("[BLOCKED] ");
    for (int i = 0; i < 100; ++i) scanner.feed(megabyte);
    scanner.feed("\n");
  }
  scanner.feed("[PROGRESS] ok\n[QUESTION] " + megabyte + "\n" + megabyte + "\nOptions:\n");
  for (int i = 0; i < 200; ++i) scanner.feed("1. " + megabyte + "\n");
  scanner.feed("[FILES_MODIFIED]\n");
  for (int i = 0; i < 20'000; ++i) scanner.feed("- file (created)\n");
  scanner.finish();
  CHECK(found ==
        Found{"blocked cut", "blocked cut", "progress", "question cut", "files_modified cut"});
  CHECK(longest <= MarkerScanner::kTextCap);
}

TEST_CASE("chunks never matter, whatever the text") {
  const char* const parts[] = {"[PROGRESS] a",
                               "[QUESTION] b",
                               "Options:",
                               "1. x",
                               "- y (created)",
                               "[FILES_MODIFIED]",
                               "```",
                               "~~~",
                               "````",
                               "> ",
                               "  ",
                               "\n",
                               "\n",
                               "\n",
                               "\r\n",
                               "text",
                               "    ",
                               "[BLOCKED]",
                               "[",
                               "- ",
                               "\t",
                               "\xef\xbb\xbf",
                               "\xff"};
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 60; ++i) text += parts[random() % std::size(parts)];
    const auto whole = scan(text);
    for (std::size_t step : {1, 2, 3, 13}) REQUIRE(scan(text, step) == whole);
  }
}

TEST_CASE("a scanner can be used again after the end") {
  int count = 0;
  MarkerScanner scanner([&](const Marker& marker) { count += marker.line == 1; });
  for (int i = 0; i < 3; ++i) {
    scanner.feed("[BLOCKED] a\n```\n");
    scanner.finish();
  }
  CHECK(count == 3);
}
