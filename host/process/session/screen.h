// Screen is the terminal that a session's program draws on: it keeps what a person would see, and
// answers the questions that programs ask of a terminal. It takes hostile bytes. Owns a libvterm;
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
  /// Lines kept of those that have left the screen at its top.
  static constexpr std::size_t kMostHistory = 2000;

  struct Handlers {
    std::function<void(std::string_view)> answer;  ///< bytes that the program is to read
    std::function<void(std::string_view)> line;    ///< the text of a line that left at the top
  };
  /// A size beyond the limits is brought within them.
  Screen(ScreenSize size, Handlers handlers);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void feed(std::string_view bytes);
  /// While it is flooded, lines that leave the screen are not kept: that takes a third of
  /// libvterm's time, and the history would hold only the last moments. Plain lines that the same
  /// feed() pushes off the screen are not even drawn.
  void set_flooded(bool flooded);
  bool flooded() const { return flooded_; }
  /// True when the history lacks lines that the log has.
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
  /// Changed with all that is fed and with every resize.
  std::uint64_t version() const { return version_; }

  /// Sequences that draw the present screen on another terminal, from a cleared one, and switch on
  /// what its program has: application cursor keys, marks around pasted text, the mouse.
  std::string redraw();

  // --- what a person types, as this terminal sends it; the answer handler gets the bytes

  /// Text of several lines is marked as pasted where the program asked for that.
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
