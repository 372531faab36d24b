// fault [OPTION]… -- COMMAND…: runs a moonlet command and, at one chosen system call of it or of
// its keeper, kills processes, makes the call fail, or shortens the write. Exits as the command
// does (128 + signal when it was killed; 77 where processes cannot be traced).
//   --who LIST     calls of these processes: host, keeper (its worker), guard, child (of the
//   worker,
//                  up to its exec). Default host.
//   --call LIST    these calls: read, write, sync, stat, open, rename, mkdir, unlink, truncate,
//                  send, recv, fork, descriptor (pipe, socket, accept, dup, epoll, event). Default
//                  write.
//   --path TEXT    only those on a file whose path contains TEXT
//   --not TEXT     and not TEXT
//   --nth N        the N-th such call of them all; without it they are only counted
//   --on           and every later one
//   --kill LIST    SIGKILL to the host, the keeper's worker, the guard, or all three
//   --after        once the call was done, not before
//   --error NAME   the call fails
//   --short N      a write takes N bytes at most
//   --log FILE     a line for each such call: number, process, call, path; and "fired"
// Processes that exec another program are no longer traced. The tracing ends with this program, and
// the remaining processes continue.
#include <cstdio>

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <elf.h>
#include <limits.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

// Redefines the kernel's struct, because the C library's header names it differently.
struct SyscallInfo {
  std::uint8_t op;
  std::uint8_t pad[3];
  std::uint32_t arch;
  std::uint64_t instruction_pointer, stack_pointer;
  union {
    struct {
      std::uint64_t nr, args[6];
    } entry;
    struct {
      std::int64_t rval;
      std::uint8_t is_error;
    } exit;
  };
};
constexpr int kEntry = 1, kExit = 2;
constexpr auto kGetSyscallInfo = static_cast<__ptrace_request>(0x420e);

/// The indexes of the arguments by which a system call names its file: a descriptor, or a folder
/// and a path.
struct Call {
  const char* family;
  const char* name;
  int fd = -1, dir = -1, path = -1;
};

const std::map<long, Call>& calls() {
  static const std::map<long, Call> all = {
      {SYS_write, {"write", "write", 0}},
      {SYS_pwrite64, {"write", "pwrite64", 0}},
      {SYS_writev, {"write", "writev", 0}},
      {SYS_pwritev, {"write", "pwritev", 0}},
      {SYS_fsync, {"sync", "fsync", 0}},
      {SYS_fdatasync, {"sync", "fdatasync", 0}},
      {SYS_syncfs, {"sync", "syncfs", 0}},
      {SYS_ftruncate, {"truncate", "ftruncate", 0}},
      {SYS_read, {"read", "read", 0}},
      {SYS_pread64, {"read", "pread64", 0}},
      {SYS_newfstatat, {"stat", "newfstatat", -1, 0, 1}},
      {SYS_statx, {"stat", "statx", -1, 0, 1}},
      {SYS_openat, {"open", "openat", -1, 0, 1}},
      {SYS_openat2, {"open", "openat2", -1, 0, 1}},
      {SYS_renameat2, {"rename", "renameat2", -1, 2, 3}},
      {SYS_mkdirat, {"mkdir", "mkdirat", -1, 0, 1}},
      {SYS_unlinkat, {"unlink", "unlinkat", -1, 0, 1}},
      {SYS_sendmsg, {"send", "sendmsg", 0}},
      {SYS_sendto, {"send", "sendto", 0}},
      {SYS_recvmsg, {"recv", "recvmsg", 0}},
      {SYS_clone, {"fork", "clone"}},
      {SYS_clone3, {"fork", "clone3"}},
      {SYS_pipe2, {"descriptor", "pipe2"}},
      {SYS_socket, {"descriptor", "socket"}},
      {SYS_socketpair, {"descriptor", "socketpair"}},
      {SYS_accept4, {"descriptor", "accept4"}},
      {SYS_dup, {"descriptor", "dup"}},
      {SYS_epoll_create1, {"descriptor", "epoll_create1"}},
      {SYS_eventfd2, {"descriptor", "eventfd2"}},
      {SYS_timerfd_create, {"descriptor", "timerfd_create"}},
      {SYS_pidfd_open, {"descriptor", "pidfd_open"}},
#ifdef __x86_64__
      {SYS_open, {"open", "open", -1, -1, 0}},
      {SYS_rename, {"rename", "rename", -1, -1, 1}},
      {SYS_renameat, {"rename", "renameat", -1, 2, 3}},
      {SYS_mkdir, {"mkdir", "mkdir", -1, -1, 0}},
      {SYS_unlink, {"unlink", "unlink", -1, -1, 0}},
      {SYS_rmdir, {"unlink", "rmdir", -1, -1, 0}},
      {SYS_fork, {"fork", "fork"}},
      {SYS_vfork, {"fork", "vfork"}},
      {SYS_pipe, {"descriptor", "pipe"}},
#endif
  };
  return all;
}

