#include "host/validation/question.h"

#include "tests/catch.h"

using namespace moonlet;

namespace {

/// Returns "text {option} …", or "none" if there is no question.
std::string asked(std::string_view answer) {
  const auto question = last_question(answer);
  if (!question) return "none";
  std::string out = question->text;
  for (const auto& option : question->options) out += " {" + option + "}";
  return out;
}

const char* const kSession =
    "[PROGRESS] Exploring existing patterns\n"
    "[QUESTION] Should I go on?\n"
    "\n"
    "  [QUESTION] Should I use localStorage or sessionStorage?\n"
    "Options:\n"
    "1. localStorage - Persists across sessions\n"
    "2. sessionStorage - Cleared on close\n"
    "[BLOCKED] API_BASE_URL not defined in config\n"
    "[FILES_MODIFIED]\n"
    "- src/components/UserAuth.tsx (created)\n"
    "[CODEX_COMPLETE] Task completed in 12 iterations";

}  // namespace

TEST_CASE("the last question of an answer is found, with its options") {
  const std::string found =
      "Should I use localStorage or sessionStorage? {localStorage - Persists across sessions}"
      " {sessionStorage - Cleared on close}";
  CHECK(asked(kSession) == found);
  std::string crlf;
  for (const char* c = kSession; *c != 0; ++c) {
    if (*c == '\n') crlf += '\r';
    crlf += *c;
  }
  CHECK(asked(crlf) == found);
  CHECK(asked("[QUESTION] a?\n[QUESTION] b?") == "b?");
}

TEST_CASE("a question marker counts only at the start of its own line") {
  CHECK(asked("   [QUESTION] x") == "x");
  CHECK(asked("[QUESTION]") == "");
  CHECK(asked("[QUESTION]x") == "x");
  CHECK(asked("[QUESTION]: y") == "y");
  CHECK(asked("\xef\xbb\xbf[QUESTION] x\n\xef\xbb\xbf[QUESTION] y") ==
        "x\n\xef\xbb\xbf[QUESTION] y");
  for (const char* none : {"    [QUESTION] x", "\t[QUESTION] x", "text [QUESTION] x",
                           "> [QUESTION] x", " > [QUESTION] x", "- [QUESTION] x", "`[QUESTION]` x",
                           "[question] x", "[QUESTION](http://x)", "[QUESTION][1]", "[QUESTION x",
                           "\r[QUESTION] x", "[QUESTIO] x", "[", "", "\n\n\n", "[BLOCKED] x"}) {
    INFO(none);
    CHECK(asked(none) == "none");
  }
}

TEST_CASE("code fences hide questions") {
  const std::string end = "\n[QUESTION] x";
  for (const char* fence :
       {"```\n[QUESTION] no\n```", "~~~\n[QUESTION] no\n~~~", "   ```sh\n[QUESTION] no\n   ```",
        "````\n```\n[QUESTION] no\n````", "```\n~~~\n[QUESTION] no\n```",
        "```\n[QUESTION] no\n`````  ", "~~~ a`b\n[QUESTION] no\n~~~",
        "- ```\n  [QUESTION] no\n  ```", "1. ```sh\n   [QUESTION] no\n   ```",
        "- - ```\n    [QUESTION] no\n    ```", "- ```\n  [QUESTION] no",
        "```\r\n[QUESTION] no\r\n```\r", "- ```\n  code", "- ```\n\n  code\n  ```"}) {
    INFO(fence);
    CHECK(asked(fence + end) == "x");
    CHECK(asked(fence) == "none");
  }
  for (const char* open :
       {"```\n", "```\n``\n", "```\n~~~\n", "```\n    ```\n", "```\n``` x\n", "````\n```\n"}) {
    INFO(open);
    CHECK(asked(open + end) == "none");
  }
  // None of these opens a fence.
  for (const char* text : {"``` a `b`", "``", "    ```", "text ```", "> ```", "-```"}) {
    INFO(text);
    CHECK(asked(text + end) == "x");
  }
}

TEST_CASE("questions have options in several forms, or none") {
  CHECK(asked("[QUESTION] a?\n") == "a?");
  CHECK(asked("[QUESTION] a?\nmore\n\ntext") == "a?\nmore");
  CHECK(asked("[QUESTION] a?\n1. x\n2) y\n\n3. z\ntext") == "a? {x} {y} {z}");
  CHECK(asked("[QUESTION] a?\n\nOPTIONS\n- x\n  goes on\n* y\n") == "a? {x goes on} {y}");
  CHECK(asked("[QUESTION] a?\nOptions:\n\n1. x\n\n\n2. y") == "a? {x}");
  CHECK(asked("[QUESTION] a?\nOptions:\n1. x\n[BLOCKED] b\n2. y") == "a? {x}");
  CHECK(asked("[QUESTION]\nwhat?\n") == "what?");
  CHECK(asked("[QUESTION] a?\n```\n1. x\n[QUESTION] no\n```\n2. y") == "a?");
  CHECK(asked("[QUESTION] a?\n> 1. x\n2. y") == "a?");
}

TEST_CASE("bytes that are no UTF-8 pass as they are") {
  CHECK(asked("\xff\xfe\n[QUESTION] a\xff\n") == "a\xff");
  CHECK(asked(std::string("[QUESTION] a\0b\n", 15)) == std::string("a\0b", 3));
}

TEST_CASE("a question and its options are cut at their caps") {
  const std::string megabyte(1 << 20, 'x');
  std::string answer = "[QUESTION] " + megabyte + "\n" + megabyte + "\nOptions:\n";
  for (int i = 0; i < 200; ++i) answer += "1. " + megabyte.substr(0, 5000) + "\n";
  const auto question = last_question(answer);
  REQUIRE(question);
  CHECK(question->text.size() <= Question::kTextCap);
  CHECK(question->text.size() > Question::kTextCap / 2);
  REQUIRE(question->options.size() == Question::kMaxOptions);
  for (const auto& option : question->options) CHECK(option.size() <= 1024);
}
