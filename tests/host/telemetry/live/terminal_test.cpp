#include "host/telemetry/live/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>

#include "tests/catch.h"

using namespace moonlet;

namespace {

/// Emulates the part of a terminal that the live view uses. Any other sequence fails the test.
class Screen {
 public:
  explicit Screen(int height) : rows_(static_cast<std::size_t>(height)) {}

  void feed(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      if (text[at] == '\x1b') {
        at = obey(text, at + 1);
      } else {
        put(text[at++]);
      }
    }
  }

  /// Returns the text on the screen, scrolled lines first, without empty lines at its end.
  std::vector<std::string> lines() const {
    auto all = gone_;
    all.insert(all.end(), rows_.begin(), rows_.end());
    while (!all.empty() && all.back().empty()) all.pop_back();
    return all;
  }
  bool cursor_shown() const { return cursor_shown_; }
  bool wraps() const { return wraps_; }
  std::size_t row() const { return row_; }

 private:
  void put(char c) {
    if (c == '\r') {
      column_ = 0;
    } else if (c == '\n') {
      column_ = 0;  // the terminal driver adds the carriage return
      if (++row_ == rows_.size()) {
        gone_.push_back(rows_.front());
        rows_.erase(rows_.begin());
        rows_.emplace_back();
        --row_;
      }
    } else {
      if (static_cast<unsigned char>(c) < 0x20) FAIL("a control character");
      auto& row = rows_[row_];
      row.resize(static_cast<std::size_t>(column_), ' ');
      row += c;
      ++column_;
    }
  }

  std::size_t obey(std::string_view text, std::size_t at) {
    REQUIRE(text[at] == '[');
    const std::size_t end = text.find_first_of("ABCDJKHhlm", at);
    REQUIRE(end != std::string_view::npos);
    const std::string what(text.substr(at + 1, end - at));
    if (what == "?25l" || what == "?25h") {
      cursor_shown_ = what == "?25h";
    } else if (what == "?7l" || what == "?7h") {
      wraps_ = what == "?7h";
    } else if (what == "2K") {
      rows_[row_].clear();
    } else if (what.back() == 'A') {
      row_ -= std::min(row_, static_cast<std::size_t>(std::stoi(what)));
    } else if (what.back() == 'B') {
      row_ = std::min(row_ + static_cast<std::size_t>(std::stoi(what)), rows_.size() - 1);
    } else {
      REQUIRE(what.back() == 'm');
    }
    return end + 1;
  }

  std::vector<std::string> rows_;
  std::vector<std::string> gone_;
  std::size_t row_ = 0;
  int column_ = 0;
  bool cursor_shown_ = true;
  bool wraps_ = true;
};

/// A live view on a pseudo terminal, with a clock that is moved by hand.
class Fixture {
 public:
  explicit Fixture(bool colour = false) : loop_(clock_) {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(master_ >= 0);
    REQUIRE(::grantpt(master_) == 0);
    REQUIRE(::unlockpt(master_) == 0);
    slave_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    REQUIRE(slave_ >= 0);
    resize(40, 12);
    LiveTerminal::Options options;
    options.fd = slave_;
    options.colour = colour;
    options.unicode = false;
    options.write = [this](std::string_view text) {
      ++writes;
      bytes += text.size();
      written += text;
      screen.feed(text);
    };
    options.take_continued = [this] { return std::exchange(continued, false); };
    view.emplace(loop_, std::move(options));
  }
  ~Fixture() {
    view.reset();
    ::close(slave_);
    ::close(master_);
  }

  void resize(int width, int height) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(width);
    size.ws_row = static_cast<unsigned short>(height);
    REQUIRE(::ioctl(slave_, TIOCSWINSZ, &size) == 0);
  }
  void emit(EventType type, const std::string& step, nlohmann::json fields) {
    view->emit({type, clock_.wall_ms(), "R-001", step, std::move(fields)});
  }
  void begin() { emit(EventType::kRunStarted, "", {{"preset", "review"}, {"runner", "codex"}}); }
  void log(const std::string& text) { emit(EventType::kLog, "", {{"text", text}}); }
  /// Advances the clock by `ms` without waiting.
  void pass(std::int64_t ms) {
    clock_.advance(ms);
    view->draw_due();
  }

  FakeClock clock_{1795230720000};
  Loop loop_;
  Screen screen{12};
  std::size_t writes = 0;
  std::size_t bytes = 0;
  std::string written;
  bool continued = false;
  std::optional<LiveTerminal> view;

 private:
  int master_ = -1;
  int slave_ = -1;
};