const std::map<std::string, int>& errors() {
  static const std::map<std::string, int> all = {
      {"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EMFILE", EMFILE}, {"ENFILE", ENFILE},
      {"EINTR", EINTR},   {"EACCES", EACCES}, {"EROFS", EROFS},   {"EDQUOT", EDQUOT},
      {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"EFBIG", EFBIG},   {"EPIPE", EPIPE},
  };
  return all;
}

struct Options {
  std::set<std::string> who, calls, victims;
  std::string path, not_path, log;
  long nth = 0, shorter = 0;
  int error = 0;
  bool on = false, after = false;
  std::vector<char*> command;
};

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "fault: %s\n", text.c_str());
  std::exit(76);
}

std::set<std::string> words_of(const std::string& text) {
  std::set<std::string> words;
  std::stringstream list(text);
  for (std::string word; std::getline(list, word, ',');) words.insert(word);
  return words;
}

Options parse(int argc, char** argv) {
  Options options;
  int i = 1;
  for (; i < argc && std::string(argv[i]) != "--"; ++i) {
    const std::string name = argv[i];
    if (name == "--on" || name == "--after") {
      (name == "--on" ? options.on : options.after) = true;
      continue;
    }
    if (i + 1 >= argc) fail(name + " needs a value");
    const std::string value = argv[++i];
    if (name == "--who") {
      options.who = words_of(value);
    } else if (name == "--call") {
      options.calls = words_of(value);
    } else if (name == "--kill") {
      options.victims = words_of(value);
    } else if (name == "--path") {
      options.path = value;
    } else if (name == "--not") {
      options.not_path = value;
    } else if (name == "--log") {
      options.log = value;
    } else if (name == "--nth") {
      options.nth = std::stol(value);
    } else if (name == "--short") {
      options.shorter = std::stol(value);
    } else if (name == "--error") {
      if (errors().count(value) == 0) fail("unknown error " + value);
      options.error = errors().at(value);
    } else {
      fail("unknown option " + name);
    }
  }
  for (++i; i < argc; ++i) options.command.push_back(argv[i]);
  if (options.command.empty()) fail("which command?");
  options.command.push_back(nullptr);
  if (options.who.empty()) options.who = {"host"};
  if (options.calls.empty()) options.calls = {"write"};
  return options;
}

