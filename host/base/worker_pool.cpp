#include "host/base/worker_pool.h"

#include <signal.h>

#include <new>
#include <system_error>
#include <utility>

namespace moonlet {

namespace {

// Starts a thread that blocks all signals, so that only the program's own threads handle them.
std::thread start_without_signals(std::function<void()> fn) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct Restore {
    const sigset_t& mask;
    ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } restore{before};
  return std::thread(std::move(fn));
}

}  // namespace

WorkerPool::WorkerPool(std::size_t most_threads, StartThread start)
    : most_threads_(most_threads), start_(start ? std::move(start) : start_without_signals) {}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool WorkerPool::have_thread() {
  {
    const std::lock_guard lock(mutex_);
    if (idle_ > queue_.size()) return true;
  }
  if (threads_.size() == most_threads_) return true;
  try {
    threads_.reserve(most_threads_);
    threads_.push_back(start_([this] { serve(); }));
  } catch (const std::system_error&) {
    return !threads_.empty();
  }
  return true;
}

void WorkerPool::run(std::function<void()> fn) {
  try {
    if (!have_thread()) return fn();
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(fn));
  } catch (const std::bad_alloc&) {
    return fn();
  }
  changed_.notify_one();
}

void WorkerPool::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    auto fn = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    fn();
    fn = nullptr;
    lock.lock();
  }
}

}  // namespace moonlet
