#include "host/telemetry/live/view.h"

#include <algorithm>
#include <utility>

#include "host/base/text.h"
#include "host/telemetry/live/text.h"
#include "host/telemetry/live/width.h"

namespace moonlet {

namespace {

constexpr std::size_t kFinalPhases = 20;
constexpr int kShortestLabel = 8;
constexpr std::size_t kLongestMessage = 4000;
constexpr int kHeightWithHelp = 12;

/// `Look` is how the view draws a state.
struct Look {
  int rank;  // if there is no room for all steps, the lowest rank is shown first
  Tone tone;
  const char* mark;
  const char* ascii;
  const char* word;
};

/// The looks in the order of LiveState. The marks are a filled circle, a check mark and a cross.
constexpr Look kLooks[kLiveStates] = {{0, Tone::kCyan, "\xe2\x97\x8f", "*", "running"},
                                      {3, Tone::kGreen, "\xe2\x9c\x93", "+", "ok"},
                                      {1, Tone::kRed, "\xe2\x9c\x97", "x", "failed"},
                                      {1, Tone::kYellow, "?", "?", "parked"},
                                      {2, Tone::kYellow, "-", "-", "cancelled"}};

const Look& look_of(LiveState state) { return kLooks[static_cast<std::size_t>(state)]; }

const char* mark_of(LiveState state, bool unicode) {
  return unicode ? look_of(state).mark : look_of(state).ascii;
}

std::string counts_text(const std::array<std::size_t, kLiveStates>& counts, std::size_t waiting) {
  std::string text;
  const auto add = [&text](std::size_t count, const char* word) {
    if (count == 0) return;
    if (!text.empty()) text += ", ";
    text += std::to_string(count) + " " + word;
  };
  for (const auto state : {LiveState::kRunning, LiveState::kFailed, LiveState::kParked,
                           LiveState::kOk, LiveState::kCancelled}) {
    add(counts[static_cast<std::size_t>(state)], look_of(state).word);
  }
  add(waiting, "waiting");
  return text;
}

std::string decoded(std::string_view key) {
  const std::string name = plain_key(key);
  return printable(name, name.size());
}

/// Shortens a step's key for the view: "parallel/3/agent" becomes "3". Drops the default names of
/// calls, and a last part that repeats the branch's name.
std::string label_of(const LiveStep& step) {
  std::string_view key = step.key;
  if (key.starts_with("parallel")) {
    const std::size_t end = key.find_first_not_of("#0123456789", 8);
    if (end != std::string_view::npos && key[end] == '/') key.remove_prefix(end + 1);
  }
  for (const std::string_view ending : {"/agent", "/exec"}) {
    if (key.size() > ending.size() && key.ends_with(ending)) {
      key.remove_suffix(ending.size());
      break;
    }
  }
  const std::size_t last = key.rfind('/');
  if (last != std::string_view::npos && last > 0) {
    const auto name = key.substr(last + 1);
    const auto before = key.substr(0, last);
    const std::size_t start = before.rfind('/');
    if (before.substr(start == std::string_view::npos ? 0 : start + 1) == name) key = before;
  }
  return decoded(key);
}

class View {
 public:
  View(const LiveModel& model, const LiveStyle& style, std::int64_t now_ms)
      : model_(model),
        style_(style),
        sign_(style.unicode ? "\xe2\x80\xa6" : "~"),
        now_ms_(now_ms) {}

  std::vector<LiveLine> live();
  std::vector<LiveLine> final();

 private:
  /// `Shown` lists the steps of a phase that get a line of their own, and counts the others.
  struct Shown {
    std::size_t phase = 0;
    std::vector<const LiveStep*> steps;
    std::array<std::size_t, kLiveStates> hidden{};
    bool counted = false;  // an additional line counts the hidden steps
  };

  std::string agents_text() const;
  void add_head();
  void add_parts(const std::string& title, Tone tone, const std::vector<std::string>& parts);
  void add_phase(std::size_t index);
  void add_step(const LiveStep& step, int indent);
  void add_shown(const Shown& shown);
  void measure(const std::vector<Shown>& list);
  bool is_active(std::size_t phase) const;
  bool has_name(std::size_t phase) const { return !model_.phases[phase].name.empty(); }
  std::vector<Shown> everything() const;
  std::vector<Shown> chosen(std::size_t room);
  std::size_t lines_of(const std::vector<Shown>& list) const;
  std::size_t lines_left() const;
  void hide_where_counted(std::vector<Shown>& list) const;

