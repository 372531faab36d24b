// LuaState owns one lua_State with its bounds: a capped allocator, and a watchdog that ends Lua
// code which runs on without awaiting. A kill is sticky: after it, no Lua code of this state runs
// any more, even with pcall. Loop thread only, except for the watchdog thread, which sets one flag.
#pragma once

#include <pthread.h>
#include <time.h>

#include <atomic>
#include <chrono>
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
  /// The CPU time of Lua between two awaits; 0 = no limit. Elapsed time counts only from six times
  /// as much, so that a busy machine kills no script.
  std::int64_t run_ms = 10'000;
  /// A signal that the program handles with LuaState::on_signal, so that Lua runs at full speed
  /// until its time is up. 0 = none: a count hook checks the clock, and tight loops take twice as
  /// long.
  int interrupt_signal = 0;
  /// Set from outside to end the script. Lua that does not await soon after that is killed.
  const std::atomic<bool>* cancel_asked = nullptr;
  /// Called once, on the watchdog's thread, when Lua still runs a second after it was killed.
  std::function<void(const std::string& why)> on_stuck;
  /// The clock; used by two threads, and must outlive the state.
  const Clock* clock = &system_clock();
};

class LuaState {
 public:
  explicit LuaState(const LuaLimits& limits);
  ~LuaState();
  LuaState(const LuaState&) = delete;
  LuaState& operator=(const LuaState&) = delete;

  /// The LuaState of any of its coroutines.
  static LuaState& of(lua_State* L) { return **static_cast<LuaState**>(lua_getextraspace(L)); }

  lua_State* main() { return L_; }

  /// lua_resume of a task, with the watchdog armed. Called outside of Lua.
  int run(lua_State* task, int nargs, int* nresults);
  /// lua_resume of a coroutine from inside a bound function of `from`. Call poll() afterwards: it
  /// checks for a kill.
  int resume(lua_State* co, lua_State* from, int nargs, int* nresults);
  /// Closes a coroutine and its to-be-closed variables, with the watchdog armed.
  int close(lua_State* co);

  /// True for the coroutine of the running task, which the script did not create.
  bool is_task(const lua_State* co) const { return co == task_; }

  /// For loops and entries of bound functions: does not return when Lua was killed, or the script
  /// is interrupted. The caller owns no C++ object.
  static void poll(lua_State* L) {
    if (of(L).is_killed()) die(L);
    if (of(L).is_interrupted()) of(L).raise_in_script(L, 1);
  }
  bool is_killed() const { return kill_.load(std::memory_order_relaxed) != kNone; }
  /// While this is on, a script that runs too long gets an error before it is killed: `limit`, or
  /// `cancelled` after ask_interrupt(). A pcall of the script cannot stop it; the library around
  /// the script unwinds as for any error. Lua is killed if the script still does not end.
  void interrupt_first(bool on) { interrupts_.store(on); }
  /// Asks to stop the computing script, for the user. Safe in a signal handler.
  void ask_interrupt() { interrupt_asked_.store(true); }
  /// Withdraws ask_interrupt(). True if a script has received its error.
  bool take_interrupted() {
    interrupt_asked_.store(false);
    return interrupt_done_.exchange(false);
  }
  /// True while the error of an interrupt is raised in a script.
  bool is_interrupted() const { return interrupt_.load(std::memory_order_relaxed) != kNone; }
  /// Why Lua was killed; empty if it was not.
  std::string killed() const;
  /// A remedy for the user.
  std::string kill_hint() const;
  /// kLimit, kCancelled or kBudget.
  ErrorKind kill_kind() const;
  /// Sets the run's time budget to end in `ms`. If Lua does not reach an await soon after that, it
  /// is killed.
  void end_in(std::int64_t ms);
  void never_end() { budget_end_.store(0); }

  /// Marks slow work of the host itself, such as on a slow disk. That time does not count for Lua,
  /// and neither a cancel nor the budget interrupts it. No Lua may be called meanwhile.
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

  /// Calls `work()` as work of the host.
  template <typename Work>
  static auto host_work(lua_State* L, Work work) {
    const HostWork scope(L);
    return work();
  }

  /// The line of the script that ran at the kill, as "file:line"; empty if unknown.
  const char* killed_at() const { return killed_at_; }

  /// After a kill: lets Lua run again, for the host's final output. All earlier tasks must be
  /// dropped, because a killed coroutine cannot be resumed.
  void revive();

  std::size_t memory_used() const { return large_ + small_.bytes(); }
  std::size_t memory_peak() const { return peak_; }
  std::size_t memory_cap() const { return limits_.memory_bytes; }

  /// The handler of LuaLimits::interrupt_signal.
  static void on_signal(int signal);

 private:
  enum Kill : int { kNone = 0, kTime = 1, kMemory = 2, kCancel = 3, kBudget = 4, kInterrupt = 5 };

  /// A block that Lua asks for, or asks to grow.
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
  Request refused_;         // the last one, when the cap refused it
  bool is_capped_ = false;  // the cap refused the request that is being served
  bool closing_ = false;
  int armed_depth_ = 0;
  char killed_at_[LUA_IDSIZE + 16] = "";
  const lua_State* task_ = nullptr;
  std::atomic<int> kill_{kNone};
  // See interrupt_first(). `interrupt_` is the reason while the error is raised in script code.
  std::atomic<bool> interrupts_{false}, interrupt_asked_{false}, interrupt_done_{false};
  std::atomic<int> interrupt_{kNone};
  // The coroutine that runs at the moment. The signal handler reads it, on the same thread.
  std::atomic<lua_State*> running_{nullptr};
  // State of hurry(): the last coroutine, the time of the next call, and whether a call runs now.
  std::atomic<lua_State*> hurried_{nullptr};
  std::atomic<std::int64_t> hurry_again_ns_{0};
  std::atomic<bool> hurrying_{false};
  // The thread time (ns) at which Lua is killed; 0 while no Lua runs; kExpired after the kill.
  std::atomic<std::int64_t> deadline_{0};
  std::atomic<std::int64_t> budget_end_{0};
  std::atomic<bool> host_works_{false};
  pthread_t lua_thread_{};         // guarded by mutex_
  clockid_t lua_clock_{};          // the time of that thread; guarded by mutex_
  int overdue_ticks_ = 0;          // used only by the watchdog, like the next four
  std::int64_t looked_ns_ = 0;     // the time of its last check
  std::int64_t stretch_ = 0;       // the deadline of the stretch of Lua that it watches
  std::int64_t stretch_ns_ = 0;    // the time since that began
  std::int64_t impatient_ns_ = 0;  // the time since a cancel or the budget wants it to end
  std::thread watchdog_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool watching_ = false;  // guarded by mutex_: the watchdog looks at deadline_ by itself
  bool stop_ = false;      // guarded by mutex_
};

}  // namespace moonlet
