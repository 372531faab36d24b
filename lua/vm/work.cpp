#include "lua/vm/work.h"

#include <uv.h>

#include <exception>
#include <latch>
#include <memory>
#include <new>
#include <utility>

#include "host/base/operation.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

class Work final : public Operation {
 public:
  Work(Services& services, WorkFunction fn, std::atomic<bool>* stop)
      : shared_(std::make_shared<Shared>()), stop_(stop) {
    shared_->owner = this;
    shared_->fn = std::move(fn);
    std::unique_ptr<Request> request(new Request{{}, shared_});
    request->done.data = request.get();
    if (uv_async_init(services.loop.raw(), &request->done, on_done) != 0) {
      shared_->run();
      complete();
      return;
    }
    // The loop frees this request.
    services.workers.run([request = request.release()] {
      request->shared->run();
      uv_async_send(&request->done);
    });
  }

  ~Work() override {
    shared_->owner = nullptr;
    start_cancel();
    shared_->ended.wait();  // wait, because the caller then frees the values that `fn` uses
  }

  Result<nlohmann::json>& result() { return shared_->result; }

 private:
  struct Shared {
    Work* owner = nullptr;  // only the loop's thread may use this
    WorkFunction fn;
    Result<nlohmann::json> result = Error{};
    std::latch ended{1};

    void run() {
      try {
        result = fn();
      } catch (const std::bad_alloc&) {
        result = Error{ErrorKind::kFailed, "out of memory", {}, {}};  // this allocates nothing
      } catch (const std::exception& e) {
        result = Error{ErrorKind::kFailed, std::string("internal error: ") + e.what(), {}, {}};
      }
      fn = nullptr;
      ended.count_down();
    }
  };
  struct Request {
    uv_async_t done;
    std::shared_ptr<Shared> shared;
  };

  static void on_done(uv_async_t* done) {
    Shared& shared = *static_cast<Request*>(done->data)->shared;
    shared.ended.wait();  // has ended already; makes `result` visible to this thread
    Work* owner = shared.owner;
    uv_close(reinterpret_cast<uv_handle_t*>(done),
             [](uv_handle_t* closed) { delete static_cast<Request*>(closed->data); });
    if (owner != nullptr) owner->complete();
  }

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
  result = nlohmann::json();  // do not wait until the garbage collector frees the memory
  return 1;
}

}  // namespace

WorkFunction& push_work(lua_State* L) { return push_box<WorkFunction>(L); }

int await_work(lua_State* L, std::atomic<bool>* stop) {
  WorkFunction& fn = *to_box<WorkFunction>(L, -1);
  Pending& pending = Scheduler::of(L).prepare(L, push_result, true);  // may raise an error
  pending.operation = std::make_shared<Work>(Services::of(L), std::move(fn), stop);
  return Scheduler::of(L).await(L);
}

}  // namespace moonlet
