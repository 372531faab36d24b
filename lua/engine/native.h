// NativeTable has the functions and presets that a program provides, and the pending calls. An
// answer may arrive on any thread, in the inbox; deliver() then completes the call on the loop's
// thread. All other methods are for the loop's thread only.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/loop.h"
#include "host/base/worker_pool.h"
#include "host/validation/schema/schema.h"
#include "lua/engine/host_functions.h"
#include "lua/engine/wake.h"
#include "moonlet/native.h"

namespace moonlet {

/// ReplyInbox collects answers from any thread until deliver() processes them.
struct ReplyInbox {
  using Answer = Result<std::string>;
  struct Item {
    std::shared_ptr<CallState> call;
    Answer answer;
  };
  std::shared_ptr<Wake> wake;
  std::mutex mutex;
  std::vector<Item> items;           // guarded by mutex
  std::vector<std::string> dropped;  // names of functions that answered too late; guarded by mutex
};

/// CallState is the part of a call that the engine and the program share.
struct CallState {
  std::string function, arguments, run, step;
  std::atomic<bool> over{false};      // the engine needs no answer any more
  std::atomic<bool> answered{false};  // true after the first answer
  std::shared_ptr<ReplyInbox> inbox;
};

class NativeTable final : public HostFunctions {
 public:
  NativeTable(Loop& loop, std::shared_ptr<Wake> wake,
              std::function<void(const std::string&)> report);
  ~NativeTable() override;

  Result<void> provide(NativeFunction function);
  Result<void> add_preset(const std::string& name, std::map<std::string, std::string> files);
  /// Completes all calls whose answer is in the inbox.
  void deliver();
  /// Returns the number of pending calls.
  std::size_t waiting() const { return waiting_.size(); }
  /// Returns true while the loop's thread runs a function of the program.
  bool is_calling() const { return calling_; }

  const nlohmann::json& functions() const override { return described_; }
  const HostPresets& presets() const override { return presets_; }
  Result<std::shared_ptr<HostCall>> call(const std::string& name, nlohmann::json arguments,
                                         const std::string& run, const std::string& step) override;

 private:
  class Pending;
  struct Entry {
    NativeFunction function;
    std::optional<Schema> arguments, result;
  };
  void invoke(const std::shared_ptr<const Entry>& entry, const std::shared_ptr<CallState>& state);

  Loop& loop_;
  std::shared_ptr<ReplyInbox> inbox_;
  std::function<void(const std::string&)> report_;
  std::map<std::string, std::shared_ptr<const Entry>> entries_;
  nlohmann::json described_ = nlohmann::json::object();
  HostPresets presets_;
  std::map<const CallState*, Pending*> waiting_;
  bool calling_ = false;
  WorkerPool workers_{8};
};

}  // namespace moonlet
