#include "lua/vm/scheduler.h"

#include <algorithm>
#include <utility>

#include "lua/vm/error.h"
#include "lua/vm/guard.h"

namespace moonlet {

namespace {

const char kSchedulerKey = 0;
const char kAwaitMarker = 0;

/// PassiveOperation is completed by its owner, or by a cancel unless `is_shielded`.
class PassiveOperation final : public Operation {
 public:
  explicit PassiveOperation(bool is_shielded) : is_shielded_(is_shielded) {}
  using Operation::complete;
  bool is_passive() const override { return true; }

 private:
  void start_cancel() override {
    if (!is_shielded_) complete();
  }
  const bool is_shielded_;
};

class SleepOperation final : public Operation, public std::enable_shared_from_this<SleepOperation> {
 public:
  SleepOperation(Loop& loop, bool watches) : loop_(loop), watches_(watches) {}
  bool is_passive() const override { return watches_; }
  void start(std::int64_t ms) {
    timer_ = loop_.after(ms, [self = shared_from_this()] { self->complete(); });
  }

 private:
  void start_cancel() override {
    loop_.cancel(timer_);
    complete();
  }
  Loop& loop_;
  const bool watches_;
  Loop::TimerId timer_{};
};

/// Pushes the results of the await whose box is at the top of the stack.
int push_results(lua_State* L) {
  auto* pending = static_cast<Pending*>(lua_touserdata(L, -1));
  return pending->push(L, *pending->operation);
}

}  // namespace

const Error* CancelScope::pending_error() const {
  // The error of the outermost cancelled scope takes precedence over the errors of scopes inside
  // it.
  const Error* found = nullptr;
  for (const CancelScope* scope = this; scope != nullptr; scope = scope->parent_.get()) {
    if (scope->error_) found = &*scope->error_;
    if (scope->shielded_) break;
  }
  return found;
}

Scheduler::Scheduler(LuaState& state, Loop& loop)
    : state_(state), loop_(loop), L_(state.main()), root_(std::make_shared<CancelScope>()) {
  lua_pushlightuserdata(L_, this);
  lua_rawsetp(L_, LUA_REGISTRYINDEX, &kSchedulerKey);
}

Scheduler::~Scheduler() {
  for (auto& task : tasks_) {
    if (task->waiting_for_) {
      task->waiting_for_->on_complete([] {});
      task->waiting_for_->cancel();
    }
    // Release the coroutine, because it never continues.
    luaL_unref(L_, LUA_REGISTRYINDEX, std::exchange(task->thread_ref_, LUA_NOREF));
  }
}

Scheduler& Scheduler::of(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kSchedulerKey);
  auto* self = static_cast<Scheduler*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return *self;
}

std::shared_ptr<Task> Scheduler::start_main(int nargs) {
  std::shared_ptr<Task> task;
  spawn(L_, lua_gettop(L_) - nargs, root_, task);
  return task;
}

void Scheduler::spawn(lua_State* L, int index, const std::shared_ptr<CancelScope>& scope,
                      std::shared_ptr<Task>& task) {
  const int nargs = lua_gettop(L) - index;
  lua_State* thread = lua_newthread(L);
  lua_insert(L, index);
  if (!lua_checkstack(thread, nargs + 1)) luaL_error(L, "too many arguments");
  lua_xmove(L, thread, nargs + 1);
  const int reference = luaL_ref(L, LUA_REGISTRYINDEX);  // the last call that may raise an error
  task = std::make_shared<Task>(L_);
  task->thread_ref_ = reference;
  task->nargs_ = nargs;
  task->scope_ = scope;
  task->base_scope_ = scope;
  enter_count(scope.get(), +1);
  tasks_.push_back(task);
  make_ready(task);
}

void Scheduler::make_ready(const std::shared_ptr<Task>& task) {
  if (task->ready_ || task->done()) return;
  task->ready_ = true;
  (resuming_ ? woken_ : ready_).push_back(task);
}

