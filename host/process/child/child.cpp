#include "host/process/child/child.h"

#include <utility>

namespace moonlet {

namespace {

using Why = ChildExit::Why;

constexpr std::pair<Why, std::string_view> kNames[] = {
    {Why::kExited, "exited"}, {Why::kSignalled, "signalled"},    {Why::kWall, "wall"},
    {Why::kIdle, "idle"},     {Why::kCancelled, "cancelled"},    {Why::kFinished, "finished"},
    {Why::kLost, "lost"},     {Why::kNotStarted, "not_started"},
};

}  // namespace

std::string_view to_string(ChildExit::Why why) {
  for (const auto& [value, name] : kNames) {
    if (value == why) return name;
  }
  return "lost";
}

std::optional<ChildExit::Why> why_from(std::string_view text) {
  for (const auto& [value, name] : kNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace moonlet
