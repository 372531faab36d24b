// Measures how far a script of tests/sandbox that is killed exceeds its limit. Each script runs in
// a process of its own with `time` ms and `memory` MB. Prints the milliseconds from the limit to
// the end of the command, and how much more the process grew than with an empty script.
//   sandbox_limits MOONLET FILE.lua…
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "moonlet/engine.h"

namespace fs = std::filesystem;

namespace {

struct Limits {
  long time_ms = 5000;
  long memory_mb = 256;
  bool killed = false, by_memory = false, with_children = false;
};

Limits read_limits(const fs::path& file) {
  Limits limits;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line) && line.rfind("-- ", 0) == 0;) {
    if (line.find("expect: killed") != std::string::npos) limits.killed = true;
    // A script with children is skipped, because the end of the children takes extra time.
    if (line.find("gone:") != std::string::npos) limits.with_children = true;
    if (line.find("killed memory") != std::string::npos) limits.by_memory = true;
    if (line.find("limits:") == std::string::npos) continue;
    if (const auto at = line.find("time="); at != std::string::npos) {
      limits.time_ms = std::atol(line.c_str() + at + 5);
    }
    if (const auto at = line.find("memory="); at != std::string::npos) {
      limits.memory_mb = std::atol(line.c_str() + at + 7);
    }
  }
  return limits;
}

struct Figures {
  double ms = 0;
  long peak_kb = 0;
  bool limit_error = false;
};

// Runs the whole command in the child process, which reports through a pipe.
Figures measure_here(const char* moonlet, const fs::path& file, const Limits& limits) {
  struct sigaction action {};
  action.sa_handler = moonlet::Engine::on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGURG, &action, nullptr);
  moonlet::EngineOptions options;
  options.directory = fs::current_path().string();
  options.moonlet_program = moonlet;
  options.lua_memory_bytes = static_cast<std::size_t>(limits.memory_mb) << 20;
  options.lua_run_ms = limits.time_ms;
  options.interrupt_signal = SIGURG;
  auto engine = moonlet::Engine::open(options);
  if (!engine) return {};
  const auto start = std::chrono::steady_clock::now();
  auto run = engine->start(moonlet::Request::command({"run", file.string(), "--allow", "all"}));
  if (!run || !run->wait()) return {};
  const auto outcome = run->result();
  Figures figures;
  figures.ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  figures.peak_kb = usage.ru_maxrss;
  figures.limit_error =
      outcome && outcome->envelope.find("\"kind\":\"limit\"") != std::string::npos;
  return figures;
}

Figures measure(const char* moonlet, const fs::path& file, const Limits& limits) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    const Figures figures = measure_here(moonlet, file, limits);
    (void)!write(ends[1], &figures, sizeof figures);
    _exit(0);
  }
  close(ends[1]);
  Figures figures;
  (void)!read(ends[0], &figures, sizeof figures);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const fs::path nothing = fs::current_path() / "nothing.lua";
  std::ofstream(nothing) << "return ctx.task_id\n";
  const Figures base = measure(argv[1], nothing, {});
  double latest = 0, most = 0;
  int by_time = 0, by_memory = 0, unnamed = 0;
  for (int i = 2; i < argc; ++i) {
    const Limits limits = read_limits(argv[i]);
    if (!limits.killed || limits.with_children) continue;
    const Figures figures = measure(argv[1], argv[i], limits);
    if (!figures.limit_error) ++unnamed;
    if (limits.by_memory) {
      ++by_memory;
      const double ratio = static_cast<double>(figures.peak_kb - base.peak_kb) /
                           (static_cast<double>(limits.memory_mb) * 1024);
      if (ratio > most) most = ratio;
    } else {
      ++by_time;
      const double late = figures.ms - static_cast<double>(limits.time_ms) - base.ms;
      if (late > latest) latest = late;
      if (late > 100) std::printf("  %s: %.0f ms late\n", argv[i], late);
    }
  }
  std::printf("  %d killed for time, the latest %.0f ms after its limit\n", by_time, latest);
  std::printf("  %d killed for memory, the largest grew by %.2f of its cap\n", by_memory, most);
  if (unnamed > 0) std::printf("  %d ended without a limit error\n", unnamed);
  return unnamed > 0;
}
