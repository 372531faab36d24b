#include "lua/vm/state.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "lua/vm/error.h"
#include "lua/vm/guard.h"

namespace moonlet {

namespace {

constexpr int kHookCount = 1000;
constexpr std::int64_t kTickNs = 20'000'000;
constexpr int kStuckTicks = 50;
/// If the watchdog has slept longer than this, the whole process was stopped.
constexpr std::int64_t kStoppedNs = 1'000'000'000;
/// When the run must end, a script has this time to reach an await before it is killed.
constexpr std::int64_t kPatienceNs = 300'000'000;
constexpr std::int64_t kExpired = -1;
/// Lua is killed when the elapsed time reaches this multiple of the CPU time limit. It is more than
/// 1, because other processes also use the CPU.
constexpr std::int64_t kFar = 6;
// After a kill, error messages and cleanup may use this much memory beyond the limit.
constexpr std::size_t kReserve = std::size_t{1} << 20;

// The state whose Lua code runs on this thread, for the signal handler.
thread_local std::atomic<LuaState*> current_state{nullptr};

std::int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Returns the CPU time of a thread in ns, or 0 if the thread has ended.
std::int64_t thread_ns(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

#if defined(__APPLE__)
// On macOS a thread cannot read the CPU time of another thread, so measure elapsed time.
clockid_t own_clock() { return CLOCK_MONOTONIC; }
#else
clockid_t own_clock() {
  clockid_t clock{};
  pthread_getcpuclockid(pthread_self(), &clock);
  return clock;
}
#endif

std::int64_t own_thread_ns() { return thread_ns(own_clock()); }

}  // namespace

LuaState::LuaState(const LuaLimits& limits) : limits_(limits), cap_(limits.memory_bytes) {
  L_ = lua_newstate(&LuaState::allocate, this);
  if (L_ == nullptr) throw std::bad_alloc();
  *static_cast<LuaState**>(lua_getextraspace(L_)) = this;
  // A new coroutine inherits the hook of its creator, so the hook reaches all coroutines.
  if (limits_.interrupt_signal == 0) {
    lua_sethook(L_, &LuaState::count_hook, LUA_MASKCOUNT, kHookCount);
  }
#if defined(__SANITIZE_ADDRESS__)
  // Collect garbage often. AddressSanitizer detects a use after free only after a collection.
  constexpr int kPause = 110, kStepMultiplier = 200, kStepSize = 12;
  lua_gc(L_, LUA_GCINC, kPause, kStepMultiplier, kStepSize);
#else
  // Delay the first collection until Lua uses 2 MiB, because loading modules leaves hardly any
  // garbage. This makes loading all presets 10 % faster.
  constexpr int kUncollected = 2048;
  lua_gc(L_, LUA_GCSTEP, -kUncollected);
#endif
}

LuaState::~LuaState() {
  closing_ = true;
  lua_sethook(L_, nullptr, 0, 0);
  lua_close(L_);
  if (!watchdog_.joinable()) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  watchdog_.join();
}

namespace {

/// Returns what a large block really costs. Allocators add a header and round up.
constexpr std::size_t cost_of(std::size_t size) {
  constexpr std::size_t kWord = sizeof(std::size_t);
  constexpr std::size_t kLeast = 4 * kWord;
  if (size == 0) return 0;
  return std::max(kLeast, (size + kWord + 2 * kWord - 1) / (2 * kWord) * (2 * kWord));
}

/// Returns true if a block is allocated by SmallBlocks. Under AddressSanitizer all blocks come from
/// malloc, because it detects a use after free only there.
constexpr bool is_small([[maybe_unused]] std::size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  return false;
#else
  return size <= SmallBlocks::kLargest;
#endif
}

}  // namespace

/// Allocates a small block, and a slab if needed. If `growing` is false, ignores the memory limit,
/// so that a block can shrink at the limit.
void* LuaState::take_small(std::size_t size, bool growing) {
  void* block = small_.take(size);
  if (block != nullptr) return block;
  if (growing && !may_grow(SmallBlocks::kSlabBytes)) return nullptr;
  return small_.add_slab() ? small_.take(size) : nullptr;
}

void* LuaState::take_large(void* block, std::size_t old_size, std::size_t size) {
  const std::size_t before = cost_of(old_size), after = cost_of(size);
  if (after > before && !may_grow(after - before)) return nullptr;
  void* moved = std::realloc(block, size);
  if (moved != nullptr) large_ += after - before;
  return moved;
}

void LuaState::give_back(void* block, std::size_t size) {
  if (block == nullptr) return;
  if (is_small(size)) {
    if (!closing_) small_.give_back(block);  // when the state closes, ~SmallBlocks frees all slabs
    return;
  }
  large_ -= cost_of(size);
  std::free(block);
}

void* LuaState::move(void* block, std::size_t old_size, std::size_t new_size) {
  if (!is_small(new_size) && (block == nullptr || !is_small(old_size))) {
    return take_large(block, old_size, new_size);
  }
  if (block != nullptr && is_small(old_size) && is_small(new_size) &&
      SmallBlocks::fits(block, new_size))
    return block;
  void* moved = is_small(new_size) ? take_small(new_size, new_size > old_size)
                                   : take_large(nullptr, 0, new_size);
  // Shrinking must not fail, so keep the larger block if there is no room for a smaller one.
  if (moved == nullptr && new_size < old_size && is_small(old_size))
    return block;  // give_back() reads the block's real size from the header of its page
  if (moved == nullptr || block == nullptr) return moved;
  std::memcpy(moved, block, std::min(old_size, new_size));
  give_back(block, old_size);
  return moved;
}

void* LuaState::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  auto* state = static_cast<LuaState*>(self);
  if (block == nullptr) old_size = 0;  // Lua passes the type of a new object in `old_size`
  if (new_size == 0) {
    state->give_back(block, old_size);
    return nullptr;
  }
  const bool growing = new_size > old_size;
  const Request request{block, new_size};
  // If a request is refused, Lua collects garbage and repeats it. If it is refused again, Lua
  // raises a memory error, which a script could catch. So kill the script then. Lua's string
  // buffers do not repeat a refused request; therefore also kill the script if the next request is
  // a different one.
  const bool again = request == state->refused_;
  if (growing && !again && state->refused_ != Request{}) state->run_short();
  state->is_capped_ = false;
  void* moved = state->move(block, old_size, new_size);
  const bool refused = growing && moved == nullptr && state->is_capped_;
  if (refused && again) state->run_short();
  if (growing) state->refused_ = refused ? request : Request{};
  if (moved == nullptr) return nullptr;
  state->peak_ = std::max(state->peak_, state->memory_used());
  return moved;
}

bool LuaState::may_grow(std::size_t bytes) {
  // While no Lua code runs, allow all requests. The host needs little memory between two tasks, and
  // a memory error outside a protected call would end the process.
  if (closing_ || armed_depth_ == 0) return true;
  const bool killed = is_killed();
  if (killed) hurry();
  if (memory_used() + bytes <= cap_) return true;
  is_capped_ = true;
  return killed && bytes <= kReserve / 4 && memory_used() + bytes <= cap_ + kReserve;
}

void LuaState::run_short() {
  if (closing_ || armed_depth_ == 0) return;
  int none = kNone;
  kill_.compare_exchange_strong(none, kMemory);
  hurry();
}

/// Makes the running coroutine check for a kill at its next instruction.
/// lua_sethook() may be called on the thread that runs Lua at any time, even in a signal handler.
/// It must be called repeatedly, because a function that Lua is just entering may miss the hook.
/// But it walks the whole call stack, so pauses between the calls keep a deep recursion from
/// spending all CPU time on it.
void LuaState::hurry() {
  constexpr std::int64_t kRest = 10;  // wait this many times as long as lua_sethook() took
  lua_State* running = running_.load(std::memory_order_relaxed);
  if (running == nullptr || hurrying_.exchange(true, std::memory_order_relaxed)) return;
  const std::int64_t begin = steady_ns();
  if (running != hurried_.load(std::memory_order_relaxed) ||
      begin >= hurry_again_ns_.load(std::memory_order_relaxed)) {
    lua_sethook(running, &LuaState::count_hook, LUA_MASKCOUNT, 1);
    const std::int64_t end = steady_ns();
    hurried_.store(running, std::memory_order_relaxed);
    hurry_again_ns_.store(end + kRest * (end - begin), std::memory_order_relaxed);
  }
  hurrying_.store(false, std::memory_order_relaxed);
}

void LuaState::on_signal(int) {
  LuaState* state = current_state.load(std::memory_order_relaxed);
  if (state != nullptr && (state->is_killed() || state->is_interrupted())) state->hurry();
}

/// Restores the usual hook: the count hook, or none if a signal interrupts Lua.
void LuaState::rest_hook(lua_State* L) {
  if (limits_.interrupt_signal == 0) {
    lua_sethook(L, &LuaState::count_hook, LUA_MASKCOUNT, kHookCount);
  } else {
    lua_sethook(L, nullptr, 0, 0);
  }
}

namespace {

/// Raises the error of an interrupt, with the field `stopped` = true. `message` must be static or
/// on the Lua stack.
int raise_stop(lua_State* L, const lua_Debug& frame, ErrorKind kind, const char* message) {
  Error& error = push_box<Error>(L);
  error.kind = kind;
  error.message = message;
  error.at = std::string(frame.short_src) + ":" + std::to_string(frame.currentline);
  push_error(L, error);
  lua_pushliteral(L, "stopped");
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  return lua_error(L);
}

}  // namespace

/// If the function at `level` belongs to a script, raises the error of an interrupt in it.
/// Functions of the standard library are not interrupted, so that they can release their resources.
void LuaState::raise_in_script(lua_State* L, int level) {
  lua_Debug frame;
  if (lua_getstack(L, level, &frame) == 0) return;
  lua_getinfo(L, "Sl", &frame);
  if (frame.source[0] != '@') return;
  // If the script catches the error, it gets the error again at its next instruction.
  lua_sethook(L, &LuaState::count_hook, LUA_MASKCOUNT, 1);
  if (interrupt_.load() == kInterrupt) {
    interrupt_asked_.store(false);
    interrupt_done_.store(true);
    raise_stop(L, frame, ErrorKind::kCancelled, "interrupted");
  }
  raise_stop(L, frame, ErrorKind::kLimit,
             lua_pushfstring(L, "it computed for more than %d ms without waiting for anything",
                             static_cast<int>(limits_.run_ms)));
}

/// Records the innermost running line of a script. A script's source name begins with "@".
void LuaState::note_place(lua_State* L) {
  if (killed_at_[0] != '\0') return;
  constexpr int kDeepest = 100;
  lua_Debug frame;
  for (int level = 0; level < kDeepest && lua_getstack(L, level, &frame); ++level) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.source[0] != '@' || frame.currentline <= 0) continue;
    std::snprintf(killed_at_, sizeof killed_at_, "%s:%d", frame.short_src, frame.currentline);
    return;
  }
}