  const LiveModel& model_;
  const LiveStyle& style_;
  const std::string sign_;  // marks truncated text
  std::int64_t now_ms_;
  std::vector<LiveLine> lines_;
  int label_width_ = 0;
  int runner_width_ = 0;
};

std::string View::agents_text() const {
  const auto counts = counts_text(model_.agents, 0);
  return counts.empty() ? counts : "agents: " + counts;
}

/// Adds a line with the title, and each part that still fits into the line.
void View::add_parts(const std::string& title, Tone tone, const std::vector<std::string>& parts) {
  const std::string between = style_.unicode ? " \xc2\xb7 " : " | ";
  LiveRow row(style_);
  bool first = title.empty();
  if (!first) {
    const int beside = parts.empty() ? 0 : 3 + display_width(parts[0]);
    const int room = style_.width - beside;
    row.add(cut_to_width(title, room >= kShortestLabel ? room : style_.width, sign_), tone);
  }
  for (const auto& part : parts) {
    if (part.empty()) continue;
    if (!first && 3 + display_width(part) > row.room()) continue;
    if (!first) row.add(between, Tone::kDim);
    row.add(part);
    first = false;
  }
  lines_.push_back(row.take());
}

void View::add_head() {
  const auto until = model_.ended_ms.value_or(now_ms_);
  const std::string title = model_.run.empty() ? model_.preset : model_.preset + " " + model_.run;
  std::vector<std::string> parts{time_text(until - model_.started_ms, !model_.ended_ms),
                                 model_.verdict, model_.runner,
                                 model_.confined ? "" : "not confined"};
  const std::vector<std::string> spent{agents_text(), spend_text(model_.spend),
                                       left_text(model_, now_ms_)};
  int width = display_width(title);
  int spent_width = 0;
  for (const auto& part : parts) width += part.empty() ? 0 : 3 + display_width(part);
  for (const auto& part : spent) spent_width += part.empty() ? 0 : 3 + display_width(part);
  const bool is_bad = model_.ended_ms && model_.verdict != "ok";
  const Tone tone = is_bad ? Tone::kRed : Tone::kBold;
  if (spent_width == 0 || width + spent_width <= style_.width || style_.height < 6) {
    parts.insert(parts.end(), spent.begin(), spent.end());
    add_parts(title, tone, parts);
  } else {
    add_parts(title, tone, parts);
    add_parts({}, tone, spent);
  }
}

bool View::is_active(std::size_t phase) const {
  return !model_.ended_ms &&
         (phase == model_.current || model_.phases[phase].count(LiveState::kRunning) > 0 ||
          model_.waiting(phase) > 0);
}

void View::add_phase(std::size_t index) {
  const LivePhase& phase = model_.phases[index];
  if (phase.name.empty()) return;
  const std::size_t failed = phase.count(LiveState::kFailed);
  const auto state = is_active(index)                         ? LiveState::kRunning
                     : failed > 0                             ? LiveState::kFailed
                     : phase.count(LiveState::kParked) > 0    ? LiveState::kParked
                     : phase.count(LiveState::kCancelled) > 0 ? LiveState::kCancelled
                                                              : LiveState::kOk;
  const std::size_t waiting = model_.waiting(index);
  const auto planned = static_cast<std::size_t>(std::max<std::int64_t>(phase.planned, 0));
  // A finished phase needs no more steps than have begun, even if more were planned. If the run has
  // failed, the planned steps still count.
  const bool cut_short = model_.ended_ms && model_.verdict != "ok" && phase.begun() > 0;
  const std::size_t total =
      is_active(index) || cut_short ? std::max(planned, phase.begun() + waiting) : phase.begun();
  LiveRow row(style_);
  row.add(mark_of(state, style_.unicode), look_of(state).tone).add(" ");
  std::string counts;
  if (total > 0) {
    counts = " " + std::to_string(phase.count(LiveState::kOk)) + "/" + std::to_string(total);
  }
  row.add(
      cut_to_width(phase.name, std::max(row.room() - display_width(counts), kShortestLabel), sign_),
      Tone::kBold);
  row.add(counts);
  for (const auto ended : {LiveState::kFailed, LiveState::kParked, LiveState::kCancelled}) {
    if (phase.count(ended) == 0) continue;
    row.add(", " + std::to_string(phase.count(ended)) + " " + look_of(ended).word,
            look_of(ended).tone);
  }
  lines_.push_back(row.take());
}

void View::measure(const std::vector<Shown>& list) {
  int label = 0;
  for (const auto& shown : list) {
    for (const LiveStep* step : shown.steps) {
      label = std::max(label, display_width(label_of(*step)));
      runner_width_ = std::max(runner_width_, std::min(display_width(step->runner), 12));
    }
  }
  if (style_.width < 60) runner_width_ = 0;
  // Besides its label, a step's line has the runner, six columns of time, and a message.
  const int beside = 4 + (runner_width_ > 0 ? runner_width_ + 2 : 0) + 8 + style_.width / 3;
  label_width_ = std::clamp(label, kShortestLabel, std::max(style_.width - beside, kShortestLabel));
}

void View::add_step(const LiveStep& step, int indent) {
  const bool running = step.state == LiveState::kRunning;
  LiveRow row(style_);
  row.to(indent).add(mark_of(step.state, style_.unicode), look_of(step.state).tone).add(" ");
  int column = indent + 2;
  row.add(cut_middle_to_width(label_of(step), std::min(label_width_, row.room()), sign_));
  column += label_width_ + 2;
  if (runner_width_ > 0) {
    row.to(column).add(cut_to_width(step.runner, runner_width_, sign_), Tone::kDim);
    column += runner_width_ + 2;
  }
  const auto time = time_text(running ? now_ms_ - step.started_ms : step.duration_ms, running);
  column += 6;
  row.to(column - display_width(time)).add(time);
  const auto tail = tail_text(step, now_ms_);
  if (!tail.empty() && column + 4 < style_.width) {
    row.to(column + 2).add(tail, step.state == LiveState::kFailed ? Tone::kRed : Tone::kDim);
  }
  lines_.push_back(row.take());
}

void View::add_shown(const Shown& shown) {
  add_phase(shown.phase);
  const int indent = has_name(shown.phase) ? 2 : 0;
  for (const LiveStep* step : shown.steps) add_step(*step, indent);
  if (!shown.counted) return;
  LiveRow row(style_);
  row.to(indent).add(sign_ + " ", Tone::kDim);
  row.add(counts_text(shown.hidden, model_.waiting(shown.phase)), Tone::kDim);
  lines_.push_back(row.take());
}

/// Counts the hidden steps of each phase. Sets `counted` if their number needs a line, because the
/// line of the phase does not show it.
void View::hide_where_counted(std::vector<Shown>& list) const {
  for (auto& shown : list) {
    const LivePhase& phase = model_.phases[shown.phase];
    shown.hidden = phase.counts;
    for (const LiveStep* step : shown.steps) --shown.hidden[static_cast<std::size_t>(step->state)];
    const auto only_ok = !is_active(shown.phase) && has_name(shown.phase);
    std::size_t hidden = model_.waiting(shown.phase);
    for (std::size_t i = 0; i < kLiveStates; ++i) {
      if (!only_ok || i != static_cast<std::size_t>(LiveState::kOk)) hidden += shown.hidden[i];
    }
    shown.counted = hidden > 0;
  }
}

std::vector<View::Shown> View::everything() const {
  std::vector<Shown> list;
  for (std::size_t i = 0; i < model_.phases.size(); ++i) {
    Shown shown;
    shown.phase = i;
    for (const auto& step : model_.phases[i].steps) shown.steps.push_back(&step);
    list.push_back(std::move(shown));
  }
  hide_where_counted(list);
  return list;
}

std::size_t View::lines_of(const std::vector<Shown>& list) const {
  std::size_t count = 0;
  for (const auto& shown : list) {
    count += shown.steps.size() + (has_name(shown.phase) ? 1 : 0) + (shown.counted ? 1 : 0);
  }
  return count;
}

std::size_t View::lines_left() const {
  const auto height = static_cast<std::size_t>(std::max(style_.height, 1));
  return height - std::min(height, lines_.size());
}

/// Chooses what to show in `room` lines: first the phases, then the steps by rank.
std::vector<View::Shown> View::chosen(std::size_t room) {
  std::vector<std::size_t> order(model_.phases.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  // Prefer active phases, and then the newest ones.
  std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return is_active(a) != is_active(b) ? is_active(a) : a > b;
  });
  order.resize(std::min(order.size(), std::max<std::size_t>(room / 3, 1)));
  std::sort(order.begin(), order.end());

