// Turns: waits that end in a given order, regardless of the order in which they began. A resumed
// run uses them to replay its record in the order in which it happened. Loop thread only.
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
  /// The order after all recorded ones.
  static constexpr std::uint64_t kLast = UINT64_MAX - 1;
  /// The order after all other waits, when no other event can happen.
  static constexpr std::uint64_t kParked = UINT64_MAX;

  /// Completes at its turn: lower orders come first, equal orders in the order of these calls.
  std::shared_ptr<Operation> wait(std::uint64_t order) {
    auto turn = std::make_shared<Turn>();
    waiting_.emplace(std::pair(order, ++count_), turn);
    return turn;
  }

  /// Holds back turns of this order or a later one until it is released.
  void hold(std::uint64_t order) { held_.insert(order); }
  bool held() const { return !held_.empty(); }
  /// Undoes one hold(); without one it has no effect.
  void release(std::uint64_t order) {
    if (const auto at = held_.find(order); at != held_.end()) held_.erase(at);
  }

  /// Completes the first turn; a parked one only on request. False if no turn can complete.
  bool advance(bool parked = false) {
    while (!waiting_.empty()) {
      if (!held_.empty() && *held_.begin() <= waiting_.begin()->first.first) return false;
      if (waiting_.begin()->first.first == kParked && !parked) return false;
      auto turn = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      if (turn->done()) continue;  // it was cancelled
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
