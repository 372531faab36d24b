// LuaState owns one lua_State with what bounds it: a capped allocator, and a watchdog that ends Lua
// code which runs on without awaiting. A kill is sticky: once it fell, no Lua code of this state
// runs any more, pcall or not. Loop thread only, but for the watchdog thread, which sets one flag.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "lua/lua_api.h"

namespace moonlet {

struct LuaLimits {
  std::size_t memory_bytes = std::size_t{256} << 20;
  std::int64_t run_ms = 10'000;  ///< of Lua without an await; 0 = no limit
};

class LuaState {
 public:
  explicit LuaState(const LuaLimits& limits);
  ~LuaState();
  LuaState(const LuaState&) = delete;
  LuaState& operator=(const LuaState&) = delete;

  lua_State* main() { return L_; }

  /// Runs `enter` (which calls lua_resume or lua_pcall) with the watchdog armed.
  template <typename F>
  auto timed(F&& enter) {
    Armed armed(*this);
    return enter();
  }

  /// After a kill: lets Lua run again, for the host's own last words. Every task of before must
  /// have been dropped, for a killed coroutine is never resumed.
  void revive();
  /// Why Lua was killed: empty while it is well.
  std::string killed() const;
  std::size_t memory_used() const { return used_; }

 private:
  enum Kill : int { kNone = 0, kTime = 1, kMemory = 2 };

  struct Armed {
    explicit Armed(LuaState& state) : state_(state) { state_.arm(); }
    ~Armed() { state_.disarm(); }
    LuaState& state_;
  };

  void arm();
  void disarm();
  void watch();
  bool may_grow(std::size_t bytes);
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  static void count_hook(lua_State* L, lua_Debug*);

  LuaLimits limits_;
  lua_State* L_ = nullptr;
  std::size_t used_ = 0;
  std::size_t refused_ = 0;  // the growth that was refused last
  bool closing_ = false;
  int armed_depth_ = 0;
  std::atomic<int> kill_{kNone};
  // The moment (steady, ns) after which Lua is killed; 0 while none runs.
  std::atomic<std::int64_t> deadline_{0};
  std::thread watchdog_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool watching_ = false;  // guarded by mutex_: the watchdog looks at deadline_ by itself
  bool stop_ = false;      // guarded by mutex_
};

}  // namespace moonlet
