#include "host/executor/tools/bash.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "host/base/text.h"
#include "host/process/child/confine.h"
#include "host/process/child/program.h"
#include "host/process/child/spawn.h"
#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"

namespace moonlet::executor {

namespace {

constexpr std::size_t kOutputCap = 30'000;
constexpr std::int64_t kGraceMs = 1000, kDrainMs = 500, kKillMs = 5000;
const std::string kTemporary = "moonlet-executor-";
constexpr rlim_t kLargestFile = 4ULL << 30;
constexpr std::size_t kMostAtTop = 10'000;

constexpr const char* kPassedOn[] = {
    "PATH",   "HOME",       "USER",        "LOGNAME",       "SHELL",        "LANG",
    "TZ",     "LC_ALL",     "LC_CTYPE",    "SSL_CERT_FILE", "SSL_CERT_DIR", "JAVA_HOME",
    "GOPATH", "CARGO_HOME", "RUSTUP_HOME", "VIRTUAL_ENV",   "NVM_DIR"};

Error no_confinement(const std::string& why) {
  return {ErrorKind::kDenied, "Bash cannot be confined here: " + why,
          "--no-bash goes without it; --unconfined runs commands with your own rights"};
}

/// Locks a temporary folder while it is in use. Returns no Fd if another process has locked it.
Fd lock_folder(const std::string& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) folder.close();
  return folder;
}

/// Removes the temporary folders that killed executors have left in `base`.
void sweep_temporaries(const std::string& base) {
  auto parent = Dir::open(base);
  if (!parent) return;
  std::vector<std::string> left;
  (void)parent->each(".", [&](const Entry& entry) {
    if (entry.kind == EntryKind::kDir && entry.name.size() == kTemporary.size() + 6 &&
        entry.name.rfind(kTemporary, 0) == 0) {
      left.push_back(entry.name);
    }
    return left.size() < 1000;
  });
  for (const std::string& name : left) {
    struct stat info {};
    const Fd lock = lock_folder(base + "/" + name);
    if (!lock || ::fstat(lock.get(), &info) != 0 || info.st_uid != ::geteuid()) continue;
    (void)parent->remove_tree(name);
  }
}

}  // namespace

struct Bash::Child {
  int pid = 0;
  Fd output;
  Fd exit;
  MiddleCut text{kOutputCap};
  int status = 0;
  bool timed_out = false, interrupted = false;

  /// Reads some output, so that the caller can check its limits. Returns false at the end.
  bool read() {
    char buffer[16 * 1024];
    for (int i = 0; i < 64; ++i) {
      const long size = read_some(output.get(), buffer, sizeof buffer);
      if (size < 0 && errno == EAGAIN) return true;
      if (size <= 0) return false;
      text.feed({buffer, static_cast<std::size_t>(size)});
    }
    return true;
  }
};

Result<std::unique_ptr<Bash>> Bash::make(const Workspace& workspace, BashOptions options,
                                         const Limit& limit) {
  if (options.confined) {
    const auto support = confinement_support();
    if (support.abi < 1) return no_confinement(support.reason);
  }
  std::unique_ptr<Bash> bash(new Bash(workspace, std::move(options), limit));
  auto program = find_program("bash", std::getenv("PATH"), {});
  if (!program) program = find_program("sh", std::getenv("PATH"), {});
  if (!program) return program.error();
  bash->program_ = *program;
  const char* base = std::getenv("TMPDIR");
  std::string folder =
      std::string(base != nullptr && base[0] == '/' ? base : "/tmp") + "/" + kTemporary + "XXXXXX";
  sweep_temporaries(folder.substr(0, folder.rfind('/')));
  const std::string pattern = folder;
  // Try again if another executor has removed the folder before this process could lock it.
  for (int tries = 0; tries < 5 && !bash->temporary_lock_; ++tries) {
    folder = pattern;
    if (::mkdtemp(folder.data()) == nullptr) {
      return Error::from_errno(errno, "make a temporary folder for commands", folder);
    }
    bash->temporary_lock_ = lock_folder(folder);
    if (::access(folder.c_str(), F_OK) != 0) bash->temporary_lock_.close();
  }
  bash->temporary_ = folder;
  bash->try_mounts();
  return bash;
}

Bash::~Bash() {
  if (temporary_.empty()) return;
  const auto slash = temporary_.rfind('/');
  if (auto parent = Dir::open(slash == 0 ? "/" : temporary_.substr(0, slash))) {
    (void)parent->remove_tree(temporary_.substr(slash + 1));
  }
}