void LuaState::count_hook(lua_State* L, lua_Debug*) {
  if (!of(L).is_killed()) {
    if (of(L).is_interrupted()) {
      of(L).raise_in_script(L, 0);
    } else if (lua_gethookcount(L) == 1) {
      of(L).rest_hook(L);
    }
    return;
  }
  of(L).note_place(L);
  // Yield, because a pcall cannot stop a yield. If Lua cannot yield here, raise an error at each
  // instruction until the script has ended.
  if (lua_isyieldable(L)) {
    lua_yield(L, 0);
    return;
  }
  die(L);
}

void LuaState::die(lua_State* L) {
  of(L).note_place(L);
  if (lua_isyieldable(L)) lua_yield(L, 0);
  lua_sethook(L, &LuaState::count_hook, LUA_MASKCOUNT, 1);
  raise(L, ErrorKind::kLimit,
        of(L).kill_.load() == kMemory ? "Lua used more memory than it may"
                                      : "Lua ran longer than it may");
  std::abort();  // never reached, because raise() does not return
}

namespace {
std::string in_seconds(std::int64_t ms) {
  if (ms % 1000 != 0) return std::to_string(ms) + " ms";
  return std::to_string(ms / 1000) + " s";
}
}  // namespace

Error LuaState::kill_error() const {
  const int kill = kill_.load(std::memory_order_relaxed);
  if (kill == kMemory) {
    return {
        ErrorKind::kLimit,
        "the script used more than " + std::to_string(limits_.memory_bytes >> 20) + " MB of memory",
        "let the script keep less in memory at once",
        {}};
  }
  if (kill == kBudget) {
    return {ErrorKind::kBudget,
            "the run's wall-clock budget was used up, while the script was computing",
            "--budget wall=… gives it more time",
            {}};
  }
  constexpr const char* kEndless = "is this an endless loop? call ctx:yield() in a long one";
  if (kill == kCancel) {
    return {ErrorKind::kCancelled,
            "cancelled by the user, while the script was computing",
            kEndless,
            {}};
  }
  return {ErrorKind::kLimit,
          "the script computed for " + in_seconds(limits_.run_ms) + " without waiting for anything",
          kEndless,
          {}};
}

