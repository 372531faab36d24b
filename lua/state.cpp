#include "lua/state.h"

#include <cstdlib>
#include <new>

namespace moonlet {

namespace {

constexpr int kHookCount = 1000;
constexpr auto kTick = std::chrono::milliseconds(20);
// Beyond the cap, so that error messages and cleanup still find memory after a kill.
constexpr std::size_t kReserve = std::size_t{1} << 20;

std::int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

LuaState* owner(lua_State* L) { return *static_cast<LuaState**>(lua_getextraspace(L)); }

}  // namespace

LuaState::LuaState(const LuaLimits& limits) : limits_(limits) {
  L_ = lua_newstate(&LuaState::allocate, this);
  if (L_ == nullptr) throw std::bad_alloc();
  *static_cast<LuaState**>(lua_getextraspace(L_)) = this;
  // Hooks are per thread and copied to new ones, so this one reaches every coroutine.
  lua_sethook(L_, &LuaState::count_hook, LUA_MASKCOUNT, kHookCount);
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

void* LuaState::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  auto* state = static_cast<LuaState*>(self);
  if (block == nullptr) old_size = 0;  // then it tells the kind of the object
  if (new_size == 0) {
    state->used_ -= old_size;
    std::free(block);
    return nullptr;
  }
  if (new_size > old_size && !state->closing_ && !state->may_grow(new_size - old_size)) {
    return nullptr;
  }
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) state->used_ += new_size - old_size;
  return moved;
}

bool LuaState::may_grow(std::size_t bytes) {
  const bool killed = kill_.load(std::memory_order_relaxed) != kNone;
  if (!killed && used_ + bytes <= limits_.memory_bytes) {
    refused_ = 0;
    return true;
  }
  if (killed) return bytes <= kReserve / 4 && used_ + bytes <= limits_.memory_bytes + kReserve;
  // Lua collects all garbage after a refusal and asks again at once: the second refusal of the same
  // request is a real shortage. It is sticky, because a script may catch a plain memory error.
  if (refused_ == bytes) {
    int none = kNone;
    kill_.compare_exchange_strong(none, kMemory);
  }
  refused_ = bytes;
  return false;
}

void LuaState::count_hook(lua_State* L, lua_Debug*) {
  LuaState* state = owner(L);
  if (state->kill_.load(std::memory_order_relaxed) == kNone) return;
  // A yield cannot be caught by pcall. Where none is possible the error comes back at every
  // instruction until the code has unwound.
  if (lua_isyieldable(L)) {
    lua_yield(L, 0);
    return;
  }
  lua_sethook(L, &LuaState::count_hook, LUA_MASKCOUNT, 1);
  luaL_error(L, "%s",
             state->kill_.load() == kMemory ? "Lua used more memory than it may"
                                            : "Lua ran longer than it may");
}

void LuaState::arm() {
  if (armed_depth_++ > 0 || limits_.run_ms == 0) return;
  deadline_.store(steady_ns() + limits_.run_ms * 1'000'000, std::memory_order_relaxed);
  std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
  if (!watchdog_.joinable()) {
    watching_ = true;
    watchdog_ = std::thread([this] { watch(); });
    return;
  }
  lock.lock();
  if (watching_) return;
  watching_ = true;
  lock.unlock();
  changed_.notify_one();
}

void LuaState::disarm() {
  if (--armed_depth_ == 0) deadline_.store(0, std::memory_order_relaxed);
}

void LuaState::watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    const std::int64_t deadline = deadline_.load(std::memory_order_relaxed);
    if (deadline == 0) {
      watching_ = false;
      changed_.wait(lock, [this] { return stop_ || watching_; });
      continue;
    }
    if (steady_ns() >= deadline) {
      int none = kNone;
      kill_.compare_exchange_strong(none, kTime);
    }
    changed_.wait_for(lock, kTick, [this] { return stop_; });
  }
}

void LuaState::revive() {
  limits_.memory_bytes += 4 * kReserve;
  refused_ = 0;
  kill_.store(kNone, std::memory_order_relaxed);
}

std::string LuaState::killed() const {
  switch (kill_.load(std::memory_order_relaxed)) {
    case kTime:
      return "the script ran for more than " + std::to_string(limits_.run_ms) +
             " ms without waiting for anything";
    case kMemory:
      return "the script used more than " + std::to_string(limits_.memory_bytes >> 20) +
             " MB of memory";
    default:
      return {};
  }
}

}  // namespace moonlet