  struct Candidate {
    const LiveStep* step;
    std::size_t place;
    std::size_t number;
  };
  std::vector<Candidate> candidates;
  for (std::size_t place = 0; place < order.size(); ++place) {
    for (const auto& step : model_.phases[order[place]].steps) {
      candidates.push_back({&step, place, candidates.size()});
    }
  }
  // Among ended steps with the same rank, prefer the newest.
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    const int rank = look_of(a.step->state).rank, other = look_of(b.step->state).rank;
    if (rank != other) return rank < other;
    return rank == 0 ? a.number < b.number : a.number > b.number;
  });

  std::vector<Shown> list;
  for (std::size_t take = std::min(candidates.size(), room) + 1; take-- > 0;) {
    list.assign(order.size(), {});
    for (std::size_t i = 0; i < order.size(); ++i) list[i].phase = order[i];
    for (std::size_t i = 0; i < take; ++i) {
      list[candidates[i].place].steps.push_back(candidates[i].step);
    }
    hide_where_counted(list);
    if (lines_of(list) <= room) break;
  }
  return list;
}

std::vector<LiveLine> View::live() {
  if (model_.started_ms == 0) return {};
  add_head();
  auto list = everything();
  if (lines_of(list) > lines_left()) list = chosen(lines_left());
  measure(list);
  for (const auto& shown : list) add_shown(shown);
  if (style_.height >= kHeightWithHelp && lines_left() > 0) {
    LiveRow row(style_);
    row.add(style_.help, Tone::kDim);
    lines_.push_back(row.take());
  }
  const auto most = static_cast<std::size_t>(std::max(style_.height, 1));
  if (lines_.size() > most) lines_.resize(most);
  return std::move(lines_);
}

