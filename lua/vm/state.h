// LuaState owns one lua_State with a capped allocator and a watchdog.
// The watchdog kills Lua code that computes too long without an await.
// After a kill no Lua code of this state runs again, even with pcall.
// Only the watchdog runs on another thread, where it sets one flag.
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
  /// Limits the CPU time of Lua between two awaits; 0 = no limit.
  /// Elapsed time counts only beyond six times the limit, so that a busy machine kills no script.
  std::int64_t run_ms = 10'000;
  /// The program handles this signal with LuaState::on_signal, so that Lua runs at full speed.
  /// With 0 a count hook checks the clock, and tight loops take twice as long.
  int interrupt_signal = 0;
  /// Another thread sets this flag to end the script. Lua that does not await soon is killed.
  const std::atomic<bool>* cancel_asked = nullptr;
  /// The watchdog's thread calls this once if Lua still runs a second after a kill.
  std::function<void(const std::string& why)> on_stuck;
  /// Two threads use the clock. The clock must outlive the state.
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

  /// Resumes a task with the watchdog armed. Called outside of Lua.
  int run(lua_State* task, int nargs, int* nresults);
  /// Resumes a coroutine inside a bound function of `from`. Call poll() next to notice a kill.
  int resume(lua_State* co, lua_State* from, int nargs, int* nresults);
  /// Closes a coroutine and its to-be-closed variables, with the watchdog armed.
  int close(lua_State* co);

  /// Returns true for the coroutine of the running task, which the script did not create.
  bool is_task(const lua_State* co) const { return co == task_; }

  /// Does not return if Lua was killed or the script is interrupted. For loops in bound functions.
  /// The caller of poll() owns no C++ object.
  static void poll(lua_State* L) {
    if (of(L).is_killed()) die(L);
    if (of(L).is_interrupted()) of(L).raise_in_script(L, 1);
  }
  bool is_killed() const { return kill_.load(std::memory_order_relaxed) != kNone; }
  /// Makes a script that runs too long get an error before a kill.
  /// The error is `limit`, or `cancelled` after ask_interrupt(). A pcall cannot stop the error.
  /// The library around the script unwinds as after any error. A script that continues is killed.
  void interrupt_first(bool on) { interrupts_.store(on); }
  /// Asks to stop the computing script, for the user. Safe in a signal handler.
  void ask_interrupt() { interrupt_asked_.store(true); }
  /// Withdraws ask_interrupt(). Returns true if a script has received its error.
  bool take_interrupted() {
    interrupt_asked_.store(false);
    return interrupt_done_.exchange(false);
  }
  /// Returns true while the error of an interrupt unwinds a script.
  bool is_interrupted() const { return interrupt_.load(std::memory_order_relaxed) != kNone; }
  /// Returns why Lua was killed; empty if it was not killed.
  std::string killed() const;
  /// Returns a remedy for the user after a kill.
  std::string kill_hint() const;
  /// Returns kLimit, kCancelled or kBudget after a kill.
  ErrorKind kill_kind() const;
  /// Ends the run's time budget in `ms`. Lua that does not await soon afterwards is killed.
  void end_in(std::int64_t ms);
  void never_end() { budget_end_.store(0); }

  /// HostWork marks slow work of the host, such as disk access, which counts for no limit of Lua.
  /// Neither a cancel nor the budget interrupts HostWork. No Lua may run during HostWork.
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

  /// Returns the script's "file:line" at the kill; empty if unknown.
  const char* killed_at() const { return killed_at_; }

  /// Lets Lua run again after a kill, for the host's final output.
  /// Drop all earlier tasks first, because a killed coroutine cannot be resumed.
  void revive();

  std::size_t memory_used() const { return large_ + small_.bytes(); }
  std::size_t memory_peak() const { return peak_; }
  std::size_t memory_cap() const { return limits_.memory_bytes; }

  /// Handles LuaLimits::interrupt_signal.
  static void on_signal(int signal);

 private:
  enum Kill : int { kNone = 0, kTime = 1, kMemory = 2, kCancel = 3, kBudget = 4, kInterrupt = 5 };

  /// Request is a block that Lua asks to allocate or grow.
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
  std::size_t large_ = 0;  // the bytes in large blocks
  SmallBlocks small_;
  std::size_t peak_ = 0;
  Request refused_;         // the last request that the cap refused
  bool is_capped_ = false;  // true if the cap refused the current request
  bool closing_ = false;
  int armed_depth_ = 0;
  char killed_at_[LUA_IDSIZE + 16] = "";
  const lua_State* task_ = nullptr;
  std::atomic<int> kill_{kNone};
  // `interrupt_` is the reason while an error unwinds the script. See interrupt_first().
  std::atomic<bool> interrupts_{false}, interrupt_asked_{false}, interrupt_done_{false};
  std::atomic<int> interrupt_{kNone};
  // The signal handler reads the running coroutine on the thread that runs Lua.
  std::atomic<lua_State*> running_{nullptr};
  // hurry() stores its last coroutine, the time of its next call, and whether a call runs now.
  std::atomic<lua_State*> hurried_{nullptr};
  std::atomic<std::int64_t> hurry_again_ns_{0};
  std::atomic<bool> hurrying_{false};
  // Lua is killed at this thread time in ns; 0 while no Lua runs, kExpired after the kill.
  std::atomic<std::int64_t> deadline_{0};
  std::atomic<std::int64_t> budget_end_{0};
  std::atomic<bool> host_works_{false};
  pthread_t lua_thread_{};         // guarded by mutex_
  clockid_t lua_clock_{};          // the time of that thread; guarded by mutex_
  int overdue_ticks_ = 0;          // used only by the watchdog, like the next four
  std::int64_t checked_ns_ = 0;    // the time of the last check
  std::int64_t stretch_ = 0;       // the deadline of the watched stretch of Lua code
  std::int64_t stretch_ns_ = 0;    // elapsed time since this stretch began
  std::int64_t impatient_ns_ = 0;  // the time since a cancel or the budget asked for the end
  std::thread watchdog_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool watching_ = false;  // guarded by mutex_: the watchdog reads deadline_ by itself
  bool stop_ = false;      // guarded by mutex_
};

}  // namespace moonlet