std::string link_of(const std::string& path) {
  char text[PATH_MAX];
  const ssize_t size = readlink(path.c_str(), text, sizeof text);
  return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

std::string proc(pid_t pid, const std::string& name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

pid_t group_of(pid_t task) {
  std::ifstream status(proc(task, "status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Tgid:", 0) == 0) return static_cast<pid_t>(std::stol(line.substr(5)));
  }
  return task;
}

std::string string_at(pid_t task, std::uint64_t address) {
  std::string text;
  for (char part[64]; text.size() < PATH_MAX; address += sizeof part) {
    // Reads at most up to the end of a page, because the next page may be unmapped.
    const std::size_t room = std::min<std::size_t>(sizeof part, 4096 - address % 4096);
    iovec here{part, room}, there{reinterpret_cast<void*>(address), room};
    const ssize_t got = process_vm_readv(task, &here, 1, &there, 1, 0);
    if (got <= 0) break;
    const auto* end = static_cast<char*>(std::memchr(part, 0, static_cast<std::size_t>(got)));
    text.append(part, end != nullptr ? static_cast<std::size_t>(end - part)
                                     : static_cast<std::size_t>(got));
    if (end != nullptr) break;
    address -= sizeof part - room;
  }
  return text;
}

class Tracer {
 public:
  explicit Tracer(Options options) : options_(std::move(options)) {
    if (!options_.log.empty()) log_.open(options_.log);
  }

  int run() {
    start();
    for (;;) {
      int status = 0;
      const pid_t task = waitpid(-1, &status, __WALL);
      if (task < 0 && errno == EINTR) continue;
      if (task < 0) return 76;
      if (WIFSTOPPED(status)) {
        stopped(task, status);
        continue;
      }
      inside_.erase(task);
      roles_.erase(task);
      if (task != host_) continue;
      log_.close();
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }

 private:
  struct Inside {
    bool fires = false;
    bool fails = false;
  };

  // LeakSanitizer traces its own process at the end. A traced process cannot do that, and would
  // exit with 1.
  static void leave_leaks() {
    const char* given = getenv("ASAN_OPTIONS");
    const std::string options = given == nullptr ? "" : std::string(given) + ":";
    setenv("ASAN_OPTIONS", (options + "detect_leaks=0").c_str(), 1);
  }

  void start() {
    int ready[2];
    if (pipe(ready) != 0) fail("no pipe");
    host_ = fork();
    if (host_ < 0) fail("no fork");
    if (host_ == 0) {
      char byte;
      close(ready[1]);
      if (read(ready[0], &byte, 1) < 0) _exit(76);
      close(ready[0]);
      leave_leaks();
      execvp(options_.command[0], options_.command.data());
      _exit(127);
    }
    close(ready[0]);
    const long events = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                        PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SEIZE, host_, 0, events) != 0 || ptrace(PTRACE_INTERRUPT, host_, 0, 0) != 0) {
      std::fprintf(stderr, "fault: processes cannot be traced here: %s\n", std::strerror(errno));
      kill(host_, SIGKILL);
      std::exit(77);
    }
    roles_[host_] = "start";
    close(ready[1]);
  }

  void go_on(pid_t task, int signal = 0) { ptrace(PTRACE_SYSCALL, task, 0, signal); }

  const std::string& role_of(pid_t task) { return roles_[task]; }

  void stopped(pid_t task, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) return called(task);
    if (event == PTRACE_EVENT_STOP && roles_.count(task) == 0) {
      early_.insert(task);  // the task waits until its parent has reported it
      return;
    }
    switch (event) {
      case PTRACE_EVENT_FORK:
      case PTRACE_EVENT_VFORK:
      case PTRACE_EVENT_CLONE:
        made(task);
        return go_on(task);
      case PTRACE_EVENT_EXEC:
        return executed(task);
      case PTRACE_EVENT_STOP:
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
          ptrace(PTRACE_LISTEN, task, 0, 0);
          return;
        }
        return go_on(task);
      default:
        return go_on(task, signal);
    }
  }

  void made(pid_t task) {
    unsigned long child = 0;
    ptrace(PTRACE_GETEVENTMSG, task, 0, &child);
    const auto pid = static_cast<pid_t>(child);
    const std::string role = role_of(task);
    if (group_of(pid) != pid) {
      roles_[pid] = role;  // a thread
    } else if (role == "guard") {
      roles_[pid] = "keeper";
      victims_["keeper"] = pid;
    } else {
      roles_[pid] = role == "keeper" ? "child" : "made";
    }
    if (early_.erase(pid) != 0) go_on(pid);
  }

  void executed(pid_t task) {
    const std::string program = link_of(proc(task, "exe"));
    if (roles_[task] == "start") {
      program_ = program;
      roles_[task] = "host";
      victims_["host"] = task;
      return go_on(task);
    }
    std::ifstream file(proc(task, "cmdline"));
    std::string first, second;
    std::getline(file, first, '\0');
    std::getline(file, second, '\0');
    if (program == program_ && second == "keeper") {
      roles_[task] = "guard";
      victims_["guard"] = task;
      return go_on(task);
    }
    roles_.erase(task);
    inside_.erase(task);
    ptrace(PTRACE_DETACH, task, 0, 0);
  }

  std::string path_of(pid_t task, const Call& call, const SyscallInfo& info) {
    const auto fd_path = [&](int argument) {
      const int fd = static_cast<int>(info.entry.args[argument]);
      return fd == kHere ? link_of(proc(task, "cwd"))
                         : link_of(proc(task, "fd/" + std::to_string(fd)));
    };
    if (call.fd >= 0) return fd_path(call.fd);
    if (call.path < 0) return {};
    const std::string name = string_at(task, info.entry.args[call.path]);
    if (name.rfind('/', 0) == 0) return name;
    return (call.dir >= 0 ? fd_path(call.dir) : link_of(proc(task, "cwd"))) + "/" + name;
  }

  void called(pid_t task) {
    SyscallInfo info{};
    if (ptrace(kGetSyscallInfo, task, sizeof info, &info) <= 0) return go_on(task);
    if (info.op == kEntry) return entering(task, info);
    auto found = inside_.find(task);
    if (info.op != kExit || found == inside_.end()) return go_on(task);
    const Inside inside = found->second;
    inside_.erase(found);
    if (inside.fails) set_result(task, -options_.error);
    if (inside.fires) kill_victims();
    go_on(task);
  }

  void entering(pid_t task, const SyscallInfo& info) {
    const auto call = calls().find(static_cast<long>(info.entry.nr));
    if (call == calls().end() || options_.calls.count(call->second.family) == 0 ||
        options_.who.count(role_of(task)) == 0) {
      return go_on(task);
    }
    const std::string path = path_of(task, call->second, info);
    if (path.find(options_.path) == std::string::npos) return go_on(task);
    if (!options_.not_path.empty() && path.find(options_.not_path) != std::string::npos) {
      return go_on(task);
    }
    ++count_;
    log_ << count_ << ' ' << role_of(task) << ' ' << call->second.name << ' ' << path << std::endl;
    if (options_.nth == 0 || count_ < options_.nth || (count_ > options_.nth && !options_.on)) {
      return go_on(task);
    }
    log_ << "fired" << std::endl;
    fire(task, call->second, info);
    go_on(task);
  }

  void fire(pid_t task, const Call& call, const SyscallInfo& info) {
    if (options_.shorter > 0 && std::string(call.family) == "write") {
      const bool vector = std::string(call.name).find('v') != std::string::npos;
      const std::uint64_t most = vector ? 1 : static_cast<std::uint64_t>(options_.shorter);
      set_third_argument(task, std::min<std::uint64_t>(info.entry.args[2], most));
    }
    if (options_.error != 0) {
      skip_call(task);
      inside_[task].fails = true;
    }
    if (options_.victims.empty()) return;
    if (options_.after) {
      inside_[task].fires = true;
    } else {
      kill_victims();
    }
  }

  void kill_victims() {
    for (const auto& [name, pid] : victims_) {
      if (options_.victims.count(name) != 0 || options_.victims.count("all") != 0) {
        kill(pid, SIGKILL);
      }
    }
  }

