// Operation: one pending thing (a child, a timer, a join). It completes exactly once and can be
// asked to cancel at most once. It ends only by completing, so every waiter hears of the end. The
// starter and the waiter share it. Loop thread only.
#pragma once

#include <functional>
#include <utility>

namespace moonlet {

class Operation {
 public:
  virtual ~Operation() = default;

  bool done() const { return done_; }

  /// Sets the function for completion; it runs once, from the loop, or at once when already done.
  void on_complete(std::function<void()> fn) {
    if (done_) {
      fn();
    } else {
      waiter_ = std::move(fn);
    }
  }

  /// Asks it to end early. Completion still arrives, possibly much later (a child must first be
  /// reaped). Further calls, and calls after completion, have no effect.
  void cancel() {
    if (done_ || cancelling_) return;
    cancelling_ = true;
    start_cancel();
  }

  /// True for an operation that only another task can complete: when all tasks wait for such ones,
  /// no event can wake them.
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
