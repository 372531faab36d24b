// Formats durations, counts, money and width-limited lines for the live view.
// All functions are pure and may run on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/telemetry/live/model.h"
#include "host/telemetry/live/view.h"

namespace moonlet {

enum class Tone { kPlain, kDim, kBold, kGreen, kRed, kYellow, kCyan };

/// LiveRow builds a line that never exceeds its width.
class LiveRow {
 public:
  explicit LiveRow(const LiveStyle& style) : style_(style) {}
  /// Adds as much of `text` as fits into the row.
  LiveRow& add(std::string_view text, Tone tone = Tone::kPlain);
  /// Continues at `column` unless the row is already longer.
  LiveRow& to(int column);
  int room() const { return style_.width - line_.columns; }
  LiveLine take() { return std::move(line_); }

 private:
  const LiveStyle& style_;
  LiveLine line_;
};

/// Formats "40ms", "3.2s", "12s", "1m05s" or "2h03m" in at most six columns up to 99 hours.
/// A running clock shows whole seconds.
std::string time_text(std::int64_t ms, bool running);
/// Formats "812", "48.1k" or "1.3M".
std::string count_text(std::int64_t count);
/// Formats "$0.42", or "~$0.42" for an estimate.
std::string money_text(double usd, bool is_estimate);
/// Formats the usage of the run: "48.1k tokens", "$0.42". Empty until an agent has ended.
std::string spend_text(const LiveSpend& spend);
/// Formats the remaining budgets: "left: 8 agents, $3.58". Empty without a limit.
std::string left_text(const LiveModel& model, std::int64_t now_ms);
/// Formats the text behind a step's name and time.
std::string tail_text(const LiveStep& step, std::int64_t now_ms);

}  // namespace moonlet
