#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include "host/artifact/journal/holder.h"
#include "host/base/digest.h"
#include "host/base/fd.h"

namespace moonlet {

namespace {

std::string read_small(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[2048];
  const long size = fd ? read_some(fd.get(), text, sizeof text) : 0;
  return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
}

std::string link_of(const char* path) {
  char text[256];
  const ssize_t size = ::readlink(path, text, sizeof text);
  return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
}

struct Stat {
  char state = 0;
  std::uint64_t flags = 0;
  std::uint64_t threads = 0;
  std::uint64_t born = 0;
};

std::uint64_t number_in(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// Parses "pid (name) state ppid …". The name may contain anything, so count from the last ")".
std::optional<Stat> read_stat(const std::string& pid) {
  const std::string text = read_small("/proc/" + pid + "/stat");
  const auto bracket = text.rfind(')');
  if (bracket == std::string::npos || bracket + 2 >= text.size()) return std::nullopt;
  std::string_view rest = std::string_view(text).substr(bracket + 2);
  Stat stat;
  stat.state = rest[0];
  // The indices of these fields in /proc/PID/stat, if the field "state" has the index 0.
  constexpr int kFlags = 6, kThreads = 17, kStartTime = 19;
  for (int i = 1; i <= kStartTime; ++i) {
    const auto space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
    if (i == kFlags) stat.flags = number_in(rest);
    if (i == kThreads) stat.threads = number_in(rest);
  }
  stat.born = number_in(rest);
  return stat;
}

// Returns true if SIGKILL is pending for the process, or if the process is exiting.
bool is_ending(const std::string& pid, const Stat& stat) {
  constexpr std::uint64_t kExiting = 0x4;  // PF_EXITING
  if ((stat.flags & kExiting) != 0) return true;
  const std::string text = read_small("/proc/" + pid + "/status");
  for (const std::string_view name : {"\nSigPnd:\t", "\nShdPnd:\t"}) {
    const auto at = text.find(name);
    if (at == std::string::npos) continue;
    const auto pending = number_in(std::string_view(text).substr(at + name.size()), 16);
    if ((pending >> (SIGKILL - 1) & 1) != 0) return true;
  }
  return false;
}

// A /proc of another pid namespace lists foreign processes under the same pids.
bool proc_is_ours() { return link_of("/proc/self") == std::to_string(::getpid()); }

std::string place() {
  const std::string boot = read_small("/proc/sys/kernel/random/boot_id");
  const std::string names = link_of("/proc/self/ns/pid");
  if (boot.empty() || names.empty() || !proc_is_ours()) return {};
  return sha256_hex(boot + names).substr(0, 16);
}

}  // namespace

Holder this_process() {
  Holder holder;
  holder.pid = ::getpid();
  holder.place = place();
  if (const auto stat = holder.place.empty() ? std::nullopt : read_stat("self")) {
    holder.born = stat->born;
  }
  return holder;
}

HolderState state_of(const Holder& holder) {
  if (holder.pid <= 0 || holder.born == 0 || holder.place.empty() || holder.place != place()) {
    return HolderState::kElsewhere;
  }
  const auto stat = read_stat(std::to_string(holder.pid));
  if (!stat) {
    // /proc may hide other users' processes. Only the kernel can tell that a process is gone.
    const bool gone = ::kill(static_cast<pid_t>(holder.pid), 0) != 0 && errno == ESRCH;
    return gone ? HolderState::kGone : HolderState::kRuns;
  }
  if (stat->born != holder.born) return HolderState::kGone;
  // The first thread may be a zombie while another thread still holds the process's files.
  const bool dead = stat->state == 'Z' || stat->state == 'X';
  if (dead) return stat->threads > 1 ? HolderState::kEnding : HolderState::kGone;
  if (is_ending(std::to_string(holder.pid), *stat)) return HolderState::kEnding;
  if (stat->state == 'T' || stat->state == 't') return HolderState::kStopped;
  return HolderState::kRuns;
}

}  // namespace moonlet
