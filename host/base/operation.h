// Operation is pending work: a child process, a timer, a join. It completes exactly once.
// A cancelled operation also completes, so that its waiter is always notified.
// The code that starts an operation and the code that waits for it share the object. Loop thread
// only.
#pragma once

#include <functional>
#include <utility>

namespace moonlet {

class Operation {
 public:
  virtual ~Operation() = default;

  bool done() const { return done_; }

  /// Sets the function that the loop calls when the operation completes. Calls `fn` at once if the
  /// operation is complete already.
  void on_complete(std::function<void()> fn) {
    if (done_) {
      fn();
    } else {
      waiter_ = std::move(fn);
    }
  }

  /// Asks the operation to end early. It may complete much later, for example when its child
  /// process has been reaped. Later calls of cancel() have no effect.
  void cancel() {
    if (done_ || cancelling_) return;
    cancelling_ = true;
    start_cancel();
  }

  /// Returns true if only another task can complete this operation.
  /// If all tasks wait for such operations, the run is deadlocked.
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
