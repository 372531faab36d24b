// The words of the live view: durations, counts, money, and a line that never grows beyond its
// width. Pure. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/telemetry/live/model.h"
#include "host/telemetry/live/view.h"

namespace moonlet {

enum class Tone { kPlain, kDim, kBold, kGreen, kRed, kYellow, kCyan };

/// A line under construction.
class LiveRow {
 public:
  explicit LiveRow(const LiveStyle& style) : style_(style) {}
  /// Adds as much of `text` as there is room for.
  LiveRow& add(std::string_view text, Tone tone = Tone::kPlain);
  /// Goes on at `column`, if the line has not come that far.
  LiveRow& to(int column);
  int room() const { return style_.width - line_.columns; }
  LiveLine take() { return std::move(line_); }

 private:
  const LiveStyle& style_;
  LiveLine line_;
};

/// "40ms", "3.2s", "12s", "1m05s", "2h03m", at most six columns up to 99 hours. Running clocks show
/// whole seconds.
std::string time_text(std::int64_t ms, bool running);
/// "812", "48.1k", "1.3M"
std::string count_text(std::int64_t count);
/// "$0.42", "~$0.42" when it is estimated
std::string money_text(double usd, bool is_estimate);
/// The usage of the run: "48.1k tokens", "$0.42". Empty when no agent has ended.
std::string spend_text(const LiveSpend& spend);
/// The rest of limited budgets: "left: 8 agents, $3.58". Empty without a limit.
std::string left_text(const LiveModel& model, std::int64_t now_ms);
/// The text of a step behind its name and time.
std::string tail_text(const LiveStep& step, std::int64_t now_ms);

}  // namespace moonlet
