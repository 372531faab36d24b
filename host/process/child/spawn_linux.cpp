#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <initializer_list>

#include "host/base/fd.h"
#include "host/process/child/program.h"
#include "host/process/child/spawn.h"

#ifdef __GLIBC__
// Call __clone(), because the sanitizers' clone() expects a child that uses their runtime.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...) noexcept;
#define MOONLET_CLONE __clone
#else
#define MOONLET_CLONE clone
#endif

// Between clone and exec the child shares the parent's memory and makes only system calls.
#define MOONLET_BARE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

namespace moonlet {

namespace {

enum class Stage {
  kNone,
  kOrphaned,
  kDescriptor,
  kCgroup,
  kLimit,
  kMounts,
  kCwd,
  kPrivileges,
  kConfine,
  kSockets,
  kRecord,
  kExec
};

struct Shared {
  const SpawnRequest* request;
  const int* fds;
  int fd_count;
  const std::pair<int, rlimit>* limits;
  int limit_count;
  pid_t parent;
  bool joins;  // move the child into its cgroup, because clone could not
  const char* const* read_only;
  int read_only_count;
  const char* uid_map;  // the maps of a new user namespace; null: no namespace
  const char* gid_map;
  std::size_t record_size;
  // The child writes `stage` and `error` while the parent sleeps until the exec or the child's end.
  volatile Stage stage;
  volatile int error;
  volatile std::size_t recorded;
};

constexpr int kMostTries = 50;       // retries of a log write after EAGAIN, one per millisecond
constexpr long kRestrictSelf = 446;  // landlock_restrict_self, unknown to older headers

constexpr std::uint32_t mask_of(std::initializer_list<int> bits) {
  std::uint32_t mask = 0;
  for (const int bit : bits) mask |= std::uint32_t{1} << bit;
  return mask;
}
// Root's child keeps the capabilities that most root programs expect. None of them lifts the
// confinement.
constexpr std::uint32_t kKeptCapabilities[_LINUX_CAPABILITY_U32S_3] = {
    mask_of({CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID,
             CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_CHROOT, CAP_AUDIT_WRITE,
             CAP_SETFCAP}),
    0};

// Headers of older distributions lack these system call numbers.
constexpr long kOpenTree = 428, kMoveMount = 429, kMountSetattr = 442, kCloseRange = 436;
constexpr unsigned kMostClosed = 4096;  // for kernels without close_range
constexpr long kIoUringSetup = 425;
constexpr unsigned kTreeClone = 1, kTreeCloseOnExec = O_CLOEXEC, kRecursive = 0x8000;
constexpr unsigned kEmptyPath = 0x1000, kMoveFromFd = 4;
struct MountAttr {
  std::uint64_t set, clear, propagation, userns_fd;
};
constexpr std::uint64_t kReadOnlyMount = 1;

#if defined(__x86_64__)
constexpr std::uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArch = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArch = 0;  // no filter is known for this architecture
#endif

// Refuses socket() and io_uring, which can also create sockets.
// A system call of another architecture (32-bit programs) gets ENOSYS, because its number differs.
constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO;
constexpr sock_filter kNoSockets[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, kRefuse | ENOSYS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kRefuse | ENOSYS),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kIoUringSetup, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kRefuse | ENOSYS),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kRefuse | EACCES),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

struct KernelSigaction {
  void* handler;
  unsigned long flags;
  void* restorer;
  std::uint64_t mask;
};

MOONLET_BARE int give_up(Shared* shared, Stage stage) {
  shared->error = errno;
  shared->stage = stage;
  syscall(SYS_exit_group, 127);
  return 127;
}

// Drops those of root's capabilities that Landlock does not limit. With them, root could read
// other processes' environments, load modules and change resource limits.
// No exec restores dropped capabilities, because of no_new_privs.
MOONLET_BARE bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, sets) != 0) return false;
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i) {
    sets[i].effective &= kKeptCapabilities[i];
    sets[i].permitted &= kKeptCapabilities[i];
    sets[i].inheritable &= kKeptCapabilities[i];
  }
  return syscall(SYS_capset, &header, sets) == 0;
}

