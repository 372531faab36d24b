// Renders a run as lines: a head, phases, and their running steps.
// Rendering is pure, and stays within the given width and height. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/telemetry/live/model.h"

namespace moonlet {

struct LiveStyle {
  int width = 80;   ///< columns that a line may take
  int height = 24;  ///< the most lines
  bool colour = false;
  bool unicode = true;                                         ///< allows marks beyond ASCII
  std::string_view help = "^C stops, and keeps what is done";  ///< the last line, if it fits
};

struct LiveLine {
  std::string text;  ///< with colours, without a line end
  int columns = 0;   ///< the columns of the text
};

/// Renders a running run. Scarce lines go to running steps first, then to failed steps.
/// Returns no lines before the run has begun.
std::vector<LiveLine> render_live(const LiveModel& model, const LiveStyle& style,
                                  std::int64_t now_ms);

/// Renders a log line or warning behind a mark, wrapped to the style's width.
/// Returns no lines for text that the final report repeats.
std::vector<std::string> render_message(const Event& event, const LiveStyle& style);

/// Renders the phases of an ended run, in at most a few dozen lines regardless of the height.
std::vector<LiveLine> render_final(const LiveModel& model, const LiveStyle& style,
                                   std::int64_t now_ms);

}  // namespace moonlet
