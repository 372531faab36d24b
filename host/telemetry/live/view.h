// Renders a run as lines: a title, the phases, and their steps. Rendering has no side effects, and
// stays within the given width and height. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/telemetry/live/model.h"

namespace moonlet {

struct LiveStyle {
  int width = 80;   ///< maximum columns of a line
  int height = 24;  ///< maximum number of lines
  bool colour = false;
  bool unicode = true;                                         ///< use symbols beyond ASCII
  std::string_view help = "^C stops, and keeps what is done";  ///< the view's last line, if it fits
};

struct LiveLine {
  std::string text;  ///< may contain colours; no newline
  int columns = 0;   ///< width of the text on the terminal
};

/// Renders an active run. If there is no room for all steps, shows running steps first, then failed
/// steps. Returns no lines before the run has begun.
std::vector<LiveLine> render_live(const LiveModel& model, const LiveStyle& style,
                                  std::int64_t now_ms);

/// Renders a log message or warning with a mark in front, wrapped to the style's width. Returns no
/// lines if the final report repeats the message.
std::vector<std::string> render_message(const Event& event, const LiveStyle& style);

/// Renders one line for each phase of an ended run, for at most 20 phases. Ignores the height.
std::vector<LiveLine> render_final(const LiveModel& model, const LiveStyle& style,
                                   std::int64_t now_ms);

}  // namespace moonlet
