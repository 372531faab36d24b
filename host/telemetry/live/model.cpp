#include "host/telemetry/live/model.h"

#include <algorithm>
#include <numeric>

#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestText = 400;
constexpr std::size_t kKept = 64;  // a phase keeps at most this many ended steps of each state
constexpr std::size_t kMostPhases = 100;

/// Returns a member of an object, or null if there is none.
const nlohmann::json& member(const nlohmann::json& fields, const char* key) {
  static const nlohmann::json kNone;
  if (!fields.is_object()) return kNone;
  const auto found = fields.find(key);
  return found == fields.end() ? kNone : *found;
}

std::string text_of(const nlohmann::json& fields, const char* key) {
  const auto& value = member(fields, key);
  if (!value.is_string()) return {};
  return printable(strip_controls(value.get_ref<const std::string&>()), kLongestText);
}

std::optional<double> number_of(const nlohmann::json& fields, const char* key) {
  const auto& found = member(fields, key);
  if (!found.is_number()) return std::nullopt;
  const double value = found.get<double>();
  // Ignore numbers from scripts and agents that do not fit into an integer.
  if (!(value > -1e15 && value < 1e15)) return std::nullopt;
  return value;
}

std::optional<std::int64_t> whole_of(const nlohmann::json& fields, const char* key) {
  const auto number = number_of(fields, key);
  return number ? std::optional(static_cast<std::int64_t>(*number)) : std::nullopt;
}

std::int64_t integer_of(const nlohmann::json& fields, const char* key) {
  return whole_of(fields, key).value_or(0);
}

bool flag_of(const nlohmann::json& fields, const char* key) { return member(fields, key) == true; }

LiveState state_from(const std::string& status, const std::string& error_kind) {
  if (status == "ok" || status == "prepared") return LiveState::kOk;
  if (status == "parked") return LiveState::kParked;
  if (status == "cancelled" || error_kind == "cancelled") return LiveState::kCancelled;
  return LiveState::kFailed;
}

std::size_t index(LiveState state) { return static_cast<std::size_t>(state); }

}  // namespace

