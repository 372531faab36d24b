// LiveTerminal draws the live view at the foot of a terminal and prints lines above.
// LiveTerminal uses no alternate screen, raw mode or signal handler; it only disables the echo.
// Each frame is a single write that restores the cursor, so kill -9 leaves a usable terminal.
// LiveTerminal is C++, because the view must outlive a killed script. Loop thread only.
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

/// Returns an environment variable; nullptr if unset.
using EnvironmentLookup = std::function<const char*(std::string_view name)>;

/// Returns true if `fd` is a foreground terminal that supports a live view.
/// Refuses "dumb" terminals and CI jobs, whose logs keep every frame.
bool can_show_live(int fd, const EnvironmentLookup& env);

class LiveTerminal {
 public:
  struct Options {
    int fd = 2;     ///< the terminal; borrowed, never closed
    int keys = -1;  ///< the descriptor whose keys are not echoed; -1: none
    std::function<void(std::string_view)> write;  ///< writes the drawn text
    bool colour = true;
    bool unicode = true;
    std::string_view help = LiveStyle{}.help;  ///< explains the keys; must outlive the view
    std::string_view help_stopping = "it stops: what is done is kept";  ///< while the run stops
    /// Returns true once after SIGCONT, when other programs may have written to the terminal.
    std::function<bool()> take_continued;
  };
  /// Chooses colour and Unicode marks by NO_COLOR, LC_ALL, LC_CTYPE and LANG.
  static Options options_from(const EnvironmentLookup& env);

  /// Borrows `loop`. The timer does not keep the loop alive.
  LiveTerminal(Loop& loop, Options options);
  ~LiveTerminal();
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;

  /// Handles an event. The view changes within a tenth of a second.
  void emit(const Event& event);
  /// Erases the view, lets `print` write `text`, and draws the view below the text.
  void print_above(std::string_view text, const std::function<void(std::string_view)>& print);
  /// Makes the last line of the view say that the run is stopping.
  void say_stopping();
  /// Erases the view and delays lines until resume(), while the user answers a question.
  void suspend();
  /// Draws the view again. `at_line_start` means that the cursor is at the start of a line.
  void resume(bool at_line_start);
  /// Draws if the view has changed and the last frame is old enough. A timer calls draw_due().
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
  std::string waiting_;          // lines to print above the view
  std::size_t left_out_ = 0;
  std::int64_t drawn_at_ms_ = -1'000'000;  // monotonic
  bool dirty_ = false;
  bool mid_line_ = false;  // the last print did not end its line
  bool suspended_ = false;
  bool finished_ = false;
};

}  // namespace moonlet