void LuaState::end_in(std::int64_t ms) { budget_end_.store(now_ns() + ms * 1'000'000); }

void LuaState::revive() {
  cap_ = std::max(cap_, memory_used()) + 4 * kReserve;
  refused_ = {};
  killed_at_[0] = '\0';
  hurried_.store(nullptr, std::memory_order_relaxed);
  kill_.store(kNone, std::memory_order_relaxed);
  rest_hook(L_);
}

int LuaState::run(lua_State* task, int nargs, int* nresults) {
  arm();
  LuaState* outer = current_state.exchange(this, std::memory_order_relaxed);
  running_.store(task, std::memory_order_relaxed);
  task_ = task;
  const int status = lua_resume(task, L_, nargs, nresults);
  task_ = nullptr;
  running_.store(nullptr, std::memory_order_relaxed);
  current_state.store(outer, std::memory_order_relaxed);
  disarm();
  interrupt_.store(kNone);
  return status;
}

int LuaState::resume(lua_State* co, lua_State* from, int nargs, int* nresults) {
  running_.store(co, std::memory_order_relaxed);
  const int status = lua_resume(co, from, nargs, nresults);
  running_.store(from, std::memory_order_relaxed);
  return status;
}

int LuaState::close(lua_State* co) {
  arm();
  LuaState* outer = current_state.exchange(this, std::memory_order_relaxed);
  lua_State* before = running_.exchange(co, std::memory_order_relaxed);
  const int status = lua_resetthread(co);
  running_.store(before, std::memory_order_relaxed);
  current_state.store(outer, std::memory_order_relaxed);
  disarm();
  return status;
}

