// LiveTerminal draws the live view at the foot of a terminal and prints lines above it. It uses no
// alternate screen, no raw mode and no signal handler; it only switches the echo off. Each frame is
// one write that hides the cursor at its start and shows it at its end, so that the terminal stays
// usable even after kill -9. It is in C++ because it must outlive a killed script. Loop thread
// only.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/loop.h"
#include "host/telemetry/live/echo.h"
#include "host/telemetry/live/model.h"
#include "host/telemetry/live/view.h"

namespace moonlet {

/// Looks up an environment variable; nullptr if it is not set.
using EnvironmentLookup = std::function<const char*(std::string_view name)>;

/// True when `fd` is a terminal on which a live view makes sense: in the foreground, not "dumb",
/// and not that of a CI job, whose log keeps every frame.
bool can_show_live(int fd, const EnvironmentLookup& env);

class LiveTerminal {
 public:
  struct Options {
    int fd = 2;     ///< the terminal; borrowed, never closed
    int keys = -1;  ///< the descriptor whose keys are not echoed meanwhile; -1 is none
    std::function<void(std::string_view)> write;  ///< takes the drawn text
    bool colour = true;
    bool unicode = true;
    std::string_view help = LiveStyle{}.help;  ///< what the keys do; a text that stays
    std::string_view help_stopping = "it stops: what is done is kept";  ///< likewise, at the end
    /// Returns true once after the process was stopped and continued: others may have written
    /// since.
    std::function<bool()> take_continued;
  };
  /// Chooses colour and Unicode marks by the environment (NO_COLOR, LC_ALL, LC_CTYPE, LANG).
  static Options options_from(const EnvironmentLookup& env);

  /// `loop` is borrowed. The timer does not keep it alive.
  LiveTerminal(Loop& loop, Options options);
  /// Ends the view as finish() does.
  ~LiveTerminal();
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;

  /// Handles an event; the view shows it within a tenth of a second.
  void emit(const Event& event);
  /// Erases the view, lets `print` write `text` there, and draws the view again below.
  void print_above(std::string_view text, const std::function<void(std::string_view)>& print);
  /// From now on the last line of the view says that the run is stopping.
  void say_stopping();
  /// Erases the view and delays lines until resume(), while the user answers a question.
  void suspend();
  /// Shows the view again. `at_line_start`: the cursor is at the start of a line.
  void resume(bool at_line_start);
  /// Draws if something has changed and the last frame is old enough. A timer calls it.
  void draw_due();
  /// Replaces the view by its final form. Later events are printed as lines. Idempotent.
  void finish();

 private:
  struct Size {
    int width = 80;
    int height = 24;
    bool operator==(const Size&) const = default;
  };

  void draw_when_due();
  Size size() const;
  LiveStyle style(const Size& now) const;
  bool is_ours();
  std::string erased(const Size& now);
  std::string waiting_lines();
  void add_message(const Event& event);
  void draw();
  void replace(const std::vector<LiveLine>& last);

  Loop& loop_;
  Options options_;
  LiveModel model_;
  std::optional<EchoOff> echo_off_;
  uv_timer_t* timer_;
  std::vector<LiveLine> drawn_;  // the view above the cursor's line
  Size drawn_size_;              // the terminal's size at that time
  std::string waiting_;          // lines for above the view
  std::size_t left_out_ = 0;
  std::int64_t drawn_at_ms_ = -1'000'000;  // monotonic
  bool dirty_ = false;
  bool mid_line_ = false;  // something was printed that did not end its line
  bool suspended_ = false;
  bool finished_ = false;
};

}  // namespace moonlet