std::vector<LiveLine> View::final() {
  if (model_.started_ms == 0) return {};
  const std::size_t count = model_.phases.size();
  for (std::size_t i = count - std::min(count, kFinalPhases); i < count; ++i) add_phase(i);
  return std::move(lines_);
}

}  // namespace

std::vector<LiveLine> render_live(const LiveModel& model, const LiveStyle& style,
                                  std::int64_t now_ms) {
  return View(model, style, now_ms).live();
}

std::vector<std::string> render_message(const Event& event, const LiveStyle& style) {
  if (!event.fields.is_object() || event.fields.value("reported", nlohmann::json()) == true) {
    return {};
  }
  const auto said = event.fields.find("text");
  if (said == event.fields.end() || !said->is_string()) return {};
  const bool is_warning = event.type == EventType::kWarning;
  LiveStep step;
  step.key = event.step;
  const auto name = event.step.empty() ? "" : label_of(step) + ": ";
  std::vector<std::string> lines;
  std::string rest = name + strip_controls(said->get_ref<const std::string&>());
  if (rest.size() > kLongestMessage) {
    rest = std::string(cut_end(rest, kLongestMessage)) + (style.unicode ? "\xe2\x80\xa6" : "...");
  }
  while (!rest.empty() && rest.back() == '\n') rest.pop_back();
  std::string mark = is_warning ? "! " : style.unicode ? "\xc2\xb7 " : "- ";
  std::size_t end = 0;
  for (std::size_t at = 0; at <= rest.size(); at = end + 1) {
    end = std::min(rest.find('\n', at), rest.size());
    const auto line = printable(rest.substr(at, end - at), 2 * kLongestMessage);
    for (const auto& part : wrap_to_width(line, style.width - 2)) {
      lines.push_back(std::exchange(mark, "  ") + part);
    }
  }
  return lines;
}

std::vector<LiveLine> render_final(const LiveModel& model, const LiveStyle& style,
                                   std::int64_t now_ms) {
  return View(model, style, now_ms).final();
}

}  // namespace moonlet
