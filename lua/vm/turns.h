// The class Turns completes waiting operations in the order of their numbers, not in the order in
// which they began to wait. A resumed run uses it to replay its journal in the original order. Loop
// thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "host/base/operation.h"

namespace moonlet {

class Turns {
 public:
  /// A wait with this order completes after all waits with a recorded order.
  static constexpr std::uint64_t kLast = UINT64_MAX - 1;
  /// A wait with this order completes last, and only if nothing else can happen in the run.
  static constexpr std::uint64_t kParked = UINT64_MAX;

  /// Returns an operation that completes at its turn: the lowest order comes first. Waits with the
  /// same order complete in the order of the calls.
  std::shared_ptr<Operation> wait(std::uint64_t order) {
    auto turn = std::make_shared<Turn>();
    waiting_.emplace(std::pair(order, ++count_), turn);
    return turn;
  }

  /// Blocks every wait whose order is `order` or higher, until release().
  void hold(std::uint64_t order) { held_.insert(order); }
  bool held() const { return !held_.empty(); }
  /// Undoes one hold(). Has no effect if there was none.
  void release(std::uint64_t order) {
    if (const auto at = held_.find(order); at != held_.end()) held_.erase(at);
  }

  /// Completes the wait with the lowest order. Completes a wait with the order kParked only if
  /// `parked` is true. Returns false if there is no wait to complete.
  bool advance(bool parked = false) {
    while (!waiting_.empty()) {
      if (!held_.empty() && *held_.begin() <= waiting_.begin()->first.first) return false;
      if (waiting_.begin()->first.first == kParked && !parked) return false;
      auto turn = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      if (turn->done()) continue;  // the wait was cancelled
      turn->complete();
      return true;
    }
    return false;
  }

 private:
  class Turn final : public Operation {
   public:
    using Operation::complete;
    bool is_passive() const override { return true; }

   private:
    void start_cancel() override { complete(); }
  };

  std::map<std::pair<std::uint64_t, std::uint64_t>, std::shared_ptr<Turn>> waiting_;
  std::multiset<std::uint64_t> held_;
  std::uint64_t count_ = 0;
};

}  // namespace moonlet
