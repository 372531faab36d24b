// Operation is something pending: a child, a timer, a join. It completes exactly once.
// A cancelled operation also completes, so every waiter is notified of the end.
// The starter and the waiter share an Operation. Loop thread only.
#pragma once

#include <functional>
#include <utility>

namespace moonlet {

class Operation {
 public:
  virtual ~Operation() = default;

  bool done() const { return done_; }

  /// Sets the function to call from the loop at completion. Calls it at once if already complete.
  void on_complete(std::function<void()> fn) {
    if (done_) {
      fn();
    } else {
      waiter_ = std::move(fn);
    }
  }

  /// Asks the operation to end early. Completion may come much later (a child must be reaped).
  /// Later calls of cancel() have no effect.
  void cancel() {
    if (done_ || cancelling_) return;
    cancelling_ = true;
    start_cancel();
  }

  /// Returns true if only another task can complete this operation.
  /// If all tasks wait for passive operations, no event can wake them.
  virtual bool is_passive() const { return false; }

 protected:
  void complete() {
    if (done_) return;
    done_ = true;
    if (auto waiter = std::exchange(waiter_, nullptr)) waiter();
  }

 private:
  virtual void start_cancel() = 0;

  std::function<void()> waiter_;
  bool done_ = false;
  bool cancelling_ = false;
};

}  // namespace moonlet
