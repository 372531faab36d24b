#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "host/process/child/confine.h"
#include "host/process/child/program_files.h"

namespace moonlet {

namespace {

// Declare the kernel's interface here, because the headers of most distributions are years older.
constexpr long kCreateRuleset = 444, kAddRule = 445;
constexpr std::uint32_t kAskVersion = 1;
constexpr int kPathBeneath = 1;

struct RulesetAttr {
  std::uint64_t handled_fs, handled_net, scoped;
};
struct __attribute__((packed)) PathBeneathAttr {
  std::uint64_t allowed;
  std::int32_t parent_fd;
};

enum : std::uint64_t {
  kExecute = 1u << 0,
  kWriteFile = 1u << 1,
  kReadFile = 1u << 2,
  kReadDir = 1u << 3,
  kRemoveDir = 1u << 4,
  kMakeChar = 1u << 6,
  kMakeBlock = 1u << 11,
  kFirstAbi = (1u << 13) - 1,
  kRefer = 1u << 13,
  kTruncate = 1u << 14,
  kIoctlDevice = 1u << 15,

  kReading = kExecute | kReadFile | kReadDir,
  kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDevice,
  // Refuse device nodes even below writable folders: through a node, root could access a disk.
  kNeverBeneath = kMakeChar | kMakeBlock | kIoctlDevice,

  kBindTcp = 1u << 0,
  kConnectTcp = 1u << 1,
  kScopeAbstractSockets = 1u << 0,
  kScopeSignals = 1u << 1,
};

/// Writing to these devices stores no data. /dev/tty is the session's own terminal.
constexpr const char* kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"};
/// Writing to random devices is harmless, but their ioctls would let root set the entropy pool.
constexpr const char* kRandom[] = {"/dev/random", "/dev/urandom"};
constexpr const char* kTerminals[] = {"/dev/ptmx", "/dev/pts"};

/// Most programs read these files: programs, libraries, settings, certificates, name lookup.
/// The list omits /dev, because it also contains disks and the user's terminal; see kDevices.
constexpr const char* kSystem[] = {"/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin",
                                   "/etc", "/opt", "/proc", "/sys",
                                   // Some distributions keep programs here.
                                   "/nix/store", "/gnu/store", "/run/current-system", "/snap",
                                   // Links in /etc lead to these files, which name lookup needs.
                                   "/etc/resolv.conf", "/run/systemd/resolve", "/run/nscd",
                                   // On some distributions, /etc/ssl links to this folder.
                                   "/var/lib/ca-certificates"};

std::uint64_t rights_of(int abi) {
  std::uint64_t rights = kFirstAbi;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDevice;
  return rights;
}

enum class Missing { kSkip, kRefuse };

class Ruleset {
 public:
  Ruleset(Fd fd, std::uint64_t handled) : fd_(std::move(fd)), handled_(handled) {}