using Lines = std::vector<std::string>;

EnvironmentLookup environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](std::string_view name) -> const char* {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

}  // namespace

TEST_CASE("a live view is for terminals that can move their cursor") {
  int fds[2];
  REQUIRE(::pipe(fds) == 0);
  CHECK_FALSE(can_show_live(fds[1], environment({{"TERM", "xterm"}})));
  ::close(fds[0]);
  ::close(fds[1]);
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(master >= 0);
  REQUIRE(::grantpt(master) == 0);
  REQUIRE(::unlockpt(master) == 0);
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  CHECK(can_show_live(slave, environment({{"TERM", "xterm"}})));
  CHECK(can_show_live(slave, environment({{"TERM", "xterm"}, {"CI", "false"}})));
  CHECK_FALSE(can_show_live(slave, environment({{"TERM", "xterm"}, {"CI", "true"}})));
  CHECK_FALSE(can_show_live(slave, environment({{"TERM", "dumb"}})));
  CHECK_FALSE(can_show_live(slave, environment({})));
  ::close(slave);
  ::close(master);
}

TEST_CASE("colours and marks are as the environment asks") {
  CHECK(LiveTerminal::options_from(environment({})).colour);
  CHECK_FALSE(LiveTerminal::options_from(environment({{"NO_COLOR", "1"}})).colour);
  CHECK_FALSE(LiveTerminal::options_from(environment({})).unicode);
  CHECK(LiveTerminal::options_from(environment({{"LANG", "en_GB.UTF-8"}})).unicode);
  CHECK(LiveTerminal::options_from(environment({{"LC_CTYPE", "C.utf8"}})).unicode);
  CHECK_FALSE(
      LiveTerminal::options_from(environment({{"LC_ALL", "C"}, {"LANG", "C.UTF-8"}})).unicode);
}

TEST_CASE("a warning is yellow where colours are shown, a line of a log is not") {
  Fixture f(true);
  f.begin();
  f.emit(EventType::kWarning, "", {{"text", "the limit is near"}});
  f.log("hello");
  f.pass(100);
  CHECK(f.written.find("\x1b[33m! the limit is near\n\x1b[0m- hello\n") != std::string::npos);
  CHECK(f.screen.lines()[0] == "! the limit is near");
}

TEST_CASE("the live view is redrawn in place, lines stay above it") {
  Fixture f;
  f.begin();
  CHECK(f.writes == 0);  // the view is first drawn when the loop turns
  f.pass(100);
  CHECK(f.screen.lines() == Lines{"review R-001 | 0s | codex"});
  f.log("hello");
  f.emit(EventType::kStepStarted, "a", {{"kind", "exec"}});
  f.pass(100);
  CHECK(f.screen.lines() == Lines{"- hello", "review R-001 | 0s | codex", "* a             0s"});
  CHECK(f.screen.cursor_shown());
  CHECK(f.screen.wraps());
  CHECK(f.screen.row() == 3);
  f.pass(1000);
  CHECK(f.screen.lines()[2] == "* a             1s");
  f.emit(EventType::kStepFinished, "a",
         {{"kind", "exec"}, {"status", "failed"}, {"duration_ms", 1100}, {"error", "no"}});
  f.emit(EventType::kRunFinished, "", {{"verdict", "failed"}});
  CHECK(f.screen.lines() == Lines{"- hello"});
  f.log("later");
  CHECK(f.screen.lines().back() == "- later");
  CHECK(f.screen.cursor_shown());
}

