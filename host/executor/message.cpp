#include "host/executor/message.h"

#include <algorithm>
#include <iterator>

#include "host/base/text.h"
#include "host/validation/question.h"

namespace moonlet::executor {

namespace {

constexpr std::string_view kProgress = "[PROGRESS]";
constexpr std::string_view kMarkers[] = {kProgress,          "[QUESTION]",       "[BLOCKED]",
                                         "[FILES_MODIFIED]", "[CODEX_COMPLETE]", "[Tool:"};

/// Returns true for visible ASCII characters. Other characters may be invisible.
bool is_visible(char c) { return c > ' ' && c < 0x7f; }

}  // namespace

std::string as_text(std::string_view line) {
  const auto first = std::find_if(line.begin(), line.end(), is_visible);
  const auto rest = line.substr(static_cast<std::size_t>(first - line.begin()));
  const bool marks = std::any_of(std::begin(kMarkers), std::end(kMarkers),
                                 [&](std::string_view marker) { return rest.starts_with(marker); });
  return (marks ? "  " : "") + std::string(line);
}

Message read_message(std::string_view raw, bool may_end) {
  const std::string text = strip_controls(raw);
  Message message;
  std::size_t begin = text.size(), end = text.size();
  if (may_end) {
    auto found = last_question(text);
    message.end = found ? Message::End::kQuestion : Message::End::kNone;
    if (!found && (found = last_blocked(text))) message.end = Message::End::kBlocked;
    if (found) {
      begin = found->begin;
      end = found->end;
      message.text = std::move(found->text);
      message.options = std::move(found->options);
    }
  }
  each_line(text, [&](std::string_view line, bool fenced) {
    const auto at = static_cast<std::size_t>(line.data() - text.data());
    if (line.empty() || (at >= begin && at < end)) return;
    if (fenced || !line.starts_with(kProgress)) {
      message.rows.push_back({as_text(line), false});
      return;
    }
    line.remove_prefix(kProgress.size());
    if (line.starts_with(" ")) line.remove_prefix(1);
    message.rows.push_back({std::string(line), true});
  });
  return message;
}

}  // namespace moonlet::executor