MOONLET_BARE bool write_record(Shared* shared) {
  char digits[24];
  int at = sizeof digits;
  auto pid = static_cast<unsigned long>(syscall(SYS_getpid));
  do {
    digits[--at] = static_cast<char>('0' + pid % 10);
    pid /= 10;
  } while (pid != 0);
  const StartRecord& record = shared->request->record;
  iovec parts[3] = {{const_cast<char*>(record.prefix.data()), record.prefix.size()},
                    {digits + at, sizeof digits - static_cast<std::size_t>(at)},
                    {const_cast<char*>(record.suffix.data()), record.suffix.size()}};
  std::size_t size = parts[0].iov_len + parts[1].iov_len + parts[2].iov_len;
  std::size_t done = 0;
  int number = 0;
  int tries = kMostTries;
  while (done < size && number == 0) {
    iovec rest[3];
    int count = 0;
    std::size_t skip = done;
    for (const iovec& part : parts) {
      const std::size_t gone = skip < part.iov_len ? skip : part.iov_len;
      skip -= gone;
      if (gone == part.iov_len) continue;
      rest[count++] = {static_cast<char*>(part.iov_base) + gone, part.iov_len - gone};
    }
    const long written = syscall(SYS_writev, record.fd, rest, count);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written < 0 && errno == EAGAIN && tries-- > 0) {
      const long pause[2] = {0, 1000000};
      syscall(SYS_nanosleep, pause, nullptr);
    } else if (written == 0 || errno != EINTR) {
      number = written < 0 ? errno : ENOSPC;
    }
  }
  shared->record_size = size;
  shared->recorded = done;
  if (done == size) return true;
  // Discard the pending SIGXFSZ that the file size limit raised.
  KernelSigaction ignore{reinterpret_cast<void*>(SIG_IGN), 0, nullptr, 0}, standard{};
  syscall(SYS_rt_sigaction, SIGXFSZ, &ignore, nullptr, sizeof ignore.mask);
  syscall(SYS_rt_sigaction, SIGXFSZ, &standard, nullptr, sizeof standard.mask);
  errno = number;
  return false;
}

MOONLET_BARE bool join(int cgroup_fd) {
  const long fd = syscall(SYS_openat, cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0 || syscall(SYS_write, fd, "0", 1) != 1) return false;
  syscall(SYS_close, fd);
  return true;
}

MOONLET_BARE bool write_text(const char* path, const char* text) {
  std::size_t size = 0;
  while (text[size] != 0) ++size;
  const long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  const bool written = fd >= 0 && syscall(SYS_write, fd, text, size) == static_cast<long>(size);
  const int number = errno;
  if (fd >= 0) syscall(SYS_close, fd);
  errno = number;
  return written;
}

// Writes the child's user id maps, for which the process must be dumpable. The child shares its
// memory with the parent, so the user's other processes can meanwhile read the memory of a parent
// that is otherwise protected.
MOONLET_BARE bool map_users(const Shared* shared) {
  const bool hidden = syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
  if (hidden) syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  const bool written = write_text("/proc/self/setgroups", "deny") &&
                       write_text("/proc/self/uid_map", shared->uid_map) &&
                       write_text("/proc/self/gid_map", shared->gid_map);
  const int number = errno;
  if (hidden) syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  errno = number;
  return written;
}

