// Screen emulates the terminal of a session's program, and stores what a user would see.
// Screen answers the program's queries to the terminal. Accepts hostile bytes.
// Screen owns a libvterm. It does no I/O itself. Single-threaded.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct VTerm;
struct VTermScreen;

#include "host/process/session/vterm_input.h"

namespace moonlet {

struct ScreenSize {
  static constexpr int kMost = 500;  ///< rows or columns
  int rows = 40, cols = 120;
  bool operator==(const ScreenSize&) const = default;
};

class Screen {
 public:
  /// The history keeps this many lines that have scrolled off the screen.
  static constexpr std::size_t kMostHistory = 2000;

  struct Handlers {
    std::function<void(std::string_view)> answer;  ///< receives bytes for the program to read
    std::function<void(std::string_view)> line;    ///< receives a line that scrolls off the top
  };
  /// Clamps the size to the limits.
  Screen(ScreenSize size, Handlers handlers);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void feed(std::string_view bytes);
  /// While `flooded` is true, lines that scroll off the screen are not stored.
  /// Storing them would take a third of libvterm's time.
  void set_flooded(bool flooded);
  bool flooded() const { return flooded_; }
  /// Returns true if the history misses lines that the log has.
  bool history_has_gap() const { return has_gap_; }
  void resize(ScreenSize size);
  ScreenSize size() const { return size_; }

  /// Returns the text of a row without trailing blanks: valid UTF-8 without control characters.
  std::string row(int index) const;
  std::vector<std::string> rows() const;
  /// Returns the newest `count` lines that have left the screen, oldest first.
  std::vector<std::string> history(std::size_t count) const;
  std::uint64_t lines_gone() const { return lines_gone_; }

  struct Cursor {
    int row = 0, col = 0;  ///< counted from 0
    bool visible = true;
  };
  Cursor cursor() const;
  bool alternate() const { return alternate_; }
  const std::string& title() const { return title_; }
  /// The version changes with each feed() and each resize().
  std::uint64_t version() const { return version_; }

  /// Returns escape sequences that draw the screen on another, cleared terminal.
  /// redraw() also enables the program's modes: application cursor keys, bracketed paste, mouse.
  std::string redraw();

  // type() and press() encode input as a terminal does, and pass it to Handlers::answer.

  /// Types `text`. Marks several lines as pasted if the program has enabled bracketed paste.
  void type(std::string_view text);
  /// Presses a key: "enter", "ctrl-c", "up", "f5", "alt-x", "shift-tab", … False if unknown.
  bool press(std::string_view key);

  struct Callbacks;  ///< the functions that libvterm calls

 private:
  void keep_line(std::string text);
  void parse(std::string_view bytes);
  std::string modes();
  std::pair<std::size_t, std::size_t> superfluous(std::string_view bytes);

  ScreenSize size_;
  Handlers handlers_;
  VTerm* vterm_;
  VTermScreen* screen_;
  std::deque<std::string> history_;
  std::uint64_t lines_gone_ = 0;
  std::uint64_t version_ = 0;
  bool cursor_visible_ = true;
  bool alternate_ = false;
  int mouse_ = 0;  // a VTERM_PROP_MOUSE_…
  bool flooded_ = false, has_gap_ = false;
  std::string title_, coming_title_;
  VtermInput input_;
  std::size_t plain_bytes_ = 0;  // bytes since the last control character, during a flood
};

}  // namespace moonlet
