#include "host/telemetry/live/text.h"

#include <algorithm>
#include <cstdio>

#include "host/telemetry/live/width.h"

namespace moonlet {

namespace {

/// The escape sequence of each Tone, in the order of the enum.
constexpr std::string_view kCodes[] = {"",         "\x1b[2m",  "\x1b[1m", "\x1b[32m",
                                       "\x1b[31m", "\x1b[33m", "\x1b[36m"};

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

void append(std::string& text, std::string_view more, std::string_view between = ", ") {
  if (more.empty()) return;
  if (!text.empty()) text += between;
  text += more;
}

std::string left_of(const std::string& kind, double amount) {
  if (kind == "usd") return money_text(std::max(amount, 0.0), false);
  return count_text(static_cast<std::int64_t>(std::clamp(amount, 0.0, 1e15))) + " " + kind;
}

}  // namespace

LiveRow& LiveRow::add(std::string_view text, Tone tone) {
  const auto shown = cut_to_width(text, room(), style_.unicode ? "\xe2\x80\xa6" : "~");
  if (shown.empty()) return *this;
  const auto code = style_.colour ? kCodes[static_cast<std::size_t>(tone)] : "";
  line_.text.append(code).append(shown).append(code.empty() ? "" : "\x1b[0m");
  line_.columns += display_width(shown);
  return *this;
}

LiveRow& LiveRow::to(int column) {
  const int gap = std::min(column, style_.width) - line_.columns;
  if (gap > 0) {
    line_.text.append(static_cast<std::size_t>(gap), ' ');
    line_.columns += gap;
  }
  return *this;
}

std::string time_text(std::int64_t ms, bool running) {
  ms = std::max<std::int64_t>(ms, 0);
  const auto seconds = static_cast<long long>(ms / 1000);
  if (seconds >= 3600) return formatted("%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
  if (seconds >= 60) return formatted("%lldm%02llds", seconds / 60, seconds % 60);
  if (running || seconds >= 10) return formatted("%llds", seconds);
  if (seconds >= 1) return formatted("%lld.%llds", seconds, static_cast<long long>(ms / 100 % 10));
  return formatted("%lldms", static_cast<long long>(ms));
}

std::string count_text(std::int64_t count) {
  if (count < 1000) return std::to_string(count);
  // Round down, so that 999,999 does not become "1000.0k".
  const bool thousands = count < 1'000'000;
  const auto tenths = static_cast<long long>(count / (thousands ? 100 : 100'000));
  return formatted("%lld.%lld%c", tenths / 10, tenths % 10, thousands ? 'k' : 'M');
}

std::string money_text(double usd, bool is_estimate) {
  // Most calls cost less than a cent, so print small sums with four digits.
  const char* format = usd > 0 && usd < 0.1 ? "%s$%.4f" : "%s$%.2f";
  return formatted(format, is_estimate ? "~" : "", usd);
}

std::string spend_text(const LiveSpend& spend) {
  std::string text;
  if (spend.agents > 0) {
    if (spend.without_tokens < spend.agents) {
      text = count_text(spend.tokens) + (spend.without_tokens > 0 ? "+ tokens" : " tokens");
    }
    if (spend.without_usd == spend.agents) {
      append(text, "cost unknown");
    } else {
      append(text, money_text(spend.usd, spend.is_estimate) +
                       (spend.without_usd > 0 ? " and what is unknown" : ""));
    }
  }
  if (spend.earlier_tokens > 0) append(text, count_text(spend.earlier_tokens) + " before");
  return text;
}

std::string left_text(const LiveModel& model, std::int64_t now_ms) {
  std::string text;
  // A run without agents can only use up its time, so omit its other budgets.
  for (const auto& [kind, amount] : model.left) {
    if (model.any_agent()) append(text, left_of(kind, amount));
  }
  if (model.wall_left_ms && !model.ended_ms) {
    const auto since = std::max<std::int64_t>(now_ms - model.left_at_ms, 0);
    append(text, time_text(*model.wall_left_ms - since, true));
  }
  return text.empty() ? text : "left: " + text;
}

std::string tail_text(const LiveStep& step, std::int64_t now_ms) {
  std::string text;
  if (step.state == LiveState::kRunning) {
    if (step.waits_until_ms > now_ms) {
      append(text, "asks again in " + time_text(step.waits_until_ms - now_ms + 999, true));
    }
    if (step.limit_ms > 0) append(text, "of " + time_text(step.limit_ms, true));
    if (!step.on.empty()) append(text, "on " + step.on);
    if (step.tokens) append(text, count_text(*step.tokens) + " tokens so far");
  }
  if (step.state == LiveState::kOk && step.is_agent()) {
    if (step.tokens) append(text, count_text(*step.tokens) + " tokens");
    if (step.usd) append(text, money_text(*step.usd, step.is_estimate));
    if (!step.is_paid && !step.cached) append(text, "nothing spent");
  }
  if (step.cached) append(text, "cached");
  if (step.taken_over) append(text, "taken over");
  append(text, step.doing);
  if (step.attempts > 1) append(text, std::to_string(step.attempts) + " attempts");
  if (step.state == LiveState::kParked) append(text, "waits for a person");
  if (step.state != LiveState::kParked) append(text, step.note, text.empty() ? "" : ": ");
  return text;
}

}  // namespace moonlet
