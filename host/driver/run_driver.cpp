#include "host/driver/run_driver.h"

#include <algorithm>
#include <system_error>

#include "host/artifact/run/key.h"
#include "host/artifact/run/sidecar.h"
#include "host/process/child/tree.h"
#include "host/process/client/sweep.h"
#include "host/process/client/temporary_folders.h"

namespace moonlet {

namespace {

constexpr int kMostDraws = 16;   // how many times to retry if a task id is taken
constexpr int kMostUnheard = 4;  // if the script has this many unread records, no child completes

/// Makes a sidecar. Retries on a name collision between runs of the same second.
Result<std::string> make_named_sidecar(const Dir& agent, const RunDriver::Request& request,
                                       const Clock& clock) {
  for (int draw = 0;; ++draw) {
    std::string name = request.task_id.empty() ? default_task_id(request.preset, clock.wall_ms())
                                               : request.task_id;
    auto made = make_sidecar(agent, name);
    if (made) return name;
    const bool may_draw = request.task_id.empty() && made.error().kind == ErrorKind::kInvalid;
    if (!may_draw || draw == kMostDraws) return made.error();
  }
}

}  // namespace

Result<std::unique_ptr<RunDriver>> RunDriver::create(Host host, Home& home,
                                                     const Request& request) {
  auto agent = home.make();
  if (!agent) return agent.error();
  const Dir& where = **agent;
  const bool named_by_run = request.task_id.empty() && !request.packet.empty();
  std::string task_id;
  if (!named_by_run) {
    // Make the sidecar before the run, so that no run is left behind if the name is taken.
    auto made = make_named_sidecar(where, request, host.clock);
    if (!made) return made.error();
    task_id = std::move(*made);
  }
  std::optional<RunLock> lock;
  // Lock the run before listing it as live, so that no sweep of another process takes its lock.
  const auto take_lock = [&lock](const RunDir& made) -> Result<void> {
    auto tried = made.try_lock();
    if (!tried.lock) return tried.lock.error();
    lock = std::move(*tried.lock);
    return {};
  };
  auto dir = Runs(where).create(host.live_keepers.highest(where.path_of("runs"), 'R'), take_lock);
  if (!dir) {
    if (!named_by_run) (void)where.remove_tree("sidecars/" + task_id);
    return dir.error();
  }
  if (named_by_run) {
    task_id = request.packet + "-" + dir->id();
    if (auto made = make_sidecar(where, task_id); !made) {
      (void)where.remove_tree("runs/" + dir->id());
      (void)Runs(where).mark_finished(dir->id());
      return made.error();
    }
  }
  return std::unique_ptr<RunDriver>(new RunDriver(std::move(host), where, std::move(*dir),
                                                  std::move(*lock), task_id, request, false));
}

Result<std::shared_ptr<LockWait>> RunDriver::lock(Loop& loop, Home& home, std::string_view id) {
  auto agent = home.make();
  if (!agent) return agent.error();
  auto dir = Runs(**agent).open(id);
  if (!dir) return dir.error();
  return std::make_shared<LockWait>(loop, dir->dir(), id, TakeOver::kStopped);
}

Result<std::unique_ptr<RunDriver>> RunDriver::resume(Host host, Home& home, std::string_view id,
                                                     const Request& request, RunLock lock) {
  auto agent = home.make();
  if (!agent) return agent.error();
  auto dir = Runs(**agent).open(id);
  if (!dir) return dir.error();
  if (auto marked = Runs(**agent).mark_live(dir->id()); !marked) return marked.error();
  std::unique_ptr<RunDriver> run(new RunDriver(std::move(host), **agent, std::move(*dir),
                                               std::move(lock), request.task_id, request, true));
  // Adopt the keeper before reading any value. It then refuses requests of an earlier host.
  if (auto taken = run->take_over(); !taken) return taken.error();
  return run;
}

RunDriver::RunDriver(Host host, const Dir& agent, RunDir dir, RunLock lock, std::string task_id,
                     const Request& request, bool resumed)
    : host_(std::move(host)),
      agent_(&agent),
      dir_(std::move(dir)),
      lock_(std::move(lock)),
      task_id_(std::move(task_id)),
      label_(request.preset),
      resumed_(resumed),
      cancel_(host_.loop.raw(), dir_.dir(), host_.on_cancel) {}

RunDriver::~RunDriver() {
  if (keeper_) keeper_->let_go();
  keeper_.reset();
  close_events(1000);
}

void RunDriver::discard(std::unique_ptr<RunDriver> run) {
  if (!run->still_ours()) return;
  const Dir& agent = run->agent();
  const std::string id = run->id(), sidecar = run->sidecar();
  run.reset();
  (void)agent.remove_tree(sidecar);
  (void)agent.remove_tree("runs/" + id);
  (void)Runs(agent).mark_finished(id);
}

void RunDriver::mark_finished() {
  if (still_ours()) (void)Runs(*agent_).mark_finished(id());
}

Result<void> RunDriver::replace(const Dir& where, std::string_view path, std::string_view text,
                                Durable durable) const {
  if (auto ours = still_ours(); !ours) return ours;
  // Check the lock again before the rename, because this process may be stopped while writing.
  return where.write_file(path, text, durable, [this] { return still_ours(); });
}

Result<void> RunDriver::write_record(std::string_view text) {
  return replace(dir_.dir(), "run.json", text, Durable::kYes);
}

Result<void> RunDriver::write(std::string_view path, std::string_view text, Durable durable) {
  auto written = replace(*agent_, path, text, durable);
  if (written && durable == Durable::kNo) unsynced_.emplace_back(path);
  return written;
}

Result<void> RunDriver::make_dirs(std::string_view path, Durable durable) {
  if (auto ours = still_ours(); !ours) return ours;
  return agent_->make_dirs(path, durable);
}

Result<void> RunDriver::remove(std::string_view path) {
  if (auto ours = still_ours(); !ours) return ours;
  return agent_->remove_tree(path);
}

Result<bool> RunDriver::rename(std::string_view from, std::string_view to) {
  if (auto ours = still_ours(); !ours) return ours.error();
  if (!agent_->exists(from)) return false;
  auto renamed = agent_->rename(from, to);
  if (!renamed) return renamed.error();
  return true;
}

void RunDriver::sweep_temporaries(std::string_view path) {
  if (resumed_ && still_ours()) agent_->sweep_temporaries(path);
}

void RunDriver::remove_temporary_folders() {
  if (still_ours()) moonlet::remove_temporary_folders(dir_.dir());
}

std::string RunDriver::value_path(std::string_view name) const {
  return "runs/" + id() + "/values/" + std::string(name);
}

Result<void> RunDriver::write_value(std::string_view name, std::string_view text, Durable durable) {
  if (auto ours = still_ours(); !ours) return ours;
  if (auto made = dir_.dir().make_dirs("values", durable); !made) return made;
  auto written = replace(*agent_, value_path(name), text, durable);
  if (written && durable == Durable::kNo) unsynced_values_.push_back(value_path(name));
  return written;
}

Result<FileBytes> RunDriver::read_value(std::string_view name, std::size_t cap) const {
  return agent_->read_file(value_path(name), cap);
}

Result<std::string> RunDriver::key() const {
  if (auto ours = still_ours(); !ours) return ours.error();
  return run_key(dir_.dir());
}

void RunDriver::begin_sync() {
  if (unsynced_.empty() || syncing_.valid()) return;
  try {
    syncing_ = std::async(std::launch::async,
                          [this, files = unsynced_] { return agent_->sync_files(files); });
    syncing_count_ = static_cast<std::ptrdiff_t>(unsynced_.size());
  } catch (const std::system_error&) {
    // No thread could be started, so sync() will sync the files itself.
  }
}

Result<void> RunDriver::sync() {
  if (syncing_.valid()) {
    if (auto begun = syncing_.get(); !begun) return begun;
    unsynced_.erase(unsynced_.begin(), unsynced_.begin() + syncing_count_);
  }
  auto synced = agent_->sync_files(unsynced_);
  if (synced) unsynced_.clear();
  return synced ? sync_values() : synced;
}

Result<void> RunDriver::sync_values() {
  if (unsynced_values_.empty()) return {};
  // After a failed fsync, a later success proves nothing about the lost pages.
  if (values_failure_) return *values_failure_;
  auto synced = agent_->sync_files(unsynced_values_);
  if (synced) {
    unsynced_values_.clear();
  } else {
    values_failure_ = synced.error();
  }
  return synced;
}

Result<void> RunDriver::open_journal(const JournalVisitor& visit) {
  auto opened = Journal::open(dir_.dir(), lock_, host_.loop, visit);
  if (!opened) return opened.error();
  journal_ = std::move(*opened);
  return {};
}

Result<std::shared_ptr<JournalWrite>> RunDriver::append(std::string body) {
  if (auto synced = sync_values(); !synced) return synced.error();
  return journal_->append(std::move(body));
}

std::shared_ptr<JournalWrite> RunDriver::append_relaxed(std::string body) {
  return journal_->append_relaxed(std::move(body));
}

std::shared_ptr<JournalWrite> RunDriver::written() {
  return journal_ ? journal_->written() : nullptr;
}

void RunDriver::count_unheard(int more) {
  unheard_ += more;
  if (keeper_) keeper_->hold_ends(unheard_ >= kMostUnheard);
}

KeeperOptions RunDriver::keeper_options() const {
  KeeperOptions options;
  options.program = host_.keeper_program;
  options.run_dir_fd = dir_.dir().fd();
  options.output_dir_fd = agent_->fd();
  options.run_id = id();
  options.generation = lock_.generation();
  return options;
}

Result<void> RunDriver::take_over() {
  if (!resumed_ || keeper_) return {};
  auto adopted = Keeper::adopt(host_.loop, keeper_options());
  if (!adopted) return adopted.error();
  keeper_ = std::move(*adopted);
  return {};
}

Result<void> RunDriver::ensure_keeper() {
  if (keeper_) return {};
  if (auto taken = take_over(); !taken) return taken;
  if (keeper_) return {};
  // End the processes of a dead keeper before a new keeper starts.
  if (resumed_) {
    if (auto swept = sweep(dir_.dir().fd()); !swept) return swept.error();
  }
  KeeperOptions options = keeper_options();
  const auto live = host_.live_keepers.make();  // the run also works if this fails
  if (live) options.live_dir_fd = live->fd();
  options.label = label_;
  auto started = Keeper::start(host_.loop, std::move(options));
  if (!started) return started.error();
  keeper_ = std::move(*started);
  return {};
}

Result<Fd> RunDriver::open_input(std::string_view text) const { return dir_.dir().spool(text); }

Result<Fd> RunDriver::open_input_file(std::string_view path) const {
  return agent_->open_read(path);
}

Result<std::shared_ptr<ChildOperation>> RunDriver::spawn(ChildSpec spec) {
  if (auto ours = still_ours(); !ours) return ours.error();
  if (auto keeper = ensure_keeper(); !keeper) return keeper.error();
  std::erase_if(attempts_, [](const auto& entry) { return entry.second.expired(); });
  const std::string attempt = spec.attempt;
  auto child = keeper_->spawn(std::move(spec));
  if (!attempt.empty()) attempts_[attempt] = child;
  return child;
}

std::shared_ptr<ChildOperation> RunDriver::find_adopted(std::string_view attempt) const {
  if (!keeper_) return nullptr;
  for (const AdoptedChild& child : keeper_->adopted()) {
    if (child.attempt == attempt) return child.operation;
  }
  return nullptr;
}

std::shared_ptr<ChildOperation> RunDriver::find_working(std::string_view attempt) const {
  const auto found = attempts_.find(attempt);
  auto child = found != attempts_.end() ? found->second.lock() : find_adopted(attempt);
  return child && !child->done() ? child : nullptr;
}

int RunDriver::pid_of(std::string_view attempt) const {
  const auto child = find_working(attempt);
  if (!child || !keeper_ || child->pid() != 0) return child ? child->pid() : 0;
  for (const AdoptedChild& adopted : keeper_->adopted()) {
    if (adopted.attempt == attempt) return static_cast<int>(adopted.pid);
  }
  return 0;
}

Result<KeptAttempt> RunDriver::present_attempt(std::string_view step,
                                               std::string_view attempt) const {
  if (!resumed_ && !keeper_) return KeptAttempt{};
  return find_attempt(dir_.dir().fd(), step, attempt);
}

Result<KeptAttempt> RunDriver::kept_attempt(std::string_view step, std::string_view attempt) {
  if (!resumed_) return KeptAttempt{};
  if (auto keeper = ensure_keeper(); !keeper) return keeper.error();
  if (logged_.empty()) {
    auto logged = read_keeper_log(dir_.dir().fd());
    if (!logged) return logged.error();
    logged_ = std::move(*logged);
  }
  return find_attempt(logged_, step, attempt, true, boot_id());
}

bool RunDriver::has_running_children() const {
  if (!keeper_) return resumed_ && keeper_is_alive(dir_.dir().fd());
  const auto& adopted = keeper_->adopted();
  return std::any_of(adopted.begin(), adopted.end(), [](const AdoptedChild& child) {
    return child.started_ms != 0 && !child.operation->done();
  });
}

Result<void> RunDriver::open_events(std::string_view path, Bus& bus) {
  if (auto ours = still_ours(); !ours) return ours;
  auto opened = agent_->open_append(path);
  if (!opened) return opened.error();
  const auto last = last_event_number(opened->get());
  bus.number_from(last ? *last : 0);
  events_file_ = std::move(*opened);
  events_ = std::make_unique<JsonlSink>(events_file_.get(), "events.jsonl");
  bus_ = &bus;
  bus.add(*events_);
  return last ? Result<void>() : last.error();
}

void RunDriver::check_events() {
  if (events_ && !still_ours()) close_events(0);
}

void RunDriver::close_events(int flush_ms) {
  if (!events_) return;
  if (flush_ms > 0) events_->flush(flush_ms);
  bus_->remove(*events_);
  events_.reset();
}

}  // namespace moonlet