#ifdef __x86_64__
  static void set(pid_t task, std::size_t offset, std::uint64_t value) {
    ptrace(PTRACE_POKEUSER, task, offset, value);
  }
  void set_result(pid_t task, std::int64_t value) {
    set(task, offsetof(user_regs_struct, rax), static_cast<std::uint64_t>(value));
  }
  void set_third_argument(pid_t task, std::uint64_t value) {
    set(task, offsetof(user_regs_struct, rdx), value);
  }
  void skip_call(pid_t task) { set(task, offsetof(user_regs_struct, orig_rax), ~std::uint64_t{0}); }
#else
  static void set(pid_t task, int index, std::uint64_t value) {
    user_regs_struct registers{};
    iovec part{&registers, sizeof registers};
    ptrace(PTRACE_GETREGSET, task, NT_PRSTATUS, &part);
    registers.regs[index] = value;
    ptrace(PTRACE_SETREGSET, task, NT_PRSTATUS, &part);
  }
  void set_result(pid_t task, std::int64_t value) {
    set(task, 0, static_cast<std::uint64_t>(value));
  }
  void set_third_argument(pid_t task, std::uint64_t value) { set(task, 2, value); }
  void skip_call(pid_t task) {
    int none = -1;
    iovec part{&none, sizeof none};
    ptrace(PTRACE_SETREGSET, task, NT_ARM_SYSTEM_CALL, &part);
  }
#endif

  static constexpr int kHere = -100;

  Options options_;
  std::ofstream log_;
  pid_t host_ = 0;
  std::string program_;
  std::map<pid_t, std::string> roles_;
  std::set<pid_t> early_;
  std::map<std::string, pid_t> victims_;
  std::map<pid_t, Inside> inside_;
  long count_ = 0;
};

}  // namespace

int main(int argc, char** argv) { return Tracer(parse(argc, argv)).run(); }

#else

int main() {
  std::fprintf(stderr, "fault: processes cannot be traced here\n");
  return 77;
}

#endif
