// Screen is the terminal that a session's program draws on: it keeps what a user would see, and
// answers the queries that programs send to a terminal. It accepts hostile bytes. Owns a libvterm;
// knows no descriptor. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
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
  /// How many lines are kept after they have scrolled off the screen.
  static constexpr std::size_t kMostHistory = 2000;

  struct Handlers {
    std::function<void(std::string_view)> answer;  ///< bytes that the program is to read
    std::function<void(std::string_view)> line;    ///< the text of a line that left at the top
  };
  /// Clamps a size to the limits.
  Screen(ScreenSize size, Handlers handlers);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void feed(std::string_view bytes);
  /// Under heavy output, lines that scroll off the screen are not kept: that would take a third of
  /// libvterm's time, and the history would hold only the last moments. Plain lines that scroll off
  /// within one feed() are not even drawn.
  void set_flooded(bool flooded);
  bool flooded() const { return flooded_; }
  /// True if the history misses lines that the log has.
  bool history_has_gap() const { return has_gap_; }
  void resize(ScreenSize size);
  ScreenSize size() const { return size_; }

  /// The text of a row without the blanks at its end: valid UTF-8 without control characters.
  std::string row(int index) const;
  std::vector<std::string> rows() const;
  /// The newest `count` lines that have left the screen, oldest first.
  std::vector<std::string> history(std::size_t count) const;
  std::uint64_t lines_gone() const { return lines_gone_; }

  struct Cursor {
    int row = 0, col = 0;  ///< from 0
    bool visible = true;
  };
  Cursor cursor() const;
  bool alternate() const { return alternate_; }
  const std::string& title() const { return title_; }
  /// Changes with each feed() and each resize.
  std::uint64_t version() const { return version_; }

  /// Returns escape sequences that draw the current screen on another, cleared terminal, and that
  /// switch on the program's modes: application cursor keys, bracketed paste, the mouse.
  std::string redraw();

  // --- input from the user, encoded as this terminal sends it; the answer handler gets the bytes

  /// Marks text of several lines as pasted if the program has enabled bracketed paste.
  void type(std::string_view text);
  /// "enter", "ctrl-c", "up", "f5", "alt-x", "shift-tab", …; false for an unknown name.
  bool press(std::string_view key);

  struct Callbacks;  ///< libvterm calls these

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
  std::size_t plain_bytes_ = 0;  // since the last control character, while flooded
};

}  // namespace moonlet
