#include "host/web/history.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "host/base/ascii.h"
#include "host/base/clock.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/web/event_file.h"

namespace moonlet::web {

namespace {

constexpr std::size_t kMostRecords = 20, kMostRecordBytes = 4 << 20;
constexpr std::size_t kMostWarnings = 200, kMostNames = 2000;
constexpr std::size_t kLongestText = 300;

/// Step is a row of the page's table. Keep it small: a run may have many thousands of steps.
struct Step {
  std::string key;
  std::int64_t from = 0, to = 0, tokens = -1;
  double usd = -1;
  std::int32_t attempts = 0, exit_code = -1, phase = -1, generation = 0;
  std::int32_t kind = 0, runner = 0, status = 0, error = 0;  ///< indexes into texts_
  bool is_open = true, is_cached = false, is_estimate = false;
};

std::size_t hash_of(const std::string& key) { return std::hash<std::string>()(key); }

std::int64_t integer_of(const nlohmann::json& json, const char* name, std::int64_t none) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_number() ? found->get<std::int64_t>() : none;
}

/// Table collects a run's events, one row per step. A step that runs after a resume gets another.
class Table {
 public:
  void apply(std::string_view type, const nlohmann::json& event);
  std::string text(std::uint64_t number) const;

 private:
  void end(Step& step, const nlohmann::json& data, std::int64_t at);
  std::int32_t place_of(const std::string& text);

  std::vector<Step> steps_;
  std::vector<std::string> texts_{""};
  std::unordered_map<std::string, std::int32_t> places_{{"", 0}};
  std::unordered_map<std::string, std::size_t> open_;
  std::unordered_set<std::size_t> known_;  ///< hashes of the keys of all rows
  nlohmann::json phases_ = nlohmann::json::array(), resumes_ = nlohmann::json::array(),
                 warnings_ = nlohmann::json::array();
  std::int64_t from_ = 0, to_ = 0;
  int generation_ = 0;
};

std::int32_t Table::place_of(const std::string& text) {
  const auto [found, is_new] = places_.emplace(text, static_cast<std::int32_t>(texts_.size()));
  if (is_new) texts_.push_back(text);
  return found->second;
}

void Table::end(Step& step, const nlohmann::json& data, std::int64_t at) {
  step.is_open = false;
  step.to = std::max(at, step.from);
  step.status = place_of(text_of(data, "status"));
  step.exit_code = static_cast<std::int32_t>(integer_of(data, "exit_code", -1));
  step.error = place_of(std::string(cut_end(text_of(data, "error"), kLongestText)));
  step.attempts = static_cast<std::int32_t>(integer_of(data, "attempts", step.attempts));
  if (auto runner = text_of(data, "runner"); !runner.empty()) step.runner = place_of(runner);
  const auto cached = data.find("cached");
  step.is_cached = cached != data.end() && cached->is_boolean() && cached->get<bool>();
  const auto usage = data.find("usage");
  if (usage == data.end() || !usage->is_object()) return;
  step.tokens = integer_of(*usage, "total_tokens", -1);
  const auto usd = usage->find("cost_usd");
  if (usd != usage->end() && usd->is_number()) step.usd = usd->get<double>();
  step.is_estimate = text_of(*usage, "cost_is") == "estimate";
}

void Table::apply(std::string_view type, const nlohmann::json& event) {
  const std::int64_t at = parse_iso8601_utc(text_of(event, "ts")).value_or(to_);
  const auto data = event.find("data");
  if (data == event.end() || !data->is_object()) return;
  if (from_ == 0) from_ = at;
  to_ = std::max(to_, at);
  if (type == "phase") {
    if (phases_.size() < kMostNames) {
      phases_.push_back({cut_end(text_of(*data, "name"), kLongestText), at});
    }
    return;
  }
  if (type == "run.resumed") {
    ++generation_;
    if (resumes_.size() < kMostNames) resumes_.push_back(at);
    for (const auto& [key, index] : open_) steps_[index].is_open = false;
    open_.clear();
    return;
  }
  if (type == "warning") {
    if (warnings_.size() < kMostWarnings) {
      warnings_.push_back(cut_end(text_of(*data, "text"), kLongestText));
    }
    return;
  }
  const std::string key = text_of(event, "step");
  const auto found = open_.find(key);
  if (type == "step.retried" && found != open_.end()) {
    steps_[found->second].attempts = static_cast<std::int32_t>(integer_of(*data, "attempt", 0));
  } else if (type == "step.finished" && found != open_.end()) {
    end(steps_[found->second], *data, at);
    open_.erase(found);
  } else if (type == "step.started" ||
             (type == "step.finished" && known_.count(hash_of(key)) == 0)) {
    Step step;
    step.key = key;
    step.kind = place_of(text_of(*data, "kind"));
    step.runner = place_of(text_of(*data, "runner"));
    step.from = step.to = at;
    step.phase = static_cast<std::int32_t>(phases_.size()) - 1;
    step.generation = generation_;
    // A replayed step has no step.started. Remember its key, so that a resume adds no second row.
    known_.insert(hash_of(key));
    if (type == "step.finished") end(step, *data, at);
    steps_.push_back(std::move(step));
    if (type == "step.started") open_[key] = steps_.size() - 1;
  }
}

std::string Table::text(std::uint64_t number) const {
  std::string text = "{\"number\":" + std::to_string(number) +
                     ",\"from\":" + std::to_string(from_) + ",\"to\":" + std::to_string(to_) +
                     ",\"phases\":" + json_text(phases_) + ",\"resumes\":" + json_text(resumes_) +
                     ",\"warnings\":" + json_text(warnings_) + ",\"steps\":[";
  text.reserve(text.size() + 96 * steps_.size());
  bool is_first = true;
  for (const Step& step : steps_) {
    const auto number_or_null = [](std::int64_t value) {
      return value < 0 ? std::string("null") : std::to_string(value);
    };
    text += is_first ? "\n[" : ",\n[";
    is_first = false;
    const auto shown = [this](std::int32_t place) {
      return json_text(texts_[static_cast<std::size_t>(place)]);
    };
    text += json_text(step.key) + "," + shown(step.kind) + "," + shown(step.runner) + "," +
            shown(step.status) + "," + std::to_string(step.from - from_) + "," +
            std::to_string(step.to - from_) + "," + std::to_string(step.phase) + "," +
            std::to_string(step.generation) + "," + (step.is_open ? "1" : "0") + "," +
            (step.is_cached ? "1" : "0") + "," + std::to_string(step.attempts) + "," +
            number_or_null(step.exit_code) + "," + number_or_null(step.tokens) + "," +
            (step.usd < 0 ? "null" : json_text(step.usd)) + "," + (step.is_estimate ? "1" : "0") +
            "," + (step.error == 0 ? "null" : shown(step.error)) + "]";
  }
  return text + "]}";
}

bool is_of_table(std::string_view type) {
  return type == "step.started" || type == "step.finished" || type == "step.retried" ||
         type == "phase" || type == "run.resumed" || type == "run.started" ||
         type == "run.finished" || type == "warning";
}

/// Returns the text as it appears inside a JSON string.
std::string escaped(const std::string& text) {
  const std::string json = json_text(text);
  return json.substr(1, json.size() - 2);
}

bool is_listed(std::string_view types, std::string_view type) {
  if (types.empty()) return true;
  const std::string all = "," + std::string(types) + ",";
  return all.find("," + std::string(type) + ",") != std::string::npos;
}

}  // namespace

