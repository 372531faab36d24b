#include "host/process/client/live_index.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "host/base/clock.h"
#include "host/base/id.h"
#include "host/process/client/requests.h"
#include "host/process/client/session.h"

namespace moonlet {

namespace {

constexpr const char* kFolder = "live";
// A keeper makes its entry under a hidden name, and renames it within milliseconds. An entry that
// is still hidden after this time belongs to a keeper that died.
constexpr std::int64_t kUnfinishedMs = 60'000;
constexpr std::int64_t kPatienceMs = 10'000;
constexpr int kPauseMs = 10;

std::string place_of(int entry_fd) {
  char path[PATH_MAX];
  const ssize_t size = readlinkat(entry_fd, kPlaceName, path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

// Returns true if the run's folder was removed or replaced. A folder that cannot be opened counts
// as present.
bool is_removed(int entry_fd, const KeeperRecord& record) {
  struct stat info;
  if (fstatat(entry_fd, kPlaceName, &info, 0) != 0) return errno == ENOENT || errno == ENOTDIR;
  const Fd folder(openat(entry_fd, kPlaceName, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  return folder ? identify_file(folder.get()) != record.run_dir : !S_ISDIR(info.st_mode);
}

void drop_unfinished(const Dir& live, const std::string& name) {
  const auto info = live.stat(name);
  const std::int64_t now = system_clock().wall_ms();
  if (info && now - info->mtime_ns / 1'000'000 > kUnfinishedMs) (void)live.remove_tree(name);
}

// Removes the entry of a dead keeper.
// Kills its children if the run's folder is gone, because no other command can find them.
void drop(const Dir& live, const std::string& name, const Dir& entry, const KeeperRecord& record) {
  if (!record.token.empty() && is_removed(entry.fd(), record)) {
    const auto swept = sweep(entry.fd());
    if (!swept || swept->left > 0) return;
  }
  (void)live.remove_tree(name);
}

}  // namespace

LiveIndex::LiveIndex(std::string state_dir)
    : path_(state_dir.empty() ? std::string() : std::move(state_dir) + "/" + kFolder) {}

Result<Dir> LiveIndex::make() const {
  if (path_.empty()) {
    return Error{ErrorKind::kInvalid, "neither XDG_STATE_HOME nor HOME is set"};
  }
  auto made = Dir::make(path_);
  if (made && faccessat(made->fd(), ".", W_OK | X_OK, 0) != 0) {
    return Error::from_errno(errno, "write to", path_);
  }
  return made;
}

std::vector<LiveKeeper> LiveIndex::list() const {
  std::vector<LiveKeeper> keepers;
  if (path_.empty()) return keepers;
  auto live = Dir::open(path_);
  if (!live) return keepers;  // no keeper has made an entry yet
  std::vector<std::string> names;
  (void)live->each(".", [&](const Entry& entry) {
    if (entry.kind == EntryKind::kDir) names.push_back(entry.name);
    return true;
  });
  for (const std::string& name : names) {
    if (name[0] == '.') {
      drop_unfinished(*live, name);
      continue;
    }
    auto entry = live->dir(name);
    if (!entry) continue;
    // Check the lock first: an exiting keeper removes its entry before it releases the lock.
    const bool alive = keeper_is_alive(entry->fd());
    auto logged = read_keeper_log(entry->fd(), true);
    if (!logged) continue;
    const KeeperRecord record = logged->empty() ? KeeperRecord() : logged->back().record;
    // Several machines may share the folder.
    if (!record.machine.empty() && record.machine != machine_name()) continue;
    if (!alive) {
      drop(*live, name, *entry, record);
    } else if (!record.token.empty()) {
      const std::int64_t age = std::max<std::int64_t>(boot_clock_ms() - record.guard_born_ms, 0);
      const bool removed = is_removed(entry->fd(), record);
      keepers.push_back({record, place_of(entry->fd()), removed, age, std::move(*entry)});
    }
  }
  std::sort(keepers.begin(), keepers.end(), [](const LiveKeeper& a, const LiveKeeper& b) {
    return std::pair(a.record.guard_born_ms, a.record.token) <
           std::pair(b.record.guard_born_ms, b.record.token);
  });
  return keepers;
}

std::optional<LiveKeeper> LiveIndex::find_removed(std::string_view run_dir) const {
  for (LiveKeeper& keeper : list()) {
    if (keeper.removed && keeper.run_dir == run_dir) return std::move(keeper);
  }
  return std::nullopt;
}

std::uint64_t LiveIndex::highest(const std::string& folder, char letter) const {
  std::uint64_t highest = 0;
  for (const LiveKeeper& keeper : list()) {
    if (keeper.run_dir == folder + "/" + keeper.record.run_id) {
      highest = std::max(highest, id_number(letter, keeper.record.run_id));
    }
  }
  return highest;
}

std::vector<LiveProcess> list_live(const LiveKeeper& keeper) {
  auto processes = list_live(keeper.dir.fd());
  auto children = keeper_live(keeper.dir.fd());
  if (!processes) return {};
  for (const ChildRecord& child : children ? *children : std::vector<ChildRecord>()) {
    bool is_listed = false;
    for (LiveProcess& process : *processes) {
      if (child.number != process.record.number) continue;
      process.record = child;
      process.main = child.pid == process.info.pid;
      is_listed = is_listed || process.main;
    }
    // list_live() finds processes by a mark in their environment, which only Linux can read.
    // Elsewhere, use the keeper's list of main processes.
    LiveProcess main;
    if (is_listed || child.pid == 0 || !read_process(child.pid, main.info)) continue;
    main.record = child;
    main.age_ms = std::max<std::int64_t>(boot_clock_ms() - main.info.born_ms, 0);
    main.main = true;
    processes->push_back(std::move(main));
  }
  std::stable_sort(processes->begin(), processes->end(),
                   [](const LiveProcess& a, const LiveProcess& b) { return a.main && !b.main; });
  return std::move(*processes);
}

Result<void> end_keeper(const LiveKeeper& keeper, std::int64_t grace_ms) {
  const int dir = keeper.dir.fd();
  auto asked = end_session(dir, grace_ms);
  if (!asked) asked = keeper_shutdown(dir);
  // Wait for a run as long as for a session, because the grace of its children is unknown here.
  const std::int64_t give_up = boot_clock_ms() + grace_ms + kPatienceMs;
  while (keeper_is_alive(dir)) {
    if (boot_clock_ms() >= give_up) {
      return asked ? Error{ErrorKind::kTimeout, keeper.record.run_id + " did not end",
                           "moonlet ps shows it", keeper.run_dir}
                   : asked.error();
    }
    ::poll(nullptr, 0, kPauseMs);
  }
  return {};
}

}  // namespace moonlet
