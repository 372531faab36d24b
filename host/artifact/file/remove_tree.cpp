#include "host/artifact/file/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir_open.h"
#include "host/base/fd.h"

namespace moonlet {

namespace {

// TreeRemover empties a tree with a few open descriptors, regardless of the depth.
// A non-empty subfolder is moved to the top of the tree, so only two levels are ever walked.
// An entry that another process removes or moves at the same time is not an error.
class TreeRemover {
 public:
  TreeRemover(int top, std::uint64_t max_entries) : top_(top), left_(max_entries) {}

  // Empties the tree. Returns 0 or an errno; E2BIG after `max_entries` entries.
  int run() {
    for (;;) {
      std::vector<std::string> names;
      if (const int number = read_names(top_, names); number != 0) return unless_gone(number);
      if (names.empty()) return 0;
      for (const auto& name : names) {
        if (const int number = remove_from_top(name); number != 0) return number;
      }
    }
  }

  // Opens a folder and makes it writable, because tools leave read-only folders behind.
  static int open_folder(int dir, const char* name) {
    int fd = open_same_device(dir, name);
    if (fd < 0 && errno == EACCES && ::fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0) {
      fd = open_same_device(dir, name);
    }
    struct stat info;
    if (fd >= 0 && ::fstat(fd, &info) == 0 && (info.st_mode & 0700) != 0700) {
      // If chmod fails, the removal reports the error.
      if (::fchmod(fd, 0700) != 0) errno = 0;
    }
    return fd;
  }

 private:
  static int unless_gone(int number) { return number == ENOENT ? 0 : number; }

  static int read_names(int dir, std::vector<std::string>& names) {
    constexpr std::size_t kBatch = 4096;
    Fd copy(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!copy) return errno;
    DIR* stream = ::fdopendir(copy.get());
    if (stream == nullptr) return errno;
    copy.release();
    errno = 0;
    while (names.size() < kBatch) {
      const dirent* entry = ::readdir(stream);
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int number = errno;
    ::closedir(stream);
    return number;
  }

  // Removes a file or an empty folder. Returns EISDIR if `name` is a non-empty folder.
  int remove_entry(int dir, const char* name) {
    if (left_ == 0) return E2BIG;
    --left_;
    if (::unlinkat(dir, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) return errno;
    const int number = errno;
    if (::unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    if (errno == ENOTEMPTY || errno == EEXIST) return EISDIR;
    return errno == ENOTDIR ? number : errno;
  }

  int remove_from_top(const std::string& name) {
    int number = remove_entry(top_, name.c_str());
    if (number != EISDIR) return number;
    Fd dir(open_folder(top_, name.c_str()));
    if (!dir) return unless_gone(errno);
    for (;;) {
      std::vector<std::string> names;
      number = read_names(dir.get(), names);
      if (number != 0) return unless_gone(number);
      if (names.empty()) break;
      for (const auto& inner : names) {
        number = remove_entry(dir.get(), inner.c_str());
        if (number == EISDIR) number = move_up(dir.get(), inner);
        if (number != 0) return number;
      }
    }
    if (::unlinkat(top_, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    // Another process that removes this tree may have moved a folder here. run() removes it later.
    return errno == ENOTEMPTY || errno == EEXIST ? 0 : errno;
  }

  int move_up(int dir, const std::string& name) {
    // Moving a folder changes its "..", so the folder itself must be writable.
    Fd folder(open_folder(dir, name.c_str()));
    if (!folder) return unless_gone(errno);
    for (;;) {
      const std::string moved = ".rm-" + std::to_string(++moves_);
      if (::renameat(dir, name.c_str(), top_, moved.c_str()) == 0 || errno == ENOENT) return 0;
      if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR && errno != EISDIR)
        return errno;
    }
  }

  int top_;
  std::uint64_t left_;
  std::uint64_t moves_ = 0;
};

}  // namespace

int remove_tree(int dir, const char* name, std::uint64_t max_entries) {
  if (::unlinkat(dir, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM && errno != EACCES) return errno;
  Fd top(TreeRemover::open_folder(dir, name));
  if (!top) return errno == ENOENT ? 0 : errno;
  TreeRemover remover(top.get(), max_entries);
  for (;;) {
    if (const int number = remover.run(); number != 0) return number;
    if (::unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    // Another process that removes this tree has moved a folder into it, so try again.
    if (errno != ENOTEMPTY && errno != EEXIST) return errno;
  }
}

}  // namespace moonlet
