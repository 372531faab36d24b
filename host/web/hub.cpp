#include "host/web/hub.h"

#include <algorithm>
#include <cstring>

#include "host/artifact/journal/lock.h"
#include "host/artifact/run/directory.h"
#include "host/base/clock.h"
#include "host/base/id.h"
#include "host/base/json.h"

namespace moonlet::web {

namespace {

constexpr std::int64_t kJudgeMs = 500;
constexpr std::int64_t kOverviewMs = 60;
constexpr std::int64_t kHeartbeatMs = 15'000;
constexpr std::int64_t kOpenMs = 100;  // ms between attempts to open an events file
constexpr std::size_t kBlock = 32 * 1024;
constexpr std::size_t kMostFollowed = 32, kMostShown = 40;
constexpr int kEventsAtOnce = 2000;

std::int64_t now_ms() { return system_clock().monotonic_ms(); }

std::optional<Event> event_of(std::string_view line) {
  auto json = parse_json(line);
  if (!json || !json->is_object()) return std::nullopt;
  const auto type = event_type(text_of(*json, "type"));
  if (!type) return std::nullopt;
  Event event;
  event.type = *type;
  event.wall_ms = parse_iso8601_utc(text_of(*json, "ts")).value_or(0);
  event.run = text_of(*json, "run");
  event.step = text_of(*json, "step");
  if (auto data = json->find("data"); data != json->end()) event.fields = std::move(*data);
  return event;
}

/// Opens the events of a run, unless they are open. Returns false if the run has none yet.
bool open_events(Repo& repo, const std::string& run, EventFile& file) {
  if (file) return true;
  auto sidecar = repo.sidecar(run);
  auto opened = sidecar ? sidecar->open_read("events.jsonl") : Result<Fd>(Error{});
  if (opened) file = EventFile(std::move(*opened));
  return opened.ok();
}

constexpr const char* kStateNames[kLiveStates] = {"running", "ok", "failed", "parked", "cancelled"};

nlohmann::json json_of(const LiveStep& step) {
  nlohmann::json json = {{"key", step.key},
                         {"kind", step.kind},
                         {"started_ms", step.started_ms},
                         {"attempts", step.attempts}};
  if (!step.runner.empty()) json["runner"] = step.runner;
  if (!step.on.empty()) json["on"] = step.on;
  if (step.tokens) json["tokens"] = *step.tokens;
  if (step.usd) json["usd"] = *step.usd;
  if (!step.doing.empty()) json["doing"] = step.doing;
  if (step.limit_ms > 0) json["limit_ms"] = step.limit_ms;
  return json;
}

nlohmann::json json_of(const LivePhase& phase, std::size_t& shown) {
  nlohmann::json counts = nlohmann::json::object(), running = nlohmann::json::array();
  for (std::size_t i = 0; i < kLiveStates; ++i) {
    if (phase.counts[i] > 0) counts[kStateNames[i]] = phase.counts[i];
  }
  for (const LiveStep& step : phase.steps) {
    if (step.state != LiveState::kRunning || shown >= kMostShown) continue;
    running.push_back(json_of(step));
    ++shown;
  }
  return {{"name", phase.name},
          {"planned", phase.planned},
          {"counts", std::move(counts)},
          {"running", std::move(running)}};
}

nlohmann::json json_of(const LiveModel& model) {
  nlohmann::json phases = nlohmann::json::array(), left = nlohmann::json::object();
  std::size_t shown = 0;
  for (const LivePhase& phase : model.phases) phases.push_back(json_of(phase, shown));
  for (const auto& [kind, amount] : model.left) left[kind] = amount;
  const LiveSpend& spend = model.spend;
  nlohmann::json json = {{"preset", model.preset},
                         {"runner", model.runner},
                         {"started_ms", model.started_ms},
                         {"verdict", model.verdict},
                         {"phases", std::move(phases)},
                         {"left", std::move(left)},
                         {"tokens", spend.tokens},
                         {"usd", spend.usd},
                         {"is_estimate", spend.is_estimate},
                         {"without_usd", spend.without_usd},
                         {"agents", spend.agents}};
  if (model.wall_left_ms) {
    json["wall_left_ms"] = *model.wall_left_ms;
    json["left_at_ms"] = model.left_at_ms;
  }
  return json;
}

}  // namespace

void Hub::find_runs(std::size_t repo) {
  const Dir* agent = repos_[repo].agent();
  if (agent == nullptr) return;
  std::vector<std::int64_t> times;
  for (const char* name : {"live", "tasks", "runs", "sessions", "imports"}) {
    auto info = agent->stat(name);
    times.push_back(info ? info->mtime_ns : 0);
  }
  if (seen_[repo] == times) return;
  seen_[repo] = times;
  ++changes_;
  const Runs runs(*agent);
  auto live = runs.live();
  const std::vector<std::string> ids = live ? *live : std::vector<std::string>();
  const auto is_live = [&](const std::string& id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  runs_.remove_if([&](const LiveRun& run) {
    // Another folder may have the run's name now.
    const bool has_ended =
        run.repo == repo && (!is_live(run.id) || !is_at(run.dir, agent->path_of("runs/" + run.id)));
    if (has_ended) ++version_;
    return has_ended;
  });
  for (const std::string& id : ids) {
    const bool is_known = std::any_of(runs_.begin(), runs_.end(), [&](const LiveRun& run) {
      return run.repo == repo && run.id == id;
    });
    auto opened = is_known ? Result<RunDir>(Error{}) : runs.open(id);
    if (!opened) continue;
    auto dir = opened->dir().dir(".");
    if (!dir) continue;
    runs_.push_back({repo, id, std::move(*dir), {}, {}, {}, ++version_});
    judge(runs_.back());
  }
}

void Hub::read_events(LiveRun& run) {
  if (!open_events(repos_[run.repo], run.id, run.file)) return;
  for (int i = 0; i < kEventsAtOnce; ++i) {
    const auto line = run.file.next();
    if (!line) return;
    const auto event = event_of(line->text);
    if (!event || !run.model.apply(*event)) continue;
    run.version = ++version_;
    if (event->type == EventType::kRunFinished || event->type == EventType::kRunResumed) {
      judge(run);
    }
  }
}

void Hub::judge(LiveRun& run) {
  const bool is_held = RunLock::holder(run.dir) != 0;
  const bool is_parked = run.model.verdict == "needs-human" || run.model.verdict == "quota";
  const char* state = is_held ? "running" : is_parked ? "parked" : "interrupted";
  if (run.state == state) return;
  run.state = state;
  run.version = ++version_;
  ++changes_;
}

void Hub::tick() {
  for (std::size_t repo = 0; repo < repos_.size(); ++repo) find_runs(repo);
  for (LiveRun& run : runs_) read_events(run);
  if (now_ms() - judged_ms_ < kJudgeMs) return;
  judged_ms_ = now_ms();
  for (LiveRun& run : runs_) judge(run);
}

std::string Hub::overview(std::uint64_t version) const {
  nlohmann::json live = nlohmann::json::array(), runs = nlohmann::json::array();
  for (const LiveRun& run : runs_) {
    const std::string id = std::to_string(run.repo) + "/" + run.id;
    live.push_back(id);
    if (run.version <= version) continue;
    nlohmann::json json = json_of(run.model);
    json["id"] = id;
    json["state"] = run.state;
    runs.push_back(std::move(json));
  }
  return json_text({{"live", std::move(live)}, {"runs", std::move(runs)}});
}

LiveBody::LiveBody(Hub& hub, const std::string& wanted) : hub_(hub) {
  ++hub_.streams_;
  std::size_t at = 0;
  while (at < wanted.size() && follows_.size() < kMostFollowed) {
    const auto end = std::min(wanted.find(',', at), wanted.size());
    const std::string item = wanted.substr(at, end - at);
    at = end + 1;
    const auto slash = item.find('/'), colon = item.find(':');
    if (slash == std::string::npos || colon == std::string::npos || colon < slash) continue;
    Follow follow;
    follow.repo = std::strtoull(item.c_str(), nullptr, 10);
    follow.run = item.substr(slash + 1, colon - slash - 1);
    follow.last = std::strtoull(item.c_str() + colon + 1, nullptr, 10);
    if (follow.repo >= hub_.repos().size() || id_number('R', follow.run) == 0) continue;
    follows_.push_back(std::move(follow));
  }
  out_ = "retry: 500\n\n";
}

std::string LiveBody::cursor() const {
  std::string text;
  for (const Follow& follow : follows_) {
    text += (text.empty() ? "" : ",") + std::to_string(follow.repo) + "/" + follow.run + ":" +
            std::to_string(follow.last);
  }
  return text;
}

void LiveBody::add_events(Follow& follow) {
  if (!open_events(hub_.repos()[follow.repo], follow.run, follow.file)) return;
  while (out_.size() < kBlock) {
    const auto line = follow.file.next();
    if (!line) return;
    if (line->number <= follow.last) continue;
    follow.last = line->number;
    if (!is_json_line(line->text)) continue;
    out_ += "id: " + cursor() + "\ndata: " + std::to_string(follow.repo) + "/" + follow.run + " ";
    out_ += line->text;
    out_ += "\n\n";
  }
}

void LiveBody::fill() {
  const std::int64_t now = now_ms();
  const bool may_open = now - opened_ms_ >= kOpenMs;
  if (may_open) opened_ms_ = now;
  for (Follow& follow : follows_) {
    if (follow.file || may_open) add_events(follow);
  }
  if (hub_.version() != version_ && now - overview_ms_ >= kOverviewMs) {
    overview_ms_ = now;
    out_ += "event: overview\ndata: " + hub_.overview(version_) + "\n\n";
    version_ = hub_.version();
  }
  if (hub_.changes() != changes_) {
    changes_ = hub_.changes();
    out_ += "event: changed\ndata: {}\n\n";
  }
  if (out_.empty() && now - sent_ms_ >= kHeartbeatMs) out_ = ": still here\n\n";
}

bool LiveBody::is_ready() {
  if (at_ == out_.size()) {
    out_.clear();
    at_ = 0;
    fill();
  }
  return !out_.empty();
}

long LiveBody::read(char* into, std::size_t size) {
  if (!is_ready()) return 0;
  const std::size_t count = std::min(size, out_.size() - at_);
  std::memcpy(into, out_.data() + at_, count);
  at_ += count;
  sent_ms_ = now_ms();
  return static_cast<long>(count);
}

}  // namespace moonlet::web