void Scheduler::pump() {
  do {
    while (!ready_.empty() && !killed()) {
      auto task = std::move(ready_.front());
      ready_.pop_front();
      task->ready_ = false;
      resuming_ = true;
      resume(task);
      resuming_ = false;
      // Put the tasks that this task has woken before all other ready tasks, as a replay does. The
      // order that a script observes must not depend on the number of tasks.
      ready_.insert(ready_.begin(), woken_.begin(), woken_.end());
      woken_.clear();
    }
  } while (!killed() && (turns_.advance() || (all_wait_for_each_other() && turns_.advance(true))));
}

bool Scheduler::all_wait_for_each_other() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const auto& task) {
    return task->waiting_for_ && task->waiting_for_->is_passive();
  });
}

void Scheduler::resume(const std::shared_ptr<Task>& task) {
  lua_rawgeti(L_, LUA_REGISTRYINDEX, task->thread_ref_);
  lua_State* thread = lua_tothread(L_, -1);
  lua_pop(L_, 1);  // the registry keeps the coroutine alive
  if (const Error* error = task->scope_->pending_error(); error != nullptr && !task->started_) {
    lua_settop(thread, 0);
    push_error(thread, *error);
    finish(task, thread, LUA_ERRRUN, 1);
    return;
  }
  const int nargs = task->started_ ? 0 : task->nargs_;
  task->started_ = true;
  task->waiting_for_.reset();
  running_ = task;
  int nresults = 0;
  const int status = state_.run(thread, nargs, &nresults);
  running_.reset();
  if (killed()) return;
  if (status == LUA_YIELD && is_await(thread, nresults)) {
    lua_pop(thread, nresults);
    return;
  }
  finish(task, thread, status, nresults);
}

void Scheduler::finish(const std::shared_ptr<Task>& task, lua_State* thread, int status,
                       int nresults) {
  lua_checkstack(L_, 4);
  lua_checkstack(thread, 4);
  if (status == LUA_OK) {
    task->outcome_ = Task::Outcome::kReturned;
    lua_createtable(thread, nresults, 1);
    lua_insert(thread, -nresults - 1);
    for (int i = nresults; i >= 1; --i) lua_rawseti(thread, -i - 1, i);
    lua_pushinteger(thread, nresults);
    lua_setfield(thread, -2, "n");
  } else {
    task->outcome_ = Task::Outcome::kRaised;
    if (status == LUA_YIELD) {
      lua_settop(thread, 0);
      lua_pushliteral(thread, "a task yielded: coroutine.yield belongs inside a coroutine");
    } else if (status != LUA_ERRMEM && lua_type(thread, -1) == LUA_TSTRING) {
      // A traceback needs memory, so make none for a memory error.
      luaL_traceback(L_, thread, lua_tostring(thread, -1), 0);
      last_traceback_ = lua_tostring(L_, -1);
      lua_pop(L_, 1);
    }
    lua_createtable(thread, 1, 0);
    lua_insert(thread, -2);
    lua_rawseti(thread, -2, 1);
  }
  lua_xmove(thread, L_, 1);
  task->result_ref_ = luaL_ref(L_, LUA_REGISTRYINDEX);
  state_.close(thread);  // closes variables that the task has left open
  luaL_unref(L_, LUA_REGISTRYINDEX, task->thread_ref_);
  task->thread_ref_ = LUA_NOREF;
  tasks_.erase(std::find(tasks_.begin(), tasks_.end(), task));
  task->scope_ = task->base_scope_;
  task->complete();
  for (auto& waiter : std::exchange(task->join_waiters_, {})) waiter();
  enter_count(task->base_scope_.get(), -1);
}

void Scheduler::enter_count(CancelScope* scope, int delta) {
  for (; scope != nullptr; scope = scope->parent_.get()) {
    scope->live_tasks_ += delta;
    if (scope->live_tasks_ != 0) continue;
    for (auto& waiter : std::exchange(scope->idle_waiters_, {})) waiter();
  }
}

void Scheduler::check(lua_State* L) {
  if (!running_) return;
  if (const Error* error = running_->scope_->pending_error()) raise_error(L, *error);
}

void Scheduler::check_now(lua_State* L) {
  if (!running_) return;
  hear_end();
  const std::int64_t now = loop_.clock().monotonic_ms();
  for (auto* scope = running_->scope_.get(); scope != nullptr; scope = scope->parent_.get()) {
    if (!scope->deadline_ || now < scope->deadline_ms_) continue;
    loop_.cancel(*scope->deadline_);
    pass_deadline(*scope);
  }
  check(L);
}

