#include "lua/vm/work.h"

#include <uv.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <semaphore>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/operation.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

/// libuv ends the process when it cannot start all threads of its pool, which it does with the
/// first work. This checks first: a limit of processes may leave no room for them.
bool pool_can_start() {
  static const bool can = [] {
    const char* asked = std::getenv("UV_THREADPOOL_SIZE");
    const int size = asked != nullptr ? std::atoi(asked) : 4;
    std::counting_semaphore<> go{0};
    std::vector<std::thread> threads;
    bool made = true;
    try {
      while (made && static_cast<int>(threads.size()) < size && threads.size() < 1024) {
        threads.emplace_back([&go] { go.acquire(); });
      }
    } catch (const std::system_error&) {
      made = false;
    }
    go.release(static_cast<std::ptrdiff_t>(threads.size()));
    for (auto& thread : threads) thread.join();
    return made;
  }();
  return can;
}

class Work final : public Operation {
 public:
  Work(uv_loop_t* loop, WorkFunction fn, std::atomic<bool>* stop)
      : shared_(std::make_shared<Shared>()), stop_(stop) {
    shared_->owner = this;
    shared_->fn = std::move(fn);
    if (!pool_can_start()) {
      shared_->run();
      complete();
      return;
    }
    auto* request = new Request{{}, shared_};
    request->work.data = request;
    const int queued = uv_queue_work(
        loop, &request->work,
        [](uv_work_t* work) { static_cast<Request*>(work->data)->shared->run(); },
        [](uv_work_t* work, int) {
          const std::unique_ptr<Request> request(static_cast<Request*>(work->data));
          if (Work* owner = request->shared->owner) owner->complete();
        });
    if (queued == 0) return;
    delete request;
    shared_->run();
    complete();
  }

  ~Work() override {
    shared_->owner = nullptr;
    start_cancel();
    shared_->ended.acquire();  // the Lua state may free the borrowed values next
  }

  Result<nlohmann::json>& result() { return shared_->result; }

 private:
  struct Shared {
    Work* owner = nullptr;  // used on the loop thread
    WorkFunction fn;
    Result<nlohmann::json> result = Error{};
    std::binary_semaphore ended{0};

    void run() {
      try {
        result = fn();
      } catch (const std::bad_alloc&) {
        result = Error{ErrorKind::kFailed, "out of memory", {}, {}};  // short: no allocation
      } catch (const std::exception& e) {
        Error error;
        error.message = std::string("internal error: ") + e.what();
        result = error;
      }
      fn = nullptr;
      ended.release();
    }
  };
  struct Request {
    uv_work_t work;
    std::shared_ptr<Shared> shared;
  };

  void start_cancel() override {
    if (stop_ != nullptr && !done()) stop_->store(true);
  }

  std::shared_ptr<Shared> shared_;
  std::atomic<bool>* stop_;
};

int push_result(lua_State* L, Operation& operation) {
  auto& result = static_cast<Work&>(operation).result();
  if (!result) {
    lua_pushnil(L);
    push_error(L, result.error());
    return 2;
  }
  push_value(L, *result);
  result = nlohmann::json();  // freed now: the garbage collector may run much later
  return 1;
}

}  // namespace

WorkFunction& push_work(lua_State* L) { return push_box<WorkFunction>(L); }

int await_work(lua_State* L, std::atomic<bool>* stop) {
  WorkFunction& fn = *to_box<WorkFunction>(L, -1);
  Pending& pending = Scheduler::of(L).prepare(L, push_result, true);  // may raise
  pending.operation = std::make_shared<Work>(Services::of(L).loop.raw(), std::move(fn), stop);
  return Scheduler::of(L).await(L);
}

}  // namespace moonlet
