#include "host/telemetry/event.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "host/base/clock.h"
#include "host/base/json.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

const EventKind& kind_of(EventType type) { return kEventKinds[static_cast<std::size_t>(type)]; }

}  // namespace

std::string_view to_string(EventType type) { return kind_of(type).name; }

std::optional<EventType> event_type(std::string_view name) {
  const auto kind = std::find_if(std::begin(kEventKinds), std::end(kEventKinds),
                                 [name](const EventKind& one) { return one.name == name; });
  if (kind == std::end(kEventKinds)) return std::nullopt;
  return static_cast<EventType>(kind - std::begin(kEventKinds));
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

// Formats a field's value: simple strings without quotes, everything else as JSON.
std::string shown(const nlohmann::json& value) {
  if (!value.is_string()) return json_text(value);
  const auto& text = value.get_ref<const std::string&>();
  if (!text.empty() && text.find_first_of(" \n\t\"=") == std::string::npos) return text;
  return json_text(value);
}

/// Returns true for fields that are for programs and the live view only, not for the text line.
bool is_hidden(const Event& event, const std::string& key) {
  return kind_of(event.type).hidden.find(" " + key + " ") != std::string_view::npos;
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
  if (!kind_of(event.type).has_line) return {};
  std::string line = iso8601_utc(event.wall_ms).substr(11, 8) + "Z ";
  line += to_string(event.type);
  if (!event.step.empty()) {
    line.append(" ").append(plain_key(event.step));
  } else if (!event.run.empty()) {
    line.append(" ").append(event.run);
  }
  if (!event.fields.empty()) line += ":";
  // Print the first of the fields `message`, `text` and `name` before all others and without
  // quotes.
  const char* head = nullptr;
  for (const char* key : {"message", "text", "name"}) {
    if (head == nullptr && !is_hidden(event, key) && event.fields.is_object() &&
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
    if (value.is_null() || (head != nullptr && key == head) || is_hidden(event, key)) continue;
    if (line.size() > cap) break;
    line.append(" ").append(key).append("=").append(shown(value));
  }
  return printable(line, cap);
}

}  // namespace moonlet
