// WorkerPool: a few threads that run functions in the order of their arrival. libuv's own pool ends
// the process when the system refuses one of its threads; this one makes do with fewer, and without
// any it runs the function in the caller's thread. One thread calls run().
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace moonlet {

class WorkerPool {
 public:
  /// Starts a thread; throws std::system_error when the system refuses it.
  using StartThread = std::function<std::thread(std::function<void()>)>;

  explicit WorkerPool(std::size_t most_threads = 4, StartThread start = nullptr);
  /// Runs what is queued, then ends the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs `fn`, which must not throw.
  void run(std::function<void()> fn);

 private:
  /// False when no thread could be started.
  bool have_thread();
  void serve();

  const std::size_t most_threads_;
  const StartThread start_;
  std::vector<std::thread> threads_;  // used only by the caller's thread
  std::mutex mutex_;                  // guards the members below
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::size_t idle_ = 0;
  bool stop_ = false;
};

}  // namespace moonlet
