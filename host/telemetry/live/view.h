// The live view as lines of text: a run's head, its phases, and under them the running steps. Pure:
// a model, a size and the time go in, lines come out, each within the width, never more than the
// height. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/telemetry/live/model.h"

namespace moonlet {

struct LiveStyle {
  int width = 80;   ///< columns that a line may take
  int height = 24;  ///< lines that there may be
  bool colour = false;
  bool unicode = true;  ///< allows marks beyond ASCII
  std::string_view help =
      "^C stops, and keeps what is done";  ///< the last line, where there is room
};

struct LiveLine {
  std::string text;  ///< with colours, without a line end
  int columns = 0;   ///< the columns it takes
};

/// The view of a person while the run goes on. Where lines are few: running steps first, then
/// failed ones, and the rest as counts. Empty before the run has begun.
std::vector<LiveLine> render_live(const LiveModel& model, const LiveStyle& style,
                                  std::int64_t now_ms);

/// A log or warning for above the view: behind a mark, in lines of the style's width. None for what
/// the report at the end says.
std::vector<std::string> render_message(const Event& event, const LiveStyle& style);

/// The view that stays when the run has ended: the phases. The report says the rest. At most a few
/// dozen lines, whatever the height.
std::vector<LiveLine> render_final(const LiveModel& model, const LiveStyle& style,
                                   std::int64_t now_ms);

}  // namespace moonlet
