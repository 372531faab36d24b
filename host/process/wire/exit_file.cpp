#include "host/process/wire/exit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "host/base/fd.h"
#include "host/base/json.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

std::string exit_file_text(const ChildExit& exit, std::int64_t now_ms) {
  auto record = parse_json(exit_line(1, exit, now_ms));
  nlohmann::json body = record ? *record : nlohmann::json::object();
  body["machine"] = machine_name();
  return json_text(body) + "\n";
}

namespace {

/// Publishes the complete file `draft` under the name exit.json, unless another process has already
/// made exit.json. Returns an errno, or 0.
int publish(int dir_fd, const char* draft) {
  if (linkat(dir_fd, draft, dir_fd, kExitFileName, 0) == 0 || errno == EEXIST) return 0;
  // If the file system has no hard links, rename the draft. This may replace an exit.json.
  return renameat(dir_fd, draft, dir_fd, kExitFileName) == 0 ? 0 : errno;
}

}  // namespace

Result<void> write_exit_file(int dir_fd, const ChildExit& exit, std::int64_t now_ms) {
  struct stat info;
  if (fstatat(dir_fd, kExitFileName, &info, AT_SYMLINK_NOFOLLOW) == 0) return {};
  const std::string draft = std::string(kExitFileName) + "." + std::to_string(getpid());
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  Fd file(openat(dir_fd, draft.c_str(), flags, 0600));
  if (!file) return Error::from_errno(errno, "make", draft);
  int failure = write_all(file.get(), exit_file_text(exit, now_ms));
  if (failure == 0 && fsync(file.get()) != 0) failure = errno;
  if (const int closed = file.close(); failure == 0) failure = closed;
  if (failure == 0) failure = publish(dir_fd, draft.c_str());
  unlinkat(dir_fd, draft.c_str(), 0);
  if (failure != 0) return Error::from_errno(failure, "publish", kExitFileName);
  fsync(dir_fd);
  return {};
}

Result<void> publish_logged_exit(int dir_fd, std::int64_t now_ms) {
  auto keepers = read_keeper_log(dir_fd);
  if (!keepers) return keepers.error();
  if (!keepers->empty() && !keepers->back().children.empty()) {
    LoggedChild& child = keepers->back().children.begin()->second;
    if (child.state == LoggedChild::State::kExited) {
      return write_exit_file(dir_fd, child.exit, now_ms);
    }
    if (child.state == LoggedChild::State::kLost) {
      child.exit.why = ChildExit::Why::kLost;
      return write_exit_file(dir_fd, child.exit, now_ms);
    }
  }
  return Error{ErrorKind::kInvalid, "keeper.log has no end of a child", {}, kKeeperLogName};
}

}  // namespace moonlet