  /// Allows `rights` at `path` and below. For a file, omits the rights that only folders have.
  Result<void> allow(const std::string& path, std::uint64_t rights, Missing missing) {
    Fd place(open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat st {};
    if (!place || fstat(place.get(), &st) != 0) {
      const bool gone = errno == ENOENT || errno == ENOTDIR || errno == EACCES;
      if (gone && missing == Missing::kSkip) return {};
      return Error::from_errno(errno, "confine the step to", path);
    }
    if (!S_ISDIR(st.st_mode)) rights &= kOfFiles;
    PathBeneathAttr rule{rights & handled_, place.get()};
    if (rule.allowed == 0) return {};
    if (syscall(kAddRule, fd_.get(), kPathBeneath, &rule, 0) == 0) return {};
    return Error::from_errno(errno, "confine the step to", path);
  }

  Fd take() { return std::move(fd_); }

 private:
  Fd fd_;
  std::uint64_t handled_;
};

Result<Ruleset> create(const Confinement& confinement, int abi) {
  RulesetAttr attr{rights_of(abi), 0, 0};
  if (!confinement.restrict_reads) attr.handled_fs &= ~std::uint64_t{kReading};
  if (confinement.no_network) attr.handled_net = kBindTcp | kConnectTcp;
  if (abi >= 6) attr.scoped = kScopeAbstractSockets | kScopeSignals;
  // An older kernel accepts the longer `attr` if the fields that it does not know are zero.
  Fd fd(static_cast<int>(syscall(kCreateRuleset, &attr, sizeof attr, 0)));
  if (!fd) return Error::from_errno(errno, "make the rules of the step's confinement");
  return Ruleset(std::move(fd), attr.handled_fs);
}

Result<void> allow_devices(Ruleset& rules, const Confinement& confinement) {
  constexpr std::uint64_t kUse = kReadFile | kWriteFile | kTruncate;
  for (const char* path : kDevices) {
    if (auto done = rules.allow(path, kUse | kIoctlDevice, Missing::kSkip); !done) return done;
  }
  for (const char* path : kRandom) {
    if (auto done = rules.allow(path, kUse, Missing::kSkip); !done) return done;
  }
  if (!confinement.terminals) return {};
  for (const char* path : kTerminals) {
    auto done = rules.allow(path, kUse | kIoctlDevice | kReadDir, Missing::kSkip);
    if (!done) return done;
  }
  return {};
}

Error not_absolute(const std::string& kind, const std::string& path) {
  return {ErrorKind::kInvalid, "the " + kind + " path '" + path + "' is not absolute",
          "write an absolute path", path};
}

Result<void> allow_writes(Ruleset& rules, const std::vector<std::string>& paths,
                          std::uint64_t never) {
  for (const std::string& path : paths) {
    if (path.empty() || path[0] != '/') return not_absolute("writable", path);
    struct stat st {};
    // A device gets all rights if the caller lists it by name.
    const bool device = stat(path.c_str(), &st) == 0 && S_ISCHR(st.st_mode);
    const std::uint64_t rights = device ? kOfFiles : ~never;
    if (auto done = rules.allow(path, rights, Missing::kRefuse); !done) return done;
  }
  return {};
}

Result<void> allow_reads(Ruleset& rules, const Confinement& confinement,
                         const ConfinedProgram& program) {
  std::vector<std::string> homes;
  if (program.home != nullptr && program.home[0] == '/') homes.emplace_back(program.home);
  if (const char* own = std::getenv("HOME"); own != nullptr && own[0] == '/') homes.push_back(own);

  std::vector<std::string> places(std::begin(kSystem), std::end(kSystem));
  for (auto& file : program_files(program.path, program.search_path, program.cwd, homes)) {
    places.push_back(std::move(file));
  }
  for (const std::string& path : confinement.readable) {
    if (path.empty() || path[0] != '/') return not_absolute("readable", path);
    places.push_back(path);
  }
  for (const std::string& path : places) {
    if (auto done = rules.allow(path, kReading, Missing::kSkip); !done) return done;
  }
  return rules.allow("/dev", kReadDir, Missing::kSkip);
}

Error unsupported(std::string message, std::string hint) {
  return Error{ErrorKind::kDenied, std::move(message), std::move(hint)};
}

}  // namespace

ConfinementSupport confinement_support() {
  const long abi = syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  if (abi > 0) return {static_cast<int>(abi), {}};
  switch (errno) {
    case ENOSYS:
      return {0, "this kernel has no Landlock (Linux 5.13 or later, built with it, has)"};
    case EOPNOTSUPP:
      return {0, "Landlock is switched off on this machine (lsm= on the kernel's command line)"};
    default:
      return {0, Error::from_errno(errno, "ask the kernel for Landlock").message};
  }
}

Result<Fd> make_ruleset(const Confinement& confinement, const ConfinedProgram& program,
                        const ConfinementSupport& support) {
  if (support.abi < 1) {
    return unsupported("the step cannot be confined: " + support.reason,
                       "run it where Landlock is, or without confinement");
  }
  if (confinement.no_network && support.abi < 4) {
    return unsupported("the step cannot be kept off the network: this kernel's Landlock (ABI " +
                           std::to_string(support.abi) + ") knows only files",
                       "use Linux 6.7 or later, or allow it the network");
  }
  auto rules = create(confinement, support.abi);
  if (!rules) return rules.error();
  if (auto done = allow_devices(*rules, confinement); !done) return done.error();
  auto writes = allow_writes(*rules, confinement.writable, kNeverBeneath);
  if (writes) {
    writes = allow_writes(*rules, confinement.keeping_folders, kNeverBeneath | kRemoveDir);
  }
  if (!writes) return writes.error();
  if (confinement.restrict_reads) {
    if (auto done = allow_reads(*rules, confinement, program); !done) return done.error();
  }
  return rules->take();
}

}  // namespace moonlet
