// LiveTerminal draws the live view at the bottom of a terminal and prints other output above it.
// It does not use the alternate screen, raw mode or a signal handler, and only switches the echo
// off. Each frame is a single write that leaves the cursor visible, so the terminal stays usable
// after kill -9. It is not written in Lua, because the view must outlive a script that is killed.
// Loop thread only.
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

/// Returns the value of an environment variable, or nullptr if it is not set.
using EnvironmentLookup = std::function<const char*(std::string_view name)>;

/// Returns true if `fd` is a terminal that supports a live view and this process is in its
/// foreground. Returns false for a "dumb" terminal and in CI, where the log would contain every
/// frame.
bool can_show_live(int fd, const EnvironmentLookup& env);

class LiveTerminal {
 public:
  struct Options {
    int fd = 2;     ///< the terminal; borrowed, never closed
    int keys = -1;  ///< the terminal whose echo is switched off; -1: none
    std::function<void(std::string_view)> write;  ///< writes to the terminal
    bool colour = true;
    bool unicode = true;
    std::string_view help = LiveStyle{}.help;  ///< text of the view's last line; borrowed
    /// Replaces `help` while the run stops.
    std::string_view help_stopping = "it stops: what is done is kept";
    /// Returns true once after each SIGCONT, because other programs may have written to the
    /// terminal.
    std::function<bool()> take_continued;
  };
  /// Sets colours and Unicode marks according to NO_COLOR, LC_ALL, LC_CTYPE and LANG.
  static Options options_from(const EnvironmentLookup& env);

  /// Borrows `loop`. The view's timer does not keep the loop alive.
  LiveTerminal(Loop& loop, Options options);
  ~LiveTerminal();
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;

  /// Applies an event to the view, which is drawn again within a tenth of a second.
  void emit(const Event& event);
  /// Erases the view and lets `print` write `text`. The view is drawn again below the text.
  void print_above(std::string_view text, const std::function<void(std::string_view)>& print);
  /// Changes the view's last line to say that the run is stopping.
  void say_stopping();
  /// Erases the view while the user answers a question. Queues lines until resume().
  void suspend();
  /// Draws the view again after suspend(). `at_line_start` tells whether the cursor is at the start
  /// of a line.
  void resume(bool at_line_start);
  /// Draws the view if it has changed and the last frame is old enough. Called by the view's timer.
  void draw_due();
  /// Replaces the view by the run's final summary. Later messages are printed as plain lines.
  /// Idempotent.
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
  std::vector<LiveLine> drawn_;  // lines of the last frame, above the cursor's line
  Size drawn_size_;              // the terminal's size at the last frame
  std::string waiting_;          // queued lines to print above the view
  std::size_t left_out_ = 0;
  std::int64_t drawn_at_ms_ = -1'000'000;  // on the monotonic clock
  bool dirty_ = false;
  bool mid_line_ = false;  // the last output did not end with a newline
  bool suspended_ = false;
  bool finished_ = false;
};

}  // namespace moonlet
