#include "host/artifact/ledger/record.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/artifact/ledger/table.h"
#include "host/base/clock.h"
#include "host/base/json.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

using nlohmann::json;

const json& member(const json& object, const char* key) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

std::string text_in(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<std::int64_t> number_in(const json& object, const char* key) {
  const json& value = member(object, key);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<std::int64_t>();
}

std::optional<double> real_in(const json& object, const char* key) {
  const json& value = member(object, key);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

bool flag_in(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_boolean() && value.get<bool>();
}

std::string status_of(const json& record, const std::string& verdict) {
  if (flag_in(record, "ended")) {
    return verdict == "needs-human" || verdict == "quota" ? "parked" : "finished";
  }
  return flag_in(member(record, "options"), "dry_run") ? "prepared" : "running";
}

LedgerRun run_of(std::string_view id, const json& record) {
  const json& options = member(record, "options");
  LedgerRun run;
  run.id = id;
  // The runs of a packet are listed by the packet's id, which replaces their own task id.
  run.task_id = text_in(member(record, "packet"), "id");
  if (run.task_id.empty()) run.task_id = text_in(record, "task_id");
  run.preset = text_in(record, "preset");
  run.title = text_in(options, "title");
  run.runner = text_in(record, "runner_name");
  run.model = text_in(record, "model");
  run.verdict = text_in(record, "verdict");
  run.status = status_of(record, run.verdict);
  run.exit_code = number_in(record, "exit_code");
  run.started_at = parse_iso8601_utc(text_in(record, "started_at"));
  run.ended_at = parse_iso8601_utc(text_in(record, "ended_at"));
  run.duration_ms = number_in(record, "duration_ms");
  run.parent_run_id = text_in(record, "parent_run_id");
  run.replay_reason = text_in(options, "reason");
  run.dir = text_in(record, "sidecar");
  run.host_pid = number_in(record, "pid");
  run.error = text_in(member(record, "error"), "message");
  return run;
}

LedgerStep step_of(const json& item, std::int64_t seq) {
  LedgerStep step;
  step.key = text_in(item, "key");
  step.attempt = number_in(item, "attempt").value_or(1);
  step.seq = seq;
  step.kind = text_in(item, "kind");
  step.status = text_in(item, "status");
  step.runner = text_in(item, "runner");
  step.cached = flag_in(item, "cached");
  step.started_at = parse_iso8601_utc(text_in(item, "started_at"));
  step.duration_ms = number_in(item, "duration_ms");
  step.error = text_in(member(item, "error"), "message");
  return step;
}

/// Adds the run, the day, and the reported tokens and cost to an attempt's `usage`, in which the
/// caller has set the other fields.
LedgerUsage usage_of(const LedgerRun& run, LedgerUsage usage, const json& reported) {
  usage.run = run.id;
  // A step may use another runner and model than its run.
  if (usage.model.empty() && usage.runner == run.runner) usage.model = run.model;
  if (run.started_at) usage.day = iso8601_utc(*run.started_at).substr(0, 10);
  usage.input = number_in(reported, "input_tokens");
  usage.cached = number_in(reported, "cached_input_tokens");
  usage.written = number_in(reported, "cache_write_tokens");
  usage.output = number_in(reported, "output_tokens");
  usage.reasoning = number_in(reported, "reasoning_output_tokens");
  usage.total = number_in(reported, "total_tokens");
  usage.cost_usd = real_in(reported, "cost_usd");
  usage.cost_is = text_in(reported, "cost_is");
  return usage;
}

/// Older versions of moonlet did not list attempts, so a step represents all its attempts.
LedgerUsage usage_of_step(const LedgerRun& run, const LedgerStep& step, const json& reported) {
  LedgerUsage usage;
  usage.step = step.key;
  usage.attempt = step.attempt;
  usage.runner = step.runner;
  usage.model = text_in(reported, "model");
  return usage_of(run, std::move(usage), reported);
}

LedgerUsage usage_of_attempt(const LedgerRun& run, const json& item) {
  LedgerUsage usage;
  usage.step = text_in(item, "step");
  usage.attempt = number_in(item, "number").value_or(1);
  usage.runner = text_in(item, "runner");
  usage.model = text_in(item, "model");
  return usage_of(run, std::move(usage), member(item, "usage"));
}

std::string shown(const std::string& value) { return value.empty() ? "nothing" : value; }
std::string shown(std::int64_t value) { return std::to_string(value); }
std::string shown(bool value) { return value ? "yes" : "no"; }
template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "nothing";
}

class Comparison {
 public:
  template <typename Row>
  void rows(const std::string& what, const Row& is, const Row& should_be) {
    std::vector<std::string> values;
    LedgerTable<Row>::each(is,
                           [&](const char*, const auto& value) { values.push_back(shown(value)); });
    std::size_t at = 0;
    LedgerTable<Row>::each(should_be, [&](const char* name, const auto& value) {
      const std::string& found = values[at++];
      if (found == shown(value)) return;
      note(what + name + " (" + printable(found, 60) + ", not " + printable(shown(value), 60) +
           ")");
    });
  }

  /// Compares two lists of rows, paired by step and attempt. Also reports rows that only one list
  /// has. `step_of` selects the member of a row that names its step.
  template <typename Row>
  void lists(const char* what, const std::vector<Row>& is, const std::vector<Row>& should_be,
             std::string Row::*step_of) {
    using Attempt = std::pair<std::string, std::int64_t>;
    std::map<Attempt, std::pair<const Row*, const Row*>> pairs;
    for (const Row& row : is) pairs[{row.*step_of, row.attempt}].first = &row;
    for (const Row& row : should_be) pairs[{row.*step_of, row.attempt}].second = &row;
    for (const auto& [attempt, pair] : pairs) {
      const std::string number = attempt.second == 1 ? "" : "@" + std::to_string(attempt.second);
      const std::string name =
          std::string(what) + " '" + printable(attempt.first + number, 80) + "'";
      if (pair.first == nullptr) {
        note(name + " (is not there)");
      } else if (pair.second == nullptr) {
        note(name + " (the run has no such)");
      } else {
        rows(name + ": ", *pair.first, *pair.second);
      }
    }
  }

  std::vector<std::string> places;

 private:
  void note(std::string place) {
    constexpr std::size_t kMost = 10;
    if (places.size() < kMost) places.push_back(std::move(place));
  }
};

}  // namespace