Result<std::string> steps_json(const Dir& sidecar) {
  auto opened = sidecar.open_read("events.jsonl");
  if (!opened) return opened.error();
  EventFile file(std::move(*opened));
  Table table;
  std::uint64_t number = 0;
  while (const auto line = file.next()) {
    number = std::max(number, line->number);
    const auto type = last_field(line->text, "type");
    if (!is_of_table(type)) continue;
    const std::string name(type);
    if (auto event = parse_json(line->text)) table.apply(name, *event);
  }
  return table.text(number);
}

Result<std::string> events_json(const Dir& sidecar, const EventQuery& query) {
  auto opened = sidecar.open_read("events.jsonl");
  if (!opened) return opened.error();
  EventFile file(std::move(*opened));
  const std::string step = escaped(query.step), words = lower(query.words);
  std::deque<std::string> found;
  while (const auto line = file.next()) {
    if (query.before != 0 && line->number >= query.before) break;
    if (!query.step.empty() && last_field(line->text, "step") != step) continue;
    if (!is_listed(query.types, last_field(line->text, "type"))) continue;
    if (!words.empty() && lower(line->text).find(words) == std::string::npos) continue;
    if (!is_json_line(line->text)) continue;
    found.emplace_back(line->text);
    if (found.size() > query.limit) found.pop_front();
  }
  std::string text = "{\"events\":[";
  for (const std::string& line : found) text += (&line == &found.front() ? "\n" : ",\n") + line;
  return text + "]}";
}

Result<std::string> records_json(const Dir& run, const std::string& key) {
  auto opened = run.open_read("steps.jsonl");
  if (!opened) return opened.error();
  const std::string mark = "\"key\":" + json_text(key);
  std::deque<std::string> found;
  std::size_t size = 0;
  EventFile file(std::move(*opened));
  while (const auto line = file.next_line()) {
    const auto body = line->find("\"body\":");
    if (body == std::string_view::npos || line->find(mark, body) == std::string_view::npos)
      continue;
    std::string record = "{\"line\":" + std::to_string(file.line_number()) + ",\"body\":";
    record += line->substr(body + 7);  // the text ends with the brace that closes the line
    if (!is_json_line(record)) continue;
    size += record.size();
    found.push_back(std::move(record));
    while (found.size() > kMostRecords || (size > kMostRecordBytes && !found.empty())) {
      size -= found.front().size();
      found.pop_front();
    }
  }
  std::string text = "{\"records\":[";
  for (const std::string& record : found) {
    text += (&record == &found.front() ? "" : ",") + record;
  }
  return text + "]}";
}

}  // namespace moonlet::web