std::vector<std::string> Bash::environment() const {
  std::vector<std::string> list;
  const auto pass = [&](const std::string& name) {
    if (const char* value = std::getenv(name.c_str())) list.push_back(name + "=" + value);
  };
  for (const char* name : kPassedOn) pass(name);
  for (const std::string& name : options_.env_names) pass(name);
  for (const char* more : {"TERM=dumb", "PAGER=cat", "GIT_PAGER=cat", "GIT_TERMINAL_PROMPT=0",
                           "GIT_OPTIONAL_LOCKS=0", "MOONLET_WORKER=1"}) {
    list.emplace_back(more);
  }
  list.push_back("TMPDIR=" + temporary_);
  list.push_back("PYTHONPYCACHEPREFIX=" + temporary_ + "/pycache");
  list.push_back("XDG_CACHE_HOME=" + temporary_ + "/cache");
  return list;
}

/// Makes the Landlock rules for a command. Without read-only mounts, the rules must protect .git.
/// Landlock cannot exclude a subfolder from a writable folder, so they permit writing in each of
/// the other top-level folders instead.
Result<Fd> Bash::make_rules() const {
  const Dir& root = workspace_.root();
  Confinement rules;
  rules.writable = {temporary_};
  if (keeps_folders_) {
    rules.keeping_folders = {root.path()};
    auto listing = root.list(".", kMostAtTop);
    if (!listing) return listing.error();
    for (const Entry& entry : listing->entries) {
      if (entry.kind != EntryKind::kDir || workspace_.is_read_only(entry.name, true)) continue;
      rules.writable.push_back(root.path_of(entry.name));
    }
  } else if (!options_.read_only) {
    rules.writable.push_back(root.path());
  }
  rules.no_network = !options_.network && confinement_support().abi >= 4;
  return make_ruleset(rules, {program_, std::getenv("PATH"), std::getenv("HOME"), {}});
}

/// Returns the read-only places that a mount can protect. They are at the top of the root, because
/// a command could otherwise move a parent folder together with the mount.
std::vector<std::string> Bash::places_to_hold() const {
  std::vector<std::string> places;
  if (!can_mount_) return places;
  for (const std::string& place : workspace_.read_only()) {
    auto info = workspace_.root().stat(place);
    const bool at_top = place.find('/') == std::string::npos;
    if (at_top && info && info->kind != EntryKind::kLink) places.push_back(place);
  }
  return places;
}

Result<int> Bash::start(const std::string& command, int output_fd,
                        const std::vector<std::string>& held) const {
  std::vector<std::string> argv = {program_, "-c", command};
  std::vector<std::string> env = environment();
  auto argv_list = pointers(argv);
  auto env_list = pointers(env);
  Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SpawnRequest request;
  request.path = program_.c_str();
  request.argv = argv_list.data();
  request.envp = env_list.data();
  request.cwd = workspace_.root().path().c_str();
  request.fds = {null.get(), output_fd, output_fd};
  request.die_with_parent = true;
  request.limits = {{RLIMIT_CORE, {0, 0}}, {RLIMIT_FSIZE, {kLargestFile, kLargestFile}}};
  Fd ruleset;
  if (options_.confined) {
    auto made = make_rules();
    if (!made) return made.error();
    ruleset = std::move(*made);
    request.ruleset_fd = ruleset.get();
    request.no_sockets = !options_.network;
    for (const auto& place : held) request.read_only.push_back(workspace_.root().path_of(place));
  }
  auto started = spawn(request);
  if (!started) return started.error();
  return static_cast<int>(started->pid);
}

/// Runs a trivial command to find out whether the kernel allows read-only mounts.
void Bash::try_mounts() {
  if (!options_.confined || options_.read_only) return;
  const Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const auto pid = start(":", null.get(), {"."});
  can_mount_ = pid.ok();
  if (pid) ::waitpid(*pid, nullptr, 0);
  for (const char* name : {".git", ".agent"}) {
    const auto records = workspace_.root().stat(name);
    const bool is_folder = records && records->kind == EntryKind::kDir;
    keeps_folders_ = keeps_folders_ || (!can_mount_ && is_folder);
  }
}

