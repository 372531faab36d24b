#include "host/process/keeper/supervisor.h"

#include <algorithm>

#include "host/process/child/cgroup.h"

namespace moonlet {

namespace {

using Why = ChildExit::Why;

// Limits the bytes of a stream per loop turn, so that all streams get a turn.
constexpr std::size_t kReadTurn = 512 * 1024;
// Fewer bytes per loop turn are read from a terminal, because drawing them delays commands.
constexpr std::size_t kTerminalTurn = 64 * 1024;
// After a step's end, wait this long before the search for strays that the step may have started.
constexpr std::int64_t kStrayMs = 20;
// Only keeper.log may use this part of the reserved disk space.
constexpr std::uint64_t kLogShare = Reserve::kSize / 4;

}  // namespace

Supervisor::~Supervisor() {
  for (auto& [number, step] : steps_) loop_.cancel(step->timer);
  loop_.cancel(tick_);
}

void Supervisor::cancel(std::uint32_t number, bool finished) {
  auto queued = std::find_if(queue_.begin(), queue_.end(), [&](const StartFrame& candidate) {
    return candidate.number == number;
  });
  if (queued != queue_.end()) {
    EndedChild child = EndedChild::unstarted(
        *queued, Why::kCancelled, {ErrorKind::kCancelled, "cancelled before it was started"});
    queue_.erase(queued);
    listener_.exited(std::move(child));
    return;
  }
  auto found = steps_.find(number);
  if (found == steps_.end()) return;
  Step& step = *found->second;
  begin_end(step, finished ? Why::kFinished : Why::kCancelled, step.grace_ms);
}

void Supervisor::hold_idle(std::uint32_t number, bool held) {
  auto found = steps_.find(number);
  if (found == steps_.end()) return;
  Step& step = *found->second;
  step.idle_held = held;
  step.last_output = now();
  if (step.phase == Step::Phase::kRunning) arm(step);
}

Supervisor::OnTerminal Supervisor::on_terminal(std::uint32_t number) const {
  for (const Step* step : terminals_) {
    if (step->number != number && number != 0) continue;
    step->terminal->settle();
    return {step->terminal.get(), step->pid};
  }
  return {};
}

bool Supervisor::flush_terminals() {
  bool waiting = false;
  for (Step* step : terminals_) waiting = step->terminal->tend(now()) || waiting;
  return waiting;
}

bool Supervisor::end_on_terminal(std::uint32_t number, std::int64_t grace_ms) {
  const auto found = std::find_if(terminals_.begin(), terminals_.end(), [&](const Step* step) {
    return step->number == number || number == 0;
  });
  if (found == terminals_.end()) return false;
  begin_end(**found, Why::kCancelled, std::max<std::int64_t>(grace_ms, 0));
  return true;
}

void Supervisor::sample_terminals() {
  for (Step* step : terminals_) step->terminal->sample(now());
}

void Supervisor::end_all(std::int64_t grace_ms, std::string_view because) {
  while (!queue_.empty()) cancel(queue_.front().number);
  for (auto& [number, step] : steps_) end_one(*step, grace_ms, because);
}

void Supervisor::end_hosted(std::int64_t grace_ms) {
  queue_.clear();
  for (auto& [number, step] : steps_) {
    if (!step->outlives_host) end_one(*step, grace_ms, "its host was gone");
  }
}

void Supervisor::end_one(Step& step, std::int64_t grace_ms, std::string_view because) {
  if (!step.ended && step.exit.why == Why::kNotStarted) {
    step.exit.error = Error{ErrorKind::kCancelled, "ended because " + std::string(because)};
  }
  begin_end(step, Why::kCancelled, std::min(grace_ms, step.grace_ms));
}

void Supervisor::children_ended() {
  reap();
  look(false);
}

void Supervisor::drain(Step& step) {
  std::size_t bytes = 0;
  if (step.terminal) {
    bytes += step.out.drain(
        kTerminalTurn, [this, &step](std::string_view part) { step.terminal->feed(part, now()); });
  } else {
    bytes += step.out.drain(kReadTurn, [&](std::string_view part) { step.out_capture.feed(part); });
    bytes += step.err.drain(kReadTurn, [&](std::string_view part) { step.err_capture.feed(part); });
  }
  if (bytes > 0) step.last_output = now();
}

void Supervisor::readable(std::uint32_t number) {
  auto found = steps_.find(number);
  if (found == steps_.end()) return;
  Step& step = *found->second;
  drain(step);
  if (step.streams_open() || !step.ended) return;
  if (step.tree_empty) {
    complete(step);
  } else if (step.phase == Step::Phase::kDraining) {
    unsettled_.insert(number);
    schedule_tick(0);
  }
}

void Supervisor::arm(Step& step) {
  loop_.cancel(step.timer);
  std::int64_t deadline = INT64_MAX;
  switch (step.phase) {
    case Step::Phase::kRunning:
      if (step.wall_ms > 0) deadline = step.started + step.wall_ms;
      if (step.idles()) deadline = std::min(deadline, step.last_output + step.idle_ms);
      break;
    case Step::Phase::kDraining:
    case Step::Phase::kTerm:
      deadline = step.phase_deadline_ms;
      break;
    case Step::Phase::kKill:
      break;
  }
  if (deadline == INT64_MAX) return;
  const std::uint32_t number = step.number;
  step.timer = loop_.after(deadline - now(), [this, number] { on_timer(number); });
}

void Supervisor::on_timer(std::uint32_t number) {
  auto found = steps_.find(number);
  if (found == steps_.end()) return;
  Step& step = *found->second;
  const std::int64_t time = now();
  switch (step.phase) {
    case Step::Phase::kRunning:
      if (step.wall_ms > 0 && time >= step.started + step.wall_ms) {
        begin_end(step, Why::kWall, step.grace_ms);
      } else if (step.idles() && time >= step.last_output + step.idle_ms) {
        begin_end(step, Why::kIdle, step.grace_ms);
      } else {
        arm(step);  // output arrived after the timer was set
      }
      break;
    case Step::Phase::kDraining:
      if (!step.streams_open()) return begin_end(step, Why::kExited, step.grace_ms);
      step.exit.drained = false;
      if (step.tree_empty) return complete(step);
      begin_end(step, Why::kExited, step.grace_ms);
      break;
    case Step::Phase::kTerm:
      step.phase = Step::Phase::kKill;
      step.kill_since = time;
      unsettled_.insert(number);
      schedule_tick(0);
      break;
    case Step::Phase::kKill:
      break;
  }
}

void Supervisor::try_complete(Step& step) {
  if (!step.ended || !step.tree_empty) return;
  drain(step);
  if (!step.streams_open()) return complete(step);
  switch (step.phase) {
    case Step::Phase::kRunning:
      // A process outside of the tree still holds the pipes, so wait for more output.
      drain_for(step, step.drain_ms);
      break;
    case Step::Phase::kDraining:
      break;
    case Step::Phase::kTerm:
    case Step::Phase::kKill:
      step.exit.drained = false;
      complete(step);
      break;
  }
}

void Supervisor::complete(Step& step) {
  loop_.cancel(step.timer);
  step.out.close();
  step.err.close();
  // On a full disk, output may use the reserved space, except for the part that only keeper.log may
  // use.
  const auto make_room = [this](std::uint64_t bytes) {
    return identity_.reserve->give(bytes, kLogShare);
  };
  const Capture::MakeRoom room = step.durable ? make_room : Capture::MakeRoom();
  step.exit.out =
      step.terminal ? step.terminal->finish(now(), room) : step.out_capture.finish(room);
  step.exit.err = step.err_capture.finish();
  step.exit.pid = step.pid;
  if (step.left_behind && step.asked) {
    step.exit.stragglers = static_cast<int>(step.asked->size());
  }
  if (!step.cgroup.empty()) {
    kill_cgroup(step.cgroup);
    empty_cgroups_.push_back(std::move(step.cgroup));
  }
  // An exiting process may keep its cgroup busy. Later steps or the run's end remove that cgroup.
  std::erase_if(empty_cgroups_, [](const std::string& cgroup) { return remove_cgroup(cgroup); });
  log_.add(exit_line(step.number, step.exit, loop_.clock().wall_ms()));

  std::erase(terminals_, &step);
  auto owned = std::move(steps_.at(step.number));
  steps_.erase(step.number);
  unsettled_.erase(step.number);
  if (!step.ended) mains_.erase(step.pid);
  ChildRecord& record = step;
  listener_.exited({std::move(record), std::move(step.exit), step.durable});
  // A search does not kill a process of unknown origin that a running step could have started.
  // This step has ended, so search again.
  if (strays_) schedule_tick(kStrayMs);
}

void Supervisor::schedule_tick(std::int64_t delay_ms) {
  if (ticking_) return;
  ticking_ = true;
  tick_ = loop_.after(delay_ms, [this] {
    ticking_ = false;
    reap();
    look(true);
  });
}

}  // namespace moonlet
