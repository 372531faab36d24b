// WorkerPool runs functions on a few threads, in the order of the run() calls.
// libuv's thread pool aborts the process if the system refuses to start a thread. WorkerPool
// continues with fewer threads. If it has none, run() calls the function itself. Only one thread
// may call run().
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
  /// Starts a thread. Throws std::system_error if the system refuses to start one.
  using StartThread = std::function<std::thread(std::function<void()>)>;

  explicit WorkerPool(std::size_t most_threads = 4, StartThread start = nullptr);
  /// Runs the queued functions, then ends the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void run(std::function<void()> fn);

 private:
  /// Starts a thread if none is idle and the limit allows it. Returns false if there is no thread.
  bool have_thread();
  void serve();

  const std::size_t most_threads_;
  const StartThread start_;
  std::vector<std::thread> threads_;  // used only by the thread that calls run()
  std::mutex mutex_;                  // guards the members below
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::size_t idle_ = 0;
  bool stop_ = false;
};

}  // namespace moonlet
