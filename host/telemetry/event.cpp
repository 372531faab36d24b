#include "host/telemetry/event.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "host/base/clock.h"
#include "host/base/json.h"
#include "host/base/text.h"

namespace moonlet {

std::string_view to_string(EventType type) {
  switch (type) {
    case EventType::kRunStarted:
      return "run.started";
    case EventType::kRunResumed:
      return "run.resumed";
    case EventType::kRunFinished:
      return "run.finished";
    case EventType::kPhase:
      return "phase";
    case EventType::kPlan:
      return "plan";
    case EventType::kStepStarted:
      return "step.started";
    case EventType::kStepFinished:
      return "step.finished";
    case EventType::kProgress:
      return "progress";
    case EventType::kBudget:
      return "budget";
    case EventType::kRunParked:
      return "run.parked";
    case EventType::kStepRetried:
      return "step.retried";
    case EventType::kAgentMessage:
      return "agent.message";
    case EventType::kAgentTool:
      return "agent.tool";
    case EventType::kUsage:
      return "usage";
    case EventType::kQuota:
      return "quota";
    case EventType::kGate:
      return "gate";
    case EventType::kQuestion:
      return "question";
    case EventType::kValidation:
      return "validation";
    case EventType::kReview:
      return "review";
    case EventType::kSessionState:
      return "session.state";
    case EventType::kIntervention:
      return "intervention";
    case EventType::kArtifact:
      return "artifact";
    case EventType::kLog:
      return "log";
    case EventType::kWarning:
      return "warning";
  }
  return "log";
}

nlohmann::json to_json(const Event& event) {
  nlohmann::json out = {{"type", to_string(event.type)}, {"ts", iso8601_utc(event.wall_ms)}};
  if (event.number != 0) out["number"] = event.number;
  if (!event.run.empty()) out["run"] = event.run;
  if (!event.step.empty()) out["step"] = event.step;
  out["data"] = event.fields;
  return out;
}

namespace {

// Strings bare where that is clear; all else as JSON.
std::string shown(const nlohmann::json& value) {
  if (!value.is_string()) return json_text(value);
  const auto& text = value.get_ref<const std::string&>();
  if (!text.empty() && text.find_first_of(" \n\t\"=") == std::string::npos) return text;
  return json_text(value);
}

/// True for fields that programs and the live view get, but a line for people has no room for.
bool is_beside(const Event& event, std::string_view key) {
  constexpr std::string_view kOfSteps[] = {"usage", "attempts", "taken_over", "error_kind",
                                           "runner"};
  // The command prints the error of its run itself.
  constexpr std::string_view kOfRuns[] = {"error", "message"};
  constexpr std::string_view kOfWarnings[] = {"taken_over", "retry_in_ms", "reported"};
  const auto among = [key](const auto& list) {
    return std::find(std::begin(list), std::end(list), key) != std::end(list);
  };
  if (event.type == EventType::kStepFinished) return among(kOfSteps);
  if (event.type == EventType::kRunFinished) return among(kOfRuns);
  return (event.type == EventType::kLog || event.type == EventType::kWarning) && among(kOfWarnings);
}

/// Events for programs, which a log or a warning says in words where a person has to hear of them.
bool has_no_line(const Event& event) {
  switch (event.type) {
    case EventType::kPlan:
    case EventType::kRunParked:
    case EventType::kStepRetried:
    case EventType::kAgentMessage:
    case EventType::kAgentTool:
    case EventType::kUsage:
    case EventType::kBudget:
    case EventType::kQuota:
    case EventType::kGate:
    case EventType::kQuestion:
    case EventType::kValidation:
    case EventType::kReview:
    case EventType::kArtifact:
      return true;
    case EventType::kProgress:
      return event.fields.is_object() && !event.fields.contains("text");
    default:
      return false;
  }
}

}  // namespace

std::string plain_key(std::string_view key) {
  std::string name;
  for (std::size_t i = 0; i < key.size(); ++i) {
    unsigned code = 0;
    const char* end = key.data() + std::min(i + 3, key.size());
    if (key[i] == '%' && i + 2 < key.size() &&
        std::from_chars(key.data() + i + 1, end, code, 16).ptr == end) {
      name += static_cast<char>(code);
      i += 2;
    } else {
      name += key[i];
    }
  }
  return name;
}

std::string to_line(const Event& event, std::size_t cap) {
  if (has_no_line(event)) return {};
  std::string line = iso8601_utc(event.wall_ms).substr(11, 8) + "Z ";
  line += to_string(event.type);
  if (!event.step.empty()) {
    line.append(" ").append(plain_key(event.step));
  } else if (!event.run.empty()) {
    line.append(" ").append(event.run);
  }
  if (!event.fields.empty()) line += ":";
  // The text that people read first comes first, and bare.
  const char* head = nullptr;
  for (const char* key : {"message", "text", "name"}) {
    if (head == nullptr && !is_beside(event, key) && event.fields.is_object() &&
        event.fields.contains(key) && event.fields[key].is_string()) {
      head = key;
      line.append(" ").append(event.fields[key].get_ref<const std::string&>());
    }
  }
  if (!event.fields.is_object()) {
    if (!event.fields.is_null()) line.append(" ").append(shown(event.fields));
    return printable(line, cap);
  }
  for (const auto& [key, value] : event.fields.items()) {
    if (value.is_null() || (head != nullptr && key == head) || is_beside(event, key)) continue;
    if (line.size() > cap) break;
    line.append(" ").append(key).append("=").append(shown(value));
  }
  return printable(line, cap);
}

}  // namespace moonlet
