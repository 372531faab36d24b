// moonlet-keeper is the keeper as a static executable, for machines without moonlet.
// A host on another machine copies it there, and calls it over ssh or in a scheduler's job.
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <string_view>

#include "host/base/fd.h"
#include "host/base/json.h"
#include "host/process/child/program.h"
#include "host/process/keeper/keeper.h"
#include "host/process/remote/service.h"

namespace {

using moonlet::Error;
using moonlet::Result;

constexpr std::string_view kUsage =
    "usage: moonlet-keeper probe|start|prepare|look|end|remove DIR   (a request as JSON on its "
    "input)\n"
    "       moonlet-keeper job DIR MAP\n"
    "moonlet calls it on other machines; nobody needs to call it by hand.\n";

std::string read_input() {
  std::string text;
  char part[65536];
  for (long got; (got = moonlet::read_some(STDIN_FILENO, part, sizeof part)) > 0;) {
    text.append(part, static_cast<std::size_t>(got));
  }
  return text;
}

/// Returns the absolute path of a file or folder without links, or the given path if it is missing.
std::string real_path(const char* given) {
  char path[PATH_MAX];
  return realpath(given, path) != nullptr ? path : given;
}

using Command = std::function<Result<void>(const std::string& root, const nlohmann::json& request)>;

Result<void> serve(const Command& command, const std::string& root) {
  std::string input = read_input();
  if (input.empty()) input = "{}";
  auto request = moonlet::parse_json(input, moonlet::kRecordJsonLimits);
  if (!request) return request.error();
  return command(root, *request);
}

int run(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "keeper") return moonlet::keeper_main(argc - 2, argv + 2);
  if (command == "--version") {
    std::printf("moonlet-keeper %s\n", MOONLET_VERSION);
    return 0;
  }
  signal(SIGPIPE, SIG_IGN);
  std::string program = moonlet::running_program();
  // Without /proc, use the name by which this program was called. moonlet calls it by its path.
  if (program.empty()) program = real_path(argv[0]);
  if (command == "job" && argc == 4) {
    const char* task = std::getenv("SLURM_ARRAY_TASK_ID");
    const auto index = task != nullptr ? std::strtoul(task, nullptr, 10) : 0;
    return moonlet::remote_job(real_path(argv[2]), argv[3], index, program);
  }
  const auto start = [&](const std::string& root, const nlohmann::json& request) {
    return moonlet::remote_start(root, request, program);
  };
  const std::pair<std::string_view, Command> commands[] = {
      {"probe", moonlet::remote_probe},     {"start", start},
      {"prepare", moonlet::remote_prepare}, {"look", moonlet::remote_look},
      {"end", moonlet::remote_end},         {"remove", moonlet::remote_remove}};
  for (const auto& [name, serves] : commands) {
    if (command != name || argc != 3) continue;
    auto served = serve(serves, real_path(argv[2]));
    if (!served) std::fprintf(stderr, "moonlet-keeper: %s\n", served.error().message.c_str());
    return std::fflush(stdout) == 0 && served ? 0 : 1;
  }
  std::fwrite(kUsage.data(), 1, kUsage.size(), stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& err) {
    std::fprintf(stderr, "moonlet-keeper: %s\n", err.what());
    return 1;
  }
}
