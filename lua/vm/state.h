// LuaState owns a lua_State with a memory limit and a watchdog. The watchdog kills Lua code that
// computes too long without an await. After a kill, no Lua code of this state runs, not even in a
// pcall.
// The watchdog runs on a thread of its own. It only sets flags, sends the interrupt signal and
// calls on_stuck.
#pragma once

#include <pthread.h>
#include <time.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "host/base/clock.h"
#include "host/base/result.h"
#include "lua/vm/lua_api.h"
#include "lua/vm/small_blocks.h"

namespace moonlet {

struct LuaLimits {
  std::size_t memory_bytes = std::size_t{256} << 20;
  /// Limits the CPU time of Lua between two awaits, in ms; 0: no limit.
  /// Elapsed time may be six times the limit, so that a script is not killed because the machine is
  /// busy.
  std::int64_t run_ms = 10'000;
  /// The signal that interrupts Lua. Its handler must be LuaState::on_signal.
  /// 0: a count hook checks for a kill instead, which makes tight loops take twice as long.
  int interrupt_signal = 0;
  /// Another thread sets this flag to cancel the script. Lua code that does not await soon is
  /// killed.
  const std::atomic<bool>* cancel_asked = nullptr;
  /// Called once, on the watchdog's thread, if Lua still runs a second after a kill.
  std::function<void(const std::string& why)> on_stuck;
  /// The clock is used on two threads, and must outlive the state.
  const Clock* clock = &system_clock();
};

class LuaState {
 public:
  explicit LuaState(const LuaLimits& limits);
  ~LuaState();
  LuaState(const LuaState&) = delete;
  LuaState& operator=(const LuaState&) = delete;

  static LuaState& of(lua_State* L) { return **static_cast<LuaState**>(lua_getextraspace(L)); }

  lua_State* main() { return L_; }

  /// Resumes a task, with the watchdog active. Call this outside of Lua.
  int run(lua_State* task, int nargs, int* nresults);
  /// Resumes the coroutine `co`. Call this in a C++ function that `from` has called, and call
  /// poll() afterwards, because a kill may have ended the coroutine.
  int resume(lua_State* co, lua_State* from, int nargs, int* nresults);
  /// Closes a coroutine and its to-be-closed variables, with the watchdog active.
  int close(lua_State* co);

  /// Returns true if `co` is the coroutine of the running task, not one that the script has
  /// created.
  bool is_task(const lua_State* co) const { return co == task_; }

  /// Checks for a kill or an interrupt, and does not return in that case. Long loops in C++ must
  /// call it. The caller must have no live C++ object.
  static void poll(lua_State* L) {
    if (of(L).is_killed()) die(L);
    if (of(L).is_interrupted()) of(L).raise_in_script(L, 1);
  }
  bool is_killed() const { return kill_.load(std::memory_order_relaxed) != kNone; }
  /// If `on` is true, a script that must stop first gets an error: `limit` if it ran too long, or
  /// `cancelled` after ask_interrupt(). If the script catches the error with pcall, it gets the
  /// error again at once. A function of the standard library that calls the script can catch the
  /// error. A script that still does not stop is killed.
  void interrupt_first(bool on) { interrupts_.store(on); }
  /// Asks to stop the script that is computing, because the user has interrupted it. Safe in a
  /// signal handler.
  void ask_interrupt() { interrupt_asked_.store(true); }
  /// Withdraws ask_interrupt(). Returns true if a script has already got the error.
  bool take_interrupted() {
    interrupt_asked_.store(false);
    return interrupt_done_.exchange(false);
  }
  /// Returns true while a script unwinds because of an interrupt.
  bool is_interrupted() const { return interrupt_.load(std::memory_order_relaxed) != kNone; }
  /// Returns why Lua was killed: kLimit, kCancelled or kBudget, with a hint for the user. Call it
  /// only after a kill. Any thread.
  Error kill_error() const;
  /// Returns the "file:line" of the script when it was killed; "" if unknown.
  const char* killed_at() const { return killed_at_; }
  /// Makes the run's time budget end in `ms`. Lua code that then does not await soon is killed.
  void end_in(std::int64_t ms);
  void never_end() { budget_end_.store(0); }

  /// HostWork marks slow work of the host, such as disk access. Lua's time limits do not count it,
  /// and neither a cancel nor the budget interrupts it. No Lua code may run meanwhile.
  class HostWork {
   public:
    explicit HostWork(lua_State* L);
    ~HostWork();
    HostWork(const HostWork&) = delete;
    HostWork& operator=(const HostWork&) = delete;