void Bash::wait(Child& child, std::int64_t until_ms) {
  bool open = true;
  std::int64_t kill_at = 0, drained_at = 0;
  for (bool reaped = false;;) {
    if (open && !child.read()) open = false;
    if (!reaped) reaped = ::waitpid(child.pid, &child.status, WNOHANG) == child.pid;
    const std::int64_t now = limit_.clock->monotonic_ms();
    if (reaped && drained_at == 0) drained_at = now + kDrainMs;
    if (reaped && (!open || now >= drained_at)) return;
    if (!reaped && kill_at == 0 && (now >= until_ms || child.interrupted)) {
      child.timed_out = !child.interrupted;
      kill_at = now + kGraceMs;
      ::kill(-child.pid, SIGTERM);
    } else if (!reaped && kill_at != 0 && now >= kill_at) {
      ::kill(-child.pid, SIGKILL);
      ::kill(child.pid, SIGKILL);
    }
    pollfd fds[3] = {{open ? child.output.get() : -1, POLLIN, 0},
                     {child.exit.get(), POLLIN, 0},
                     {child.interrupted ? -1 : limit_.stop_fd, POLLIN, 0}};
    if (reaped || !child.exit) fds[1].fd = -1;
    const std::int64_t next = reaped ? drained_at : kill_at != 0 ? kill_at : until_ms;
    const auto pause = std::clamp<std::int64_t>(next - now, 1, child.exit ? 60'000 : 20);
    ::poll(fds, 3, static_cast<int>(pause));
    if ((fds[2].revents & POLLIN) != 0) child.interrupted = true;
  }
}

ToolResult Bash::run(const Arguments& arguments) {
  auto command = arguments.text("command");
  if (!command) return command.error();
  if (command->find('\0') != std::string::npos) {
    return invalid("the command contains a NUL byte", {});
  }
  auto asked = arguments.integer_or("timeout_ms", kDefaultMs);
  if (!asked) return asked.error();
  if (*asked <= 0) {
    return invalid("timeout_ms must be positive",
                   "leave it out for " + std::to_string(kDefaultMs) + " ms");
  }
  const std::int64_t limit = std::min<std::int64_t>(*asked, kLongestMs);

  Child child;
  int ends[2] = {-1, -1};
  if (!make_output_pipe(ends[0], ends[1])) return Error::from_errno(errno, "make a pipe");
  child.output = Fd(ends[0]);
  Fd write_end(ends[1]);
  const auto held = places_to_hold();
  guard_.remember(held);
  auto pid = start(*command, write_end.get(), held);
  write_end.close();
  if (!pid) return pid.error();
  child.pid = *pid;
  child.exit = Fd(open_process_fd(child.pid));
  std::int64_t until = limit_.clock->monotonic_ms() + limit;
  if (limit_.deadline_ms > 0) until = std::min(until, limit_.deadline_ms);
  wait(child, until);
  const auto tree = find_tree(list_processes(), ::getpid(), {});
  const auto before = std::count_if(tree.begin(), tree.end(),
                                    [](const TreeMember& member) { return !member.info.zombie; });
  const std::size_t left = end_all_descendants(kKillMs);
  child.read();

  ToolResult result;
  result.output = strip_controls(child.text.text());
  const auto note = [&](const std::string& text) {
    if (!result.output.empty() && result.output.back() != '\n') result.output += '\n';
    result.output += "[" + text + "]\n";
  };
  if (before > 0) {
    note(std::to_string(before) + (before == 1 ? " process that it" : " processes that it") +
         " left running " + (before == 1 ? "was" : "were") + " ended");
  }
  if (left > 0) note(std::to_string(left) + " processes could not be ended");
  for (const std::string& path : guard_.put_back()) {
    const std::string full = "/" + path;
    if (full.size() >= 11 && full.compare(full.size() - 11, 11, "/.git/index") == 0) continue;
    note(path[0] == '!' ? path.substr(1) +
                              " was changed, is read-only to tools and could not be "
                              "put back"
                        : path + " is read-only to tools: the change was undone");
    result.status = ToolResult::Status::kDenied;
  }
  if (child.interrupted) {
    note("ended by a signal");
  } else if (child.timed_out) {
    note("ended after " + std::to_string(limit) + " ms: give it a longer timeout_ms, at most " +
         std::to_string(kLongestMs));
  } else if (WIFSIGNALED(child.status)) {
    result.exit_code = 128 + WTERMSIG(child.status);
    note("ended by signal " + std::to_string(WTERMSIG(child.status)));
  } else {
    result.exit_code = WEXITSTATUS(child.status);
    note("exit code " + std::to_string(result.exit_code));
  }
  if (result.status == ToolResult::Status::kOk && result.exit_code != 0) {
    result.status = ToolResult::Status::kFailed;
  }
  return result;
}

}  // namespace moonlet::executor