std::size_t LivePhase::begun() const {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

bool LiveModel::apply(const Event& event) {
  // If only a part of a run is shown, such as one line typed at a prompt, there is no event for the
  // start of the run. Then the first step counts as the start.
  if (started_ms == 0 && event.type == EventType::kStepStarted) begin_run(event);
  switch (event.type) {
    case EventType::kRunStarted:
    case EventType::kRunResumed:
      begin_run(event);
      return true;
    case EventType::kRunFinished:
      ended_ms = event.wall_ms;
      verdict = text_of(event.fields, "verdict");
      return true;
    case EventType::kPhase:
      begin_phase(event);
      return true;
    case EventType::kProgress:
      if (!event.step.empty()) return note_progress(event);
      note_group(event);
      return true;
    case EventType::kBudget:
      note_budget(event);
      return true;
    case EventType::kStepStarted:
      step_of(event);
      return true;
    case EventType::kStepFinished:
      end_step(event);
      return true;
    case EventType::kLog:
    case EventType::kWarning:
      return note_step(event);
    default:
      return false;
  }
}

void LiveModel::begin_run(const Event& event) {
  preset = text_of(event.fields, "preset");
  runner = flag_of(event.fields, "offline") ? "no agent is asked" : text_of(event.fields, "runner");
  confined = text_of(event.fields, "unconfined").empty();
  run = printable(event.run, kLongestText);
  started_ms = event.wall_ms;
}

void LiveModel::begin_phase(const Event& event) {
  auto name = text_of(event.fields, "name");
  const auto known = std::find_if(phases.begin(), phases.end(),
                                  [&](const LivePhase& phase) { return phase.name == name; });
  // Parallel branches may announce a phase several times, so do not add it again.
  if (known != phases.end()) {
    known->planned = std::max(known->planned, integer_of(event.fields, "planned"));
    current = static_cast<std::size_t>(known - phases.begin());
    return;
  }
  if (phases.size() < kMostPhases) {
    phases.emplace_back().planned = integer_of(event.fields, "planned");
  }
  phases.back().name = std::move(name);
  current = phases.size() - 1;
}

void LiveModel::note_group(const Event& event) {
  const auto path = text_of(event.fields, "name");
  if (flag_of(event.fields, "ended")) {
    groups_.erase(path);
    return;
  }
  if (phases.empty()) phases.emplace_back();
  groups_[path] = {current, integer_of(event.fields, "planned"), {}};
}

bool LiveModel::note_progress(const Event& event) {
  if (running_.count(printable(event.step, kLongestText)) == 0) return false;
  LiveStep& step = step_of(event);
  step.doing = text_of(event.fields, "doing");
  step.limit_ms = std::max<std::int64_t>(integer_of(event.fields, "limit_ms"), 0);
  if (const auto tokens = whole_of(event.fields, "tokens")) step.tokens = tokens;
  return true;
}

void LiveModel::note_budget(const Event& event) {
  left_at_ms = event.wall_ms;
  wall_left_ms = whole_of(event.fields, "wall_left_ms");
  left.clear();
  const auto& amounts = member(event.fields, "left");
  if (!amounts.is_object()) return;
  for (const auto& [kind, amount] : amounts.items()) {
    if (amount.is_number()) left.emplace_back(printable(kind, 40), amount.get<double>());
  }
}

void LiveModel::count_branch(const std::string& key) {
  if (groups_.empty()) return;
  for (std::size_t at = key.find('/'); at != std::string::npos; at = key.find('/', at + 1)) {
    const auto group = groups_.find(key.substr(0, at));
    if (group == groups_.end()) continue;
    group->second.begun.insert(key.substr(at + 1, key.find('/', at + 1) - at - 1));
  }
}

LiveStep& LiveModel::step_of(const Event& event) {
  auto key = printable(event.step, kLongestText);
  if (const auto found = running_.find(key); found != running_.end()) {
    auto& steps = phases[found->second].steps;
    const auto step = std::find_if(steps.rbegin(), steps.rend(), [&](const LiveStep& one) {
      return one.state == LiveState::kRunning && one.key == key;
    });
    if (step != steps.rend()) return *step;
  }
  if (phases.empty()) phases.emplace_back();
  count_branch(key);
  LivePhase& phase = phases[current];
  running_[key] = current;
  ++phase.counts[index(LiveState::kRunning)];
  LiveStep step;
  step.key = std::move(key);
  step.started_ms = event.wall_ms;
  step.kind = text_of(event.fields, "kind");
  step.runner = text_of(event.fields, "runner");
  step.on = text_of(event.fields, "on");
  step.is_asked = flag_of(event.fields, "asked");
  if (step.is_asked) ++agents[index(LiveState::kRunning)];
  phase.steps.push_back(std::move(step));
  return phase.steps.back();
}

bool LiveModel::note_step(const Event& event) {
  if (event.step.empty() || running_.count(printable(event.step, kLongestText)) == 0) return false;
  LiveStep& step = step_of(event);
  if (flag_of(event.fields, "taken_over")) step.taken_over = true;
  if (const auto wait = whole_of(event.fields, "retry_in_ms")) {
    step.waits_until_ms = event.wall_ms + *wait;
  }
  return true;
}

void LiveModel::end_step(const Event& event) {
  LiveStep& step = step_of(event);
  LivePhase& phase = phases[running_[step.key]];
  running_.erase(step.key);
  step.state = state_from(text_of(event.fields, "status"), text_of(event.fields, "error_kind"));
  step.duration_ms = integer_of(event.fields, "duration_ms");
  step.cached = flag_of(event.fields, "cached");
  step.is_paid = flag_of(event.fields, "paid");
  step.taken_over = step.taken_over || flag_of(event.fields, "taken_over");
  step.attempts = integer_of(event.fields, "attempts");
  step.note = text_of(event.fields, "error");
  step.doing.clear();
  const auto& usage = member(event.fields, "usage");
  step.tokens = whole_of(usage, "total_tokens");
  step.usd = number_of(usage, "cost_usd");
  step.is_estimate = text_of(usage, "cost_is") == "estimate";
  --phase.counts[index(LiveState::kRunning)];
  ++phase.counts[index(step.state)];
  if (step.is_asked) {
    --agents[index(LiveState::kRunning)];
    ++agents[index(step.state)];
  }
  if (step.is_agent()) count_spend(step);
  forget_some(phase, step.state);
}

void LiveModel::count_spend(const LiveStep& step) {
  if (step.cached) spend.earlier_tokens += step.tokens.value_or(0);
  if (!step.is_paid) return;
  ++spend.agents;
  spend.tokens += step.tokens.value_or(0);
  spend.usd += step.usd.value_or(0);
  if (!step.tokens) ++spend.without_tokens;
  if (!step.usd) ++spend.without_usd;
  spend.is_estimate = spend.is_estimate || step.is_estimate;
}

void LiveModel::forget_some(LivePhase& phase, LiveState state) {
  if (phase.counts[index(state)] - phase.dropped[index(state)] <= kKept) return;
  const auto oldest = std::find_if(phase.steps.begin(), phase.steps.end(),
                                   [state](const LiveStep& step) { return step.state == state; });
  if (oldest == phase.steps.end()) return;
  phase.steps.erase(oldest);
  ++phase.dropped[index(state)];
}

bool LiveModel::any_agent() const {
  return std::any_of(agents.begin(), agents.end(), [](std::size_t count) { return count > 0; });
}

std::size_t LiveModel::waiting(std::size_t phase) const {
  if (ended_ms) return 0;
  std::size_t count = 0;
  for (const auto& [path, group] : groups_) {
    if (group.phase != phase) continue;
    const auto begun = static_cast<std::int64_t>(group.begun.size());
    if (group.planned > begun) count += static_cast<std::size_t>(group.planned - begun);
  }
  return count;
}

}  // namespace moonlet
