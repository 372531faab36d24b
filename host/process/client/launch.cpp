#include "host/process/client/launch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/process/child/spawn.h"
#include "host/process/child/tree.h"

extern char** environ;

namespace moonlet {

namespace {

// Returns the environment of the keeper process. Children get another one, from their ChildSpec.
std::vector<char*> keeper_environment() {
  std::vector<char*> list;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    std::string_view name = text.substr(0, text.find('='));
    bool sanitizer = name.size() > 8 && name.substr(name.size() - 8) == "_OPTIONS" &&
                     name.find("SAN") != std::string_view::npos;
    if (name == kMarkName || name == "LD_LIBRARY_PATH" || name == "DYLD_LIBRARY_PATH" ||
        name.starts_with("GCOV_PREFIX") || sanitizer) {
      list.push_back(*entry);
    }
  }
  list.push_back(nullptr);
  return list;
}

bool cgroups_wanted() {
  const char* wish = std::getenv("MOONLET_CGROUPS");
  return wish == nullptr || std::string_view(wish) != "0";
}

// All engines of this process share this list of guards that must be reaped.
std::mutex left_guards_mutex;
std::vector<pid_t> left_guards;

}  // namespace

void leave_guard(pid_t guard) {
  const std::lock_guard lock(left_guards_mutex);
  left_guards.push_back(guard);
}

std::size_t reap_left_guards() {
  const std::lock_guard lock(left_guards_mutex);
  std::erase_if(left_guards, [](pid_t guard) { return waitpid(guard, nullptr, WNOHANG) != 0; });
  return left_guards.size();
}

Result<LaunchedKeeper> launch_keeper(const KeeperOptions& options) {
  reap_left_guards();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
    return Error::from_errno(errno, "make a socket for the keeper");
  }
  Fd ours(ends[0]), theirs(ends[1]);
  for (int fd : ends) fcntl(fd, F_SETFD, FD_CLOEXEC);
  Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return Error::from_errno(errno, "open", "/dev/null");

  std::vector<std::string> words{options.program, "keeper",
                                 "--dir",         "3",
                                 "--socket",      "4",
                                 "--output",      "5",
                                 "--run",         options.run_id,
                                 "--generation",  std::to_string(options.generation)};
  if (options.live_dir_fd >= 0) {
    words.insert(words.end(), {"--live", "6", "--label", options.label});
  }
  if (options.publishes) words.emplace_back("--publish");
  if (!cgroups_wanted()) words.emplace_back("--no-cgroups");
  const std::vector<char*> argv = pointers(words);
  std::vector<char*> env = keeper_environment();

  SpawnRequest request;
  request.path = options.program.c_str();
  request.argv = argv.data();
  request.envp = env.data();
  request.fds = {null.get(),         null.get(),   null.get(),
                 options.run_dir_fd, theirs.get(), options.output_dir_fd};
  if (options.live_dir_fd >= 0) request.fds.push_back(options.live_dir_fd);
  auto started = spawn(request);
  if (!started) return started.error();
  return LaunchedKeeper{std::move(ours), started->pid};
}

}  // namespace moonlet
