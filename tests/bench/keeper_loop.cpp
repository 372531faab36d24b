// Does the same work as bare_loop and bare_capture through the host's Keeper.
//   keeper_loop -n N -w W [-m MB] [-d] [-f] [-F] COMMAND ARG…
//                       -d: with durable records; -f: confined; -F: with restricted reads, too
//   keeper_loop -c DIR COMMAND ARG…                     capture to DIR/captured
// With -m it prints the seconds that the work took, as bare_loop does.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/clock.h"
#include "host/base/loop.h"
#include "host/process/client/keeper.h"
#include "host/process/keeper/keeper.h"

extern char** environ;

namespace {

using namespace moonlet;

struct Work {
  long to_start = 2000;
  long width = 64;
  long megabytes = 0;
  bool durable = false;
  std::optional<Confinement> confinement;
  std::string capture;
  std::vector<std::string> argv;
};

class Bench {
 public:
  Bench(const Work& work, Keeper& keeper, Loop& loop) : work_(work), keeper_(keeper), loop_(loop) {
    spec_.step = "bench";
    spec_.argv = work.argv;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      spec_.env.emplace_back(*variable);
    }
    spec_.cwd = std::filesystem::current_path().string();
    spec_.durable = work.durable;
    spec_.confinement = work.confinement;
    if (!work.capture.empty()) {
      spec_.out = OutputSpec::to_file("captured", std::uint64_t{1} << 40);
      work_.to_start = work_.width = 1;
    }
  }

  ~Bench() {
    for (const auto& child : running_) {
      if (child) child->on_complete([] {});
    }
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// Returns true if every child succeeded.
  bool run() {
    running_.resize(static_cast<std::size_t>(work_.width));
    for (std::size_t i = 0; i < running_.size() && work_.to_start > 0; ++i) start(i);
    while (live_ > 0 && loop_.run_once()) {
    }
    return failed_ == 0 && live_ == 0;
  }

 private:
  void start(std::size_t slot) {
    --work_.to_start;
    ++live_;
    running_[slot] = keeper_.spawn(spec_);
    running_[slot]->on_complete([this, slot] {
      --live_;
      const ChildExit& exit = running_[slot]->exit();
      if (!exit.success() && ++failed_ == 1) {
        std::fprintf(stderr, "%s: %s\n", std::string(to_string(exit.why)).c_str(),
                     exit.error.message.c_str());
      }
      if (work_.to_start > 0) start(slot);
    });
  }

  Work work_;
  Keeper& keeper_;
  Loop& loop_;
  ChildSpec spec_;
  std::vector<std::shared_ptr<ChildOperation>> running_;
  long live_ = 0;
  long failed_ = 0;
};

bool parse(int argc, char** argv, Work& work) {
  int option;
  while ((option = getopt(argc, argv, "+n:w:m:c:dfF")) != -1) {
    switch (option) {
      case 'n':
        work.to_start = std::atol(optarg);
        break;
      case 'w':
        work.width = std::atol(optarg);
        break;
      case 'm':
        work.megabytes = std::atol(optarg);
        break;
      case 'c':
        work.capture = optarg;
        break;
      case 'd':
        work.durable = true;
        break;
      case 'f':
      case 'F':
        work.confinement = Confinement{{"/tmp", "/var/tmp"}, {}, option == 'F'};
        break;
      default:
        return false;
    }
  }
  work.argv.assign(argv + optind, argv + argc);
  return !work.argv.empty() && work.to_start > 0 && work.width > 0;
}

int run_bench(const Work& work) {
  // The memory stays allocated, because the benchmark is of a large host that starts children.
  std::vector<char> ballast(static_cast<std::size_t>(work.megabytes) << 20, 1);
  std::string directory = work.capture;
  if (directory.empty()) {
    directory = "/tmp/moonlet-bench.XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) return 1;
  }
  int run_dir = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  SystemClock clock;
  bool fine = false;
  const auto start = std::chrono::steady_clock::now();
  {
    Loop loop(clock);
    KeeperOptions options;
    options.program = std::filesystem::read_symlink("/proc/self/exe").string();
    options.run_dir_fd = run_dir;
    options.run_id = "R-001";
    auto keeper = Keeper::start(loop, std::move(options));
    if (keeper) {
      fine = Bench(work, **keeper, loop).run();
    } else {
      std::fprintf(stderr, "%s\n", keeper.error().message.c_str());
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (work.megabytes > 0) std::printf("elapsed %.6f\n", took.count());
  close(run_dir);
  // Captured files stay, because removing a gigabyte takes time and is not part of the work.
  if (work.capture.empty()) std::filesystem::remove_all(directory);
  return fine && ballast.size() == static_cast<std::size_t>(work.megabytes) << 20 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "keeper") == 0) {
    return moonlet::keeper_main(argc - 2, argv + 2);
  }
  Work work;
  if (!parse(argc, argv, work)) {
    std::fprintf(stderr, "usage: keeper_loop [-n N] [-w W] [-m MB] [-c DIR] COMMAND ARG...\n");
    return 2;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  return run_bench(work);
}