bool Scheduler::hear_end() {
  if (!end_asked || !end_asked()) return false;
  if (root_->error_) return true;
  cancel(*root_, {ErrorKind::kCancelled, "cancelled by the user", {}, {}});
  return true;
}

Pending& Scheduler::prepare(lua_State* L, PushResults push, bool unchecked) {
  if (!running_ || !lua_isyieldable(L)) {
    raise(L, ErrorKind::kInvalid, "code at this place may not wait", kMayNotWait);
  }
  if (!unchecked) check(L);
  return push_box<Pending>(L, Pending{nullptr, push, unchecked});
}

void Scheduler::wait_on(const std::shared_ptr<Operation>& operation) {
  running_->waiting_for_ = operation;
  operation->on_complete([this, waiter = std::weak_ptr<Task>(running_)] {
    if (auto task = waiter.lock()) make_ready(task);
  });
}

int Scheduler::await(lua_State* L) {
  auto* pending = static_cast<Pending*>(lua_touserdata(L, -1));
  const int box = lua_gettop(L);
  if (pending->operation->done()) return finish_await(L, LUA_OK, box);
  wait_on(pending->operation);
  return yield_await(L, box, &Scheduler::finish_await);
}

int Scheduler::yield_await(lua_State* L, lua_KContext context, lua_KFunction continuation) {
  lua_pushlightuserdata(L, const_cast<char*>(&kAwaitMarker));
  return lua_yieldk(L, 1, context, continuation);
}

bool Scheduler::is_await(lua_State* L, int nresults) {
  return nresults == 1 && lua_touserdata(L, -1) == &kAwaitMarker;
}

int Scheduler::finish_await(lua_State* L, int, lua_KContext context) {
  lua_settop(L, static_cast<int>(context));
  auto* pending = static_cast<Pending*>(lua_touserdata(L, -1));
  if (!pending->unchecked) of(L).check(L);
  return guard<push_results>(L);
}

void Scheduler::arm_deadline(CancelScope& scope, std::int64_t ms) {
  scope.deadline_ms_ = loop_.clock().monotonic_ms() + ms;
  scope.deadline_ =
      loop_.after(ms, [this, life = std::weak_ptr<char>(life_), weak = scope.weak_from_this()] {
        auto late = weak.lock();
        if (late && !life.expired()) pass_deadline(*late);
      });
}

void Scheduler::pass_deadline(CancelScope& scope) {
  scope.deadline_.reset();
  const std::int64_t owed = held_ms() - scope.credit_ms_;
  if (owed > 0 && !scope.ends_budget_) {
    scope.credit_ms_ += owed;
    arm_deadline(scope, owed);
    return;
  }
  scope.expire_(scope);
}

void Scheduler::stop_clock(CancelScope& scope) {
  if (++scope.clock_stops_ > 1 || !scope.deadline_) return;
  loop_.cancel(*scope.deadline_);
  scope.deadline_.reset();
  if (scope.ends_budget_) state_.never_end();
  scope.left_ms_ = std::max<std::int64_t>(0, scope.deadline_ms_ - loop_.clock().monotonic_ms());
  scope.left_ms_ += held_ms() - scope.credit_ms_;
  scope.stopped_ = true;
}

void Scheduler::start_clock(CancelScope& scope) {
  if (scope.clock_stops_ == 0 || --scope.clock_stops_ > 0) return;
  if (!std::exchange(scope.stopped_, false) || !scope.open_) return;
  scope.credit_ms_ = held_ms();
  if (scope.ends_budget_) state_.end_in(scope.left_ms_);
  arm_deadline(scope, scope.left_ms_);
}

std::int64_t Scheduler::held_ms() const {
  const std::int64_t now = turns_.held() ? loop_.clock().monotonic_ms() - held_since_ms_ : 0;
  return held_before_ms_ + now;
}

void Scheduler::hold_turn(std::uint64_t order) {
  if (!turns_.held()) held_since_ms_ = loop_.clock().monotonic_ms();
  turns_.hold(order);
}

