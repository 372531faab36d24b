// WorkerPool runs functions on a few threads, in the order of their arrival.
// libuv's pool aborts the process if the system refuses a thread. WorkerPool uses fewer threads.
// Without any thread, WorkerPool runs the function in the caller. Only one thread may call run().
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
  /// Starts a thread. Throws std::system_error if the system refuses.
  using StartThread = std::function<std::thread(std::function<void()>)>;

  explicit WorkerPool(std::size_t most_threads = 4, StartThread start = nullptr);
  /// Runs the queued functions, then ends the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void run(std::function<void()> fn);

 private:
  /// Returns false if no thread could be started.
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