MOONLET_BARE bool mount_read_only(const Shared* shared) {
  if (shared->uid_map != nullptr && !map_users(shared)) return false;
  // Mounts made here must not propagate to other namespaces.
  if (syscall(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return false;
  for (int i = 0; i < shared->read_only_count; ++i) {
    const char* path = shared->read_only[i];
    const long tree =
        syscall(kOpenTree, AT_FDCWD, path, kTreeClone | kTreeCloseOnExec | kRecursive);
    MountAttr attr{kReadOnlyMount, 0, 0, 0};
    if (tree < 0 ||
        syscall(kMountSetattr, tree, "", kEmptyPath | kRecursive, &attr, sizeof attr) != 0 ||
        syscall(kMoveMount, tree, "", AT_FDCWD, path, kMoveFromFd) != 0) {
      return false;
    }
    syscall(SYS_close, tree);
  }
  return true;
}

// Closes all descriptors from `first` on. Some libraries open descriptors without close-on-exec,
// such as libcurl's wake-up pair.
MOONLET_BARE void close_from(unsigned first) {
  if (syscall(kCloseRange, first, ~0u, 0u) == 0) return;
  for (unsigned fd = first; fd < kMostClosed; ++fd) syscall(SYS_close, fd);
}

MOONLET_BARE bool refuse_sockets() {
  if (kArch == 0) {
    errno = ENOSYS;
    return false;
  }
  sock_fprog program{sizeof kNoSockets / sizeof kNoSockets[0],
                     const_cast<sock_filter*>(kNoSockets)};
  return syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

MOONLET_BARE int child_main(void* arg) {
  auto* shared = static_cast<Shared*>(arg);
  const SpawnRequest& request = *shared->request;
  if (request.die_with_parent) {
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // Give up if the parent died before PR_SET_PDEATHSIG, because then no death signal comes.
    if (syscall(SYS_getppid) != shared->parent) return give_up(shared, Stage::kOrphaned);
  }
  syscall(SYS_setsid);

  KernelSigaction standard{};
  for (int signal = 1; signal <= 64; ++signal) {
    if ((request.reset_signals >> (signal - 1) & 1) == 0) continue;
    syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof standard.mask);
  }
  if (shared->joins && !join(request.cgroup_fd)) return give_up(shared, Stage::kCgroup);
  if (shared->read_only_count > 0 && !mount_read_only(shared)) {
    return give_up(shared, Stage::kMounts);
  }
  if (request.cwd != nullptr && syscall(SYS_chdir, request.cwd) != 0) {
    return give_up(shared, Stage::kCwd);
  }
  for (int i = 0; i < shared->limit_count; ++i) {
    if (syscall(SYS_prlimit64, 0, shared->limits[i].first, &shared->limits[i].second, nullptr) !=
        0) {
      return give_up(shared, Stage::kLimit);
    }
  }
  if (request.ruleset_fd >= 0) {
    // Landlock needs no_new_privs: otherwise a set-user-ID program could escape the confinement.
    if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
      return give_up(shared, Stage::kPrivileges);
    }
    if (!drop_capabilities()) return give_up(shared, Stage::kPrivileges);
    if (syscall(kRestrictSelf, request.ruleset_fd, 0) != 0) {
      return give_up(shared, Stage::kConfine);
    }
  }
  if (request.no_sockets) {
    if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !refuse_sockets()) {
      return give_up(shared, Stage::kSockets);
    }
  }
  // Write the record before moving descriptors, because a move may overwrite the log's descriptor.
  if (request.record.fd >= 0 && !write_record(shared) && request.record.required) {
    return give_up(shared, Stage::kRecord);
  }
  for (int i = 0; i < shared->fd_count; ++i) {
    if (syscall(SYS_dup3, shared->fds[i], i, 0) < 0) return give_up(shared, Stage::kDescriptor);
  }
  if (request.on_terminal && syscall(SYS_ioctl, 0, TIOCSCTTY, 0) != 0) {
    return give_up(shared, Stage::kDescriptor);
  }
  close_from(static_cast<unsigned>(shared->fd_count));
  std::uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
  syscall(SYS_execve, request.path, request.argv, request.envp);
  return give_up(shared, Stage::kExec);
}

// Starts the child in its cgroup, because joining a cgroup later costs up to 15 ms.
// Uses assembly: the C library has no clone3(), and syscall() cannot return on a new stack.
// Returns -1 if the kernel or the processor does not support clone3().
MOONLET_BARE pid_t clone_into_cgroup(Shared& shared, char* stack, std::size_t stack_size) {
#ifdef __x86_64__
  constexpr std::uint64_t kIntoCgroup = std::uint64_t{1} << 33;
  struct {
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
  } arguments{};
  arguments.flags = CLONE_VM | CLONE_VFORK | kIntoCgroup;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack);
  arguments.stack_size = stack_size;
  arguments.cgroup = static_cast<std::uint64_t>(shared.request->cgroup_fd);
  long result = SYS_clone3;
  register Shared* argument asm("r8") = &shared;
  register int (*function)(void*) asm("r9") = child_main;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r8, %%rdi\n\t"
      "call *%%r9\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(&arguments), "S"(sizeof arguments), "r"(argument), "r"(function)
      : "rcx", "r11", "memory");
  return result < 0 ? -1 : static_cast<pid_t>(result);
#else
  (void)shared, (void)stack, (void)stack_size;
  return -1;
#endif
}

