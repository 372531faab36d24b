// Formats durations, counts, amounts of money and lines of limited width for the live view. Pure
// functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/telemetry/live/model.h"
#include "host/telemetry/live/view.h"

namespace moonlet {

enum class Tone { kPlain, kDim, kBold, kGreen, kRed, kYellow, kCyan };

/// LiveRow builds a line that is never wider than the style allows.
class LiveRow {
 public:
  explicit LiveRow(const LiveStyle& style) : style_(style) {}
  /// Adds as much of `text` as fits into the row.
  LiveRow& add(std::string_view text, Tone tone = Tone::kPlain);
  /// Pads the line to `column`. Has no effect if the line is already longer.
  LiveRow& to(int column);
  int room() const { return style_.width - line_.columns; }
  LiveLine take() { return std::move(line_); }

 private:
  const LiveStyle& style_;
  LiveLine line_;
};

/// Formats a duration as "40ms", "3.2s", "12s", "1m05s" or "2h03m". It takes at most six columns up
/// to 99 hours. If `running` is true, shows whole seconds only.
std::string time_text(std::int64_t ms, bool running);
/// Formats a count as "812", "48.1k" or "1.3M".
std::string count_text(std::int64_t count);
/// Formats an amount as "$0.42", or as "~$0.42" if it is an estimate.
std::string money_text(double usd, bool is_estimate);
/// Formats what the run has used: "48.1k tokens", "$0.42". Empty until an agent has ended.
std::string spend_text(const LiveSpend& spend);
/// Formats the remaining budgets: "left: 8 agents, $3.58". Empty if nothing is limited.
std::string left_text(const LiveModel& model, std::int64_t now_ms);
/// Formats the details that follow a step's name and time, such as its tokens, cost or error.
std::string tail_text(const LiveStep& step, std::int64_t now_ms);

}  // namespace moonlet