Result<LedgerRecord> ledger_record(std::string_view id, std::string_view text) {
  auto parsed = parse_json(text, kRecordJsonLimits);
  if (!parsed) return parsed.error();
  if (text_in(*parsed, "id") != id) {
    return Error{ErrorKind::kInvalid, "it is not the record of run " + printable(id, 40), {}, {}};
  }
  LedgerRecord record;
  record.run = run_of(id, *parsed);
  const json& attempts = member(*parsed, "attempts");
  std::int64_t seq = 0;
  if (const json& steps = member(*parsed, "steps"); steps.is_array()) {
    for (const json& item : steps) {
      record.steps.push_back(step_of(item, ++seq));
      const json& reported = member(item, "usage");
      if (!attempts.is_array() && reported.is_object()) {
        record.usage.push_back(usage_of_step(record.run, record.steps.back(), reported));
      }
    }
  }
  if (attempts.is_array()) {
    for (const json& item : attempts) record.usage.push_back(usage_of_attempt(record.run, item));
  }
  return record;
}

std::vector<std::string> ledger_differences(const LedgerRecord& is, const LedgerRecord& should_be) {
  Comparison comparison;
  comparison.rows("", is.run, should_be.run);
  comparison.lists("step", is.steps, should_be.steps, &LedgerStep::key);
  comparison.lists("usage of", is.usage, should_be.usage, &LedgerUsage::step);
  return std::move(comparison.places);
}

}  // namespace moonlet