   private:
    LuaState& state_;
    const std::int64_t since_ns_;
  };

  /// Calls `work()` inside a HostWork.
  template <typename Work>
  static auto host_work(lua_State* L, Work work) {
    const HostWork scope(L);
    return work();
  }

  /// Lets Lua run again after a kill, for the host's final output.
  /// Drop all earlier tasks first, because a killed coroutine cannot be resumed.
  void revive();

  std::size_t memory_used() const { return large_ + small_.bytes(); }
  std::size_t memory_peak() const { return peak_; }
  std::size_t memory_cap() const { return limits_.memory_bytes; }

  /// The handler of LuaLimits::interrupt_signal.
  static void on_signal(int signal);

 private:
  enum Kill : int { kNone = 0, kTime = 1, kMemory = 2, kCancel = 3, kBudget = 4, kInterrupt = 5 };

  /// Request is a block that Lua wants to allocate or enlarge.
  struct Request {
    const void* block = nullptr;
    std::size_t size = 0;
    bool operator==(const Request& other) const {
      return block == other.block && size == other.size;
    }
    bool operator!=(const Request& other) const { return !(*this == other); }
  };

  std::int64_t now_ns() const { return limits_.clock->monotonic_ms() * 1'000'000; }
  void arm();
  void disarm();
  void watch();
  Kill reason_to_end(std::int64_t deadline, std::int64_t now, std::int64_t passed);
  void tick(std::int64_t deadline, std::int64_t now);
  bool may_grow(std::size_t bytes);
  void run_short();
  void hurry();
  void note_place(lua_State* L);
  [[noreturn]] static void die(lua_State* L);
  void rest_hook(lua_State* L);
  void raise_in_script(lua_State* L, int level);
  bool interrupt(Kill reason, std::int64_t deadline);
  void* take_small(std::size_t size, bool growing);
  void* take_large(void* block, std::size_t old_size, std::size_t size);
  void give_back(void* block, std::size_t size);
  void* move(void* block, std::size_t old_size, std::size_t new_size);
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  static void count_hook(lua_State* L, lua_Debug*);

  const LuaLimits limits_;
  lua_State* L_ = nullptr;
  std::size_t cap_;
  std::size_t large_ = 0;  // total size of large blocks
  SmallBlocks small_;
  std::size_t peak_ = 0;
  Request refused_;         // the request that was refused last
  bool is_capped_ = false;  // the memory limit refuses the current request
  bool closing_ = false;
  int armed_depth_ = 0;
  char killed_at_[LUA_IDSIZE + 16] = "";
  const lua_State* task_ = nullptr;
  std::atomic<int> kill_{kNone};
  // `interrupt_` has the reason of an interrupt until the interrupted task yields or ends. See
  // interrupt_first().
  std::atomic<bool> interrupts_{false}, interrupt_asked_{false}, interrupt_done_{false};
  std::atomic<int> interrupt_{kNone};
  // The running coroutine, for the signal handler on the thread that runs Lua.
  std::atomic<lua_State*> running_{nullptr};
  // State of hurry(): the coroutine that it last handled, the time before which it must not handle
  // that coroutine again, and a flag that prevents concurrent calls.
  std::atomic<lua_State*> hurried_{nullptr};
  std::atomic<std::int64_t> hurry_again_ns_{0};
  std::atomic<bool> hurrying_{false};
  // CPU time of the thread at which Lua is killed, in ns. It is 0 if no Lua code runs, and kExpired
  // after a kill.
  std::atomic<std::int64_t> deadline_{0};
  std::atomic<std::int64_t> budget_end_{0};
  std::atomic<bool> host_works_{false};
  pthread_t lua_thread_{};         // guarded by mutex_
  clockid_t lua_clock_{};          // CPU clock of lua_thread_; guarded by mutex_
  int overdue_ticks_ = 0;          // only the watchdog uses this and the next 4 members
  std::int64_t checked_ns_ = 0;    // the time of the last check
  std::int64_t stretch_ = 0;       // deadline of the Lua code that is being watched
  std::int64_t stretch_ns_ = 0;    // elapsed time since the watched code started
  std::int64_t impatient_ns_ = 0;  // how long Lua code has ignored a request to end
  std::thread watchdog_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool watching_ = false;  // guarded by mutex_; true while the watchdog polls deadline_
  bool stop_ = false;      // guarded by mutex_
};

}  // namespace moonlet