void LuaState::arm() {
  if (armed_depth_ > 0) {
    ++armed_depth_;
    return;
  }
  if (limits_.run_ms == 0) {
    ++armed_depth_;
    return;
  }
  deadline_.store(own_thread_ns() + limits_.run_ms * 1'000'000);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    lua_thread_ = pthread_self();
    lua_clock_ = own_clock();
    if (!watchdog_.joinable()) watchdog_ = std::thread([this] { watch(); });
    ++armed_depth_;
    if (watching_) return;
    watching_ = true;
  }
  changed_.notify_one();
}

void LuaState::disarm() {
  if (--armed_depth_ == 0) deadline_.store(0);
}

LuaState::HostWork::HostWork(lua_State* L) : state_(LuaState::of(L)), since_ns_(own_thread_ns()) {
  state_.host_works_.store(true);
}

LuaState::HostWork::~HostWork() {
  std::int64_t deadline = state_.deadline_.load();
  // Extend the deadline by the time that the work took. The new deadline also makes the watchdog
  // restart its other time limits, as for a new call into Lua.
  if (deadline != 0 && deadline != kExpired) {
    state_.deadline_.compare_exchange_strong(deadline, deadline + (own_thread_ns() - since_ns_));
  }
  state_.host_works_.store(false);
}