// Duplicates the sources whose numbers are also targets, so that no dup3() closes them too early.
class Sources {
 public:
  explicit Sources(const std::vector<int>& fds) : fds_(fds) {
    int count = static_cast<int>(fds_.size());
    for (int& fd : fds_) {
      if (fd >= count) continue;
      fd = moved_.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, count)).get();
      if (fd < 0 && error_ == 0) error_ = errno;
    }
  }

  const std::vector<int>& fds() const { return fds_; }
  int error() const { return error_; }

 private:
  std::vector<int> fds_;
  std::vector<Fd> moved_;
  int error_ = 0;
};

Error describe(const Shared& shared) {
  const SpawnRequest& request = *shared.request;
  int number = shared.error;
  switch (shared.stage) {
    case Stage::kExec:
      return exec_error(number, request.path);
    case Stage::kCwd:
      return cwd_error(number, request.cwd);
    case Stage::kRecord: {
      Error error = Error::from_errno(number, "record the start in keeper.log");
      error.message += "; the program was not run";
      return error;
    }
    case Stage::kDescriptor:
      return Error::from_errno(number, "set up stdin, stdout and stderr");
    case Stage::kCgroup:
      return Error::from_errno(number, "join the step's cgroup");
    case Stage::kLimit:
      return Error::from_errno(number, "set a resource limit");
    case Stage::kPrivileges:
      return Error::from_errno(number, "give up the rights of root");
    case Stage::kConfine: {
      Error error = Error::from_errno(number, "confine the process");
      if (number == E2BIG) {
        error.message = "too many confinements lie in each other (the kernel takes 16)";
      }
      error.message += "; the program was not run";
      return error;
    }
    case Stage::kMounts:
      return Error::from_errno(number, "mount folders read-only for the process");
    case Stage::kSockets:
      return Error::from_errno(number, "keep the process from making sockets");
    case Stage::kOrphaned:
    case Stage::kNone:
      break;
  }
  return Error{ErrorKind::kLost, "the keeper died while it started " + std::string(request.path)};
}

}  // namespace

bool make_output_pipe(int& read_end, int& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  // The writing end stays blocking, because it becomes the child's stdout.
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  // Gemini CLI exits with unwritten output if the pipe is full, so enlarge the pipe.
  // The pipe keeps 64 KiB if the system refuses.
  fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  read_end = ends[0];
  write_end = ends[1];
  return true;
}

Result<Spawned> spawn(const SpawnRequest& request) {
  Sources sources(request.fds);
  if (sources.error() != 0) return Error::from_errno(sources.error(), "duplicate a descriptor");
  std::vector<const char*> read_only;
  for (const std::string& path : request.read_only) read_only.push_back(path.c_str());
  Shared shared{};
  shared.request = &request;
  shared.fds = sources.fds().data();
  shared.fd_count = static_cast<int>(sources.fds().size());
  shared.limits = request.limits.data();
  shared.limit_count = static_cast<int>(request.limits.size());
  shared.parent = getpid();
  shared.read_only = read_only.data();
  shared.read_only_count = static_cast<int>(read_only.size());

  // A signal handler of the parent must not run in the child, which shares the parent's memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  alignas(16) char stack[16 * 1024];
  const auto clone_child = [&](int namespaces) {
    return MOONLET_CLONE(child_main, stack + sizeof stack,
                         CLONE_VM | CLONE_VFORK | SIGCHLD | namespaces, &shared);
  };
  pid_t pid = -1;
  if (request.cgroup_fd >= 0 && read_only.empty()) {
    pid = clone_into_cgroup(shared, stack, sizeof stack);
  }
  shared.joins = pid < 0 && request.cgroup_fd >= 0;
  if (pid < 0 && read_only.empty()) pid = clone_child(0);
  if (pid < 0 && !read_only.empty() && geteuid() == 0) pid = clone_child(CLONE_NEWNS);
  if (pid < 0 && !read_only.empty()) {
    // Other users need a user namespace to mount, and so does root in some containers.
    const auto map = [](auto id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
    const std::string uid_map = map(geteuid()), gid_map = map(getegid());
    shared.uid_map = uid_map.c_str();
    shared.gid_map = gid_map.c_str();
    pid = clone_child(CLONE_NEWNS | CLONE_NEWUSER);
  }
  const int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  if (pid < 0) return Error::from_errno(clone_error, "start a process");
  if (shared.stage == Stage::kNone) {
    return Spawned{pid, shared.record_size != 0 && shared.recorded == shared.record_size};
  }
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return describe(shared);
}

}  // namespace moonlet