TEST_CASE("the live view draws ten times a second at most and not at all when nothing changes") {
  Fixture f;
  f.begin();
  f.pass(100);
  const auto before = f.writes;
  for (int i = 0; i < 1000; ++i) f.log("line");
  CHECK(f.writes == before);
  f.pass(100);
  CHECK(f.writes == before + 1);
  const auto bytes = f.bytes;
  f.pass(200);
  CHECK(f.writes == before + 1);
  f.pass(1000);
  CHECK(f.writes == before + 2);
  CHECK(f.bytes - bytes < 100);
}

TEST_CASE("a flood of lines in one turn is bounded") {
  Fixture f;
  f.begin();
  for (int i = 0; i < 5000; ++i) f.log(std::string(100, 'x'));
  CHECK(f.writes > 0);
  f.pass(100);
  CHECK(f.screen.lines().size() == 15001);  // three lines for each log event
}

TEST_CASE("the live view survives every size") {
  Fixture f;
  f.screen = Screen(60);
  f.begin();
  for (int i = 0; i < 30; ++i) {
    f.emit(EventType::kStepStarted, "step-" + std::to_string(i), {{"kind", "exec"}});
  }
  f.pass(100);
  CHECK(f.screen.lines().size() == 10);
  for (const auto& [width, height] : {std::pair{20, 5}, {1, 1}, {12, 3}, {0, 0}, {40, 12}}) {
    f.resize(width, height);
    f.pass(10);
    CHECK(f.screen.cursor_shown());
  }
  CHECK(f.screen.lines().size() == 10);
  CHECK(f.screen.lines()[0] == "review R-001 | 0s | codex");
}

TEST_CASE("other output stands above the live view") {
  Fixture f;
  f.begin();
  f.pass(100);
  const auto print = [&](std::string_view text) { f.screen.feed(text); };
  f.view->print_above("told\n", print);
  f.pass(100);
  CHECK(f.screen.lines() == Lines{"told", "review R-001 | 0s | codex"});
  f.view->print_above("half", print);
  f.pass(100);
  CHECK(f.screen.lines() == Lines{"told", "half", "review R-001 | 0s | codex"});
}

TEST_CASE("the live view goes while somebody is asked, and keeps lines back") {
  Fixture f;
  f.begin();
  f.pass(100);
  f.view->suspend();
  CHECK(f.screen.lines().empty());
  const auto print = [&](std::string_view text) { f.screen.feed(text); };
  f.view->print_above("approve? ", print);
  f.log("meanwhile");
  f.pass(2000);
  CHECK(f.screen.lines() == Lines{"approve? "});
  SECTION("an answer ends its line itself") {
    f.screen.feed("y\r\n");
    f.view->resume(true);
    CHECK(f.screen.lines() == Lines{"approve? y", "- meanwhile", "review R-001 | 2s | codex"});
  }
  SECTION("without an answer the view begins a line") {
    f.view->resume(false);
    CHECK(f.screen.lines() == Lines{"approve? ", "- meanwhile", "review R-001 | 2s | codex"});
  }
  SECTION("the run may end meanwhile") {
    f.emit(EventType::kRunFinished, "", {{"verdict", "cancelled"}});
    CHECK(f.screen.lines().back() == "- meanwhile");
    f.view->resume(false);
    CHECK(f.screen.lines().size() == 2);
  }
}

TEST_CASE("the last line says that a run stops") {
  Fixture f;
  f.begin();
  f.pass(100);
  f.resize(40, 20);
  f.pass(100);
  CHECK(f.screen.lines().back() == "^C stops, and keeps what is done");
  f.view->say_stopping();
  f.pass(100);
  CHECK(f.screen.lines().back() == "it stops: what is done is kept");
}

TEST_CASE("after a stop the live view begins anew beneath other programs' output") {
  Fixture f;
  f.begin();
  f.pass(100);
  f.screen.feed("^Z\r\n[1]+ Stopped\r\n$ fg\r\n");
  f.continued = true;
  f.pass(100);
  CHECK(f.screen.lines() == Lines{"review R-001 | 0s | codex", "^Z", "[1]+ Stopped", "$ fg",
                                  "review R-001 | 0s | codex"});
}

TEST_CASE("a live view that ends without a run leaves nothing") {
  Fixture f;
  f.begin();
  f.pass(100);
  f.view.reset();
  CHECK(f.screen.lines().empty());
  CHECK(f.screen.cursor_shown());
}
