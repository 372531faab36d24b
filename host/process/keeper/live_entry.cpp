#include "host/process/keeper/live_entry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "host/base/append_lines.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

namespace {

constexpr const char* kNextPlaceName = "place.next";

Error failure(std::string_view doing) { return Error::from_errno(errno, doing, "live"); }

}  // namespace

Result<LiveEntry> LiveEntry::make(int live_dir_fd, const std::string& token) {
  LiveEntry entry;
  entry.live_dir_fd_ = live_dir_fd;
  entry.name_ = "." + token;
  const char* name = entry.name_.c_str();
  if (mkdirat(live_dir_fd, name, 0700) != 0) return failure("make an entry in");
  entry.dir_ = Fd(openat(live_dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!entry.dir_) return failure("open an entry in");
  auto log = open_keeper_log(entry.dir_.get(), true);
  if (!log) {
    entry.remove();
    return log.error();
  }
  entry.log_ = Fd(*log);
  return entry;
}

Result<void> LiveEntry::publish(KeeperRecord record, const std::string& run_dir) {
  record.log_file = identify_file(log_.get());
  record.machine = machine_name();
  run_dir_ = run_dir;
  if (const int number = append_lines(log_.get(), keeper_line(record)); number != 0) {
    errno = number;
    return failure("write an entry in");
  }
  const std::string shown = name_.substr(1);
  if (symlinkat(run_dir.c_str(), dir_.get(), kPlaceName) != 0 ||
      renameat(live_dir_fd_, name_.c_str(), live_dir_fd_, shown.c_str()) != 0) {
    return failure("write an entry in");
  }
  name_ = shown;
  return {};
}

void LiveEntry::follow(const std::string& run_dir) {
  if (run_dir == run_dir_) return;
  unlinkat(dir_.get(), kNextPlaceName, 0);
  if (symlinkat(run_dir.c_str(), dir_.get(), kNextPlaceName) == 0 &&
      renameat(dir_.get(), kNextPlaceName, dir_.get(), kPlaceName) == 0) {
    run_dir_ = run_dir;
  }
}

void LiveEntry::add(std::string_view line) { (void)append_lines(log_.get(), line); }

void LiveEntry::remove() {
  for (const char* name : {kKeeperSocketName, kPlaceName, kNextPlaceName, kKeeperLogName}) {
    unlinkat(dir_.get(), name, 0);
  }
  // The guard's `name_` is still the first, hidden name, although the worker has renamed the entry.
  if (unlinkat(live_dir_fd_, name_.c_str(), AT_REMOVEDIR) != 0 && name_[0] == '.') {
    unlinkat(live_dir_fd_, name_.c_str() + 1, AT_REMOVEDIR);
  }
}

}  // namespace moonlet
