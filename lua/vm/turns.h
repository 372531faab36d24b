// Turns completes waits by their order numbers, regardless of the order of their calls.
// A resumed run replays its record in the original order with Turns. Loop thread only.
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
  /// Sorts after all recorded orders.
  static constexpr std::uint64_t kLast = UINT64_MAX - 1;
  /// Sorts after all other waits. Its turn comes only if no other event can happen.
  static constexpr std::uint64_t kParked = UINT64_MAX;

  /// Returns a wait that completes at its turn. A lower order comes first.
  /// Equal orders complete in the order of the wait() calls.
  std::shared_ptr<Operation> wait(std::uint64_t order) {
    auto turn = std::make_shared<Turn>();
    waiting_.emplace(std::pair(order, ++count_), turn);
    return turn;
  }

  /// Blocks the turns of this order and of all later orders until release().
  void hold(std::uint64_t order) { held_.insert(order); }
  bool held() const { return !held_.empty(); }
  /// Undoes one hold(). Has no effect without an earlier hold().
  void release(std::uint64_t order) {
    if (const auto at = held_.find(order); at != held_.end()) held_.erase(at);
  }

  /// Completes the first turn; a parked turn only on request. False if no turn can complete.
  bool advance(bool parked = false) {
    while (!waiting_.empty()) {
      if (!held_.empty() && *held_.begin() <= waiting_.begin()->first.first) return false;
      if (waiting_.begin()->first.first == kParked && !parked) return false;
      auto turn = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      if (turn->done()) continue;  // the turn was cancelled
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