void LuaState::watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  checked_ns_ = now_ns();
  while (!stop_) {
    const std::int64_t deadline = deadline_.load();
    if (deadline == 0) {
      overdue_ticks_ = 0;
      watching_ = false;
      changed_.wait(lock, [this] { return stop_ || watching_; });
      checked_ns_ = now_ns();
      continue;
    }
    tick(deadline, now_ns());
    changed_.wait_for(lock, std::chrono::nanoseconds(kTickNs), [this] { return stop_; });
  }
}

/// Returns why the Lua code with this deadline must be killed, or kNone. It is killed if its time
/// is up, or if the run must end (cancel, budget) and the code does not await soon.
LuaState::Kill LuaState::reason_to_end(std::int64_t deadline, std::int64_t now,
                                       std::int64_t passed) {
  if (stretch_ != deadline) {
    stretch_ = deadline;
    stretch_ns_ = impatient_ns_ = passed = 0;
  }
  stretch_ns_ += passed;
  if (thread_ns(lua_clock_) > deadline || stretch_ns_ > kFar * limits_.run_ms * 1'000'000) {
    return kTime;
  }
  const std::int64_t end = budget_end_.load();
  Kill reason = kNone;
  if (limits_.cancel_asked != nullptr && limits_.cancel_asked->load()) {
    reason = kCancel;
  } else if (end != 0 && now > end) {
    reason = kBudget;
  } else if (interrupts_.load() && interrupt_asked_.load()) {
    reason = kInterrupt;
  }
  impatient_ns_ = reason == kNone ? 0 : impatient_ns_ + passed;
  return impatient_ns_ > kPatienceNs ? reason : kNone;
}

/// Makes Lua raise an error in the script, and starts the script's time limit again. Returns false
/// if the script must be killed instead.
bool LuaState::interrupt(Kill reason, std::int64_t deadline) {
  if (!interrupts_.load() || is_interrupted()) return false;
  if (reason != kTime && reason != kInterrupt) return false;
  const std::int64_t until = thread_ns(lua_clock_) + limits_.run_ms * 1'000'000;
  interrupt_.store(reason);  // store this first, because run() clears deadline_, then interrupt_
  if (!deadline_.compare_exchange_strong(deadline, until)) interrupt_.store(kNone);
  return true;
}

void LuaState::tick(std::int64_t deadline, std::int64_t now) {
  // Do not count the time for which the whole process was stopped.
  const std::int64_t since = now - std::exchange(checked_ns_, now);
  const std::int64_t passed = since > kStoppedNs ? 0 : since;
  if (host_works_.load()) return;
  if (deadline != kExpired && !is_killed()) {
    overdue_ticks_ = 0;
    // Kill only if the deadline is still the same. A new deadline may belong to other code.
    const Kill reason = reason_to_end(deadline, now, passed);
    const bool raises = is_interrupted() && (reason == kNone || reason == kInterrupt);
    if (raises || interrupt(reason, deadline)) {
      if (limits_.interrupt_signal != 0) pthread_kill(lua_thread_, limits_.interrupt_signal);
      return;
    }
    if (reason == kNone || !deadline_.compare_exchange_strong(deadline, kExpired)) return;
    int none = kNone;
    kill_.compare_exchange_strong(none, reason);
  }
  if (limits_.interrupt_signal != 0) pthread_kill(lua_thread_, limits_.interrupt_signal);
  if (++overdue_ticks_ == kStuckTicks && limits_.on_stuck) limits_.on_stuck(kill_error().message);
}

}  // namespace moonlet