void Scheduler::release_turn(std::uint64_t order) {
  const std::int64_t held = held_ms();
  turns_.release(order);
  if (!turns_.held()) held_before_ms_ = held;
}

std::shared_ptr<CancelScope> Scheduler::open_scope(std::optional<std::int64_t> timeout_ms,
                                                   bool shielded, std::string_view what,
                                                   ErrorKind kind) {
  auto scope = std::make_shared<CancelScope>();
  scope->parent_ = running_->scope_;
  scope->shielded_ = shielded;
  running_->scope_ = scope;
  if (timeout_ms && kind == ErrorKind::kBudget) {
    scope->ends_budget_ = true;
    state_.end_in(*timeout_ms);
  }
  if (timeout_ms) {
    scope->credit_ms_ = held_ms();
    scope->expire_ = [this, what = std::string(what), kind, ms = *timeout_ms](CancelScope& late) {
      Error error;
      error.kind = kind;
      error.message = kind == ErrorKind::kBudget
                          ? what + " is used up"
                          : what + " took longer than " + std::to_string(ms) + " ms";
      if (what.starts_with("the run's")) error.hint = "--budget wall=… gives it more time";
      if (on_deadline) on_deadline(what, error);
      cancel(late, std::move(error));
    };
    arm_deadline(*scope, *timeout_ms);
  }
  return scope;
}

void Scheduler::close_scope(const std::shared_ptr<CancelScope>& scope) {
  if (!scope->open_) return;
  bool inside = false;
  for (auto* at = running_->scope_.get(); at != nullptr; at = at->parent_.get()) {
    inside = inside || at == scope.get();
  }
  if (!inside) return;
  for (;;) {
    auto innermost = running_->scope_;
    innermost->open_ = false;
    if (innermost->deadline_) loop_.cancel(*innermost->deadline_);
    innermost->deadline_.reset();
    if (innermost->ends_budget_) state_.never_end();
    if (auto expiry = std::exchange(innermost->expiry_, nullptr)) {
      expiry->on_complete([] {});
      expiry->cancel();
    }
    running_->scope_ = innermost->parent_;
    if (innermost == scope) return;
  }
}

void Scheduler::expire_at_turn(const std::shared_ptr<CancelScope>& scope, std::uint64_t order,
                               Error error) {
  std::weak_ptr<CancelScope> weak = scope;
  scope->expiry_ = turns_.wait(order);
  scope->expiry_->on_complete([this, weak, error = std::move(error)]() mutable {
    if (auto late = weak.lock()) cancel(*late, std::move(error));
  });
}

void Scheduler::cancel(CancelScope& scope, Error error) {
  if (scope.error_ || !scope.open_) return;
  scope.error_ = std::move(error);
  wake_cancelled();
}

void Scheduler::wake_cancelled() {
  auto tasks = tasks_;  // a copy, because a callback may remove tasks from `tasks_`
  for (auto& task : tasks) {
    if (task->waiting_for_ && task->scope_->pending_error() != nullptr) {
      auto operation = task->waiting_for_;
      operation->cancel();
    }
  }
}

std::shared_ptr<Operation> Scheduler::wait_idle(const std::shared_ptr<CancelScope>& scope) {
  auto operation = std::make_shared<PassiveOperation>(true);
  if (scope->live_tasks_ == 0) {
    operation->complete();
  } else {
    scope->idle_waiters_.push_back([operation] { operation->complete(); });
  }
  return operation;
}

std::shared_ptr<Operation> Scheduler::wait_task(const std::shared_ptr<Task>& task) {
  // Each caller of join() gets its own operation, so that cancelling one does not affect the
  // others.
  auto join = std::make_shared<PassiveOperation>(false);
  if (task->done()) {
    join->complete();
  } else {
    task->join_waiters_.push_back([join] { join->complete(); });
  }
  return join;
}

std::shared_ptr<Operation> Scheduler::sleep(std::int64_t ms, bool watches) {
  auto operation = std::make_shared<SleepOperation>(loop_, watches);
  operation->start(ms);
  return operation;
}

}  // namespace moonlet
