#include "host/base/worker_pool.h"

#include <atomic>
#include <semaphore>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/catch.h"

using namespace moonlet;

namespace {

/// Starts at most `allowed` threads, as a system near its limit on processes does.
WorkerPool::StartThread refuse_after(int allowed) {
  return [allowed](std::function<void()> fn) mutable {
    if (allowed-- <= 0) {
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return std::thread(std::move(fn));
  };
}

}  // namespace

TEST_CASE("a pool runs functions side by side, on other threads") {
  std::counting_semaphore<> here{0}, go{0};
  WorkerPool pool(3);
  for (int i = 0; i < 3; ++i) {
    pool.run([&] {
      here.release();
      go.acquire();
    });
  }
  for (int i = 0; i < 3; ++i) here.acquire();  // all three are under way at once
  go.release(3);
}

TEST_CASE("a pool runs queued work before it is destroyed") {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(1);
    for (int i = 0; i < 20; ++i) pool.run([&ran] { ++ran; });
  }
  CHECK(ran == 20);
}

TEST_CASE("a pool with fewer threads than it wanted runs all functions") {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(4, refuse_after(1));
    for (int i = 0; i < 20; ++i) pool.run([&ran] { ++ran; });
  }
  CHECK(ran == 20);
}

TEST_CASE("without any thread a function runs in the caller's thread") {
  std::thread::id ran_in;
  WorkerPool pool(4, refuse_after(0));
  pool.run([&] { ran_in = std::this_thread::get_id(); });
  CHECK(ran_in == std::this_thread::get_id());
}
