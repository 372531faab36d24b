#include "host/artifact/file/dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>

#include "host/artifact/file/dir_open.h"
#include "host/artifact/file/remove_tree.h"
#include "host/base/id.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr mode_t kFileMode = 0666;  // the umask applies, as for other files of the user
constexpr mode_t kDirMode = 0777;
constexpr std::uint64_t kMostAtOnce = 8 << 20;
constexpr std::string_view kTemporary = ".tmp-";
constexpr std::size_t kTemporaryBytes = 8;

EntryKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return EntryKind::kFile;
  if (S_ISDIR(mode)) return EntryKind::kDir;
  return S_ISLNK(mode) ? EntryKind::kLink : EntryKind::kOther;
}

std::int64_t in_ns(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

#ifdef __APPLE__
timespec mtime_of(const struct stat& info) { return info.st_mtimespec; }
std::int64_t ctime_ns(const struct stat& info) { return in_ns(info.st_ctimespec); }
#else
timespec mtime_of(const struct stat& info) { return info.st_mtim; }
std::int64_t ctime_ns(const struct stat& info) { return in_ns(info.st_ctim); }
#endif
std::int64_t mtime_ns(const struct stat& info) { return in_ns(mtime_of(info)); }

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using DirStream = std::unique_ptr<DIR, CloseDir>;

// Takes ownership of the descriptor, and closes it on failure.
DirStream stream_of(Fd fd) {
  DIR* dir = ::fdopendir(fd.get());
  if (dir != nullptr) fd.release();
  return DirStream(dir);
}

bool is_dots(const char* name) {
  return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

EntryKind entry_kind(int dir, const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG:
      return EntryKind::kFile;
    case DT_DIR:
      return EntryKind::kDir;
    case DT_LNK:
      return EntryKind::kLink;
    case DT_UNKNOWN:
      break;
    default:
      return EntryKind::kOther;
  }
  struct stat info;
  if (::fstatat(dir, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return EntryKind::kOther;
  return kind_of(info.st_mode);
}

// Some file systems cannot sync a directory, which is not an error.
int sync_names(int dir) {
  if (sync_bytes(dir) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EBADF) return 0;
  return errno;
}

// Makes the missing file `name`. On failure, the result is invalid; see errno.
Fd new_file(int dir, const std::string& name, mode_t mode) {
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd;
  do {
    fd = ::openat(dir, name.c_str(), flags, mode);
  } while (fd < 0 && errno == EINTR);
  return Fd(fd);
}

Error refused(std::string message, std::string_view rel, std::string hint) {
  return {ErrorKind::kDenied, std::move(message), std::move(hint), printable(rel)};
}

}  // namespace

Result<Dir> Dir::open(const std::string& absolute) {
  const std::string_view text = absolute;
  if (text.empty() || text[0] != '/' || text.find('\0') != std::string_view::npos) {
    return refused("the folder '" + printable(text) + "' is not an absolute path", text,
                   "write an absolute path");
  }
  int fd;
  do {
    fd = ::open(absolute.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return Error::from_errno(errno, "open the folder", printable(absolute));
  return Dir(Fd(fd), absolute);
}

Result<Dir> Dir::make(const std::string& absolute) {
  for (std::size_t slash = absolute.find('/', 1); !absolute.empty();
       slash = absolute.find('/', slash + 1)) {
    const std::string prefix = absolute.substr(0, slash);
    if (::mkdir(prefix.c_str(), 0700) != 0 && errno != EEXIST && errno != EISDIR) {
      const int number = errno;
      struct stat info {};
      // A read-only file system reports EROFS even for an existing name.
      if (::stat(prefix.c_str(), &info) != 0) {
        return Error::from_errno(number, "make the folder", printable(prefix));
      }
    }
    if (slash == std::string::npos) break;
  }
  return open(absolute);
}

Result<bool> Dir::make_new(const std::string& absolute) {
  const auto slash = absolute.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    if (auto parent = make(absolute.substr(0, slash)); !parent) return parent.error();
  }
  if (::mkdir(absolute.c_str(), 0700) == 0) return true;
  if (errno == EEXIST) return false;
  return Error::from_errno(errno, "make the folder", printable(absolute));
}

std::string Dir::path_of(std::string_view rel) const {
  std::string path = path_;
  if (rel != ".") path.append(path.back() == '/' ? "" : "/").append(rel);
  return path;
}

Error Dir::failure(int number, std::string_view doing, std::string_view rel) const {
  return Error::from_errno(number, doing, printable(path_of(rel)));
}

// Returns the path without empty and "." parts; "." if no part remains. Refuses an empty path.
Result<std::string> Dir::checked(std::string_view rel, std::string_view doing) const {
  const auto refuse = [&](std::string_view why) {
    return refused("cannot " + std::string(doing) + " '" + printable(rel) + "' in " +
                       printable(path_) + ": " + std::string(why),
                   rel, "use a path relative to that folder and inside it");
  };
  if (rel.empty()) return refuse("the path is empty");
  if (rel[0] == '/') return refuse("the path is absolute");
  if (rel.find('\0') != std::string_view::npos) return refuse("the path contains a NUL byte");
  if (rel.size() >= PATH_MAX) return failure(ENAMETOOLONG, doing, rel);
  std::string clean;
  for (std::size_t at = 0; at <= rel.size();) {
    const auto part = rel.substr(at, rel.find('/', at) - at);
    at += part.size() + 1;
    if (part == "..") return refuse("the path holds '..'");
    if (part.size() > NAME_MAX) return failure(ENAMETOOLONG, doing, rel);
    if (part.empty() || part == ".") continue;
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean.empty() ? std::string(".") : clean;
}

Result<Dir::Place> Dir::place(std::string_view rel, std::string_view doing) const {
  auto clean = checked(rel, doing);
  if (!clean) return clean.error();
  if (*clean == ".") return failure(EISDIR, doing, rel);
  const auto slash = clean->rfind('/');
  if (slash == std::string::npos) return Place{Fd(), fd_.get(), std::move(*clean)};
  Fd parent(open_beneath(fd_.get(), clean->substr(0, slash).c_str(), O_RDONLY | O_DIRECTORY, 0,
                         Links::kNone));
  if (!parent) return failure(errno, doing, rel);
  const int fd = parent.get();
  return Place{std::move(parent), fd, clean->substr(slash + 1)};
}

Result<Dir> Dir::dir(std::string_view rel) const {
  auto clean = checked(rel, "open the folder");
  if (!clean) return clean.error();
  Fd fd(open_beneath(fd_.get(), clean->c_str(), O_RDONLY | O_DIRECTORY, 0, Links::kNone));
  if (!fd) return failure(errno, "open the folder", *clean);
  return Dir(std::move(fd), path_of(*clean));
}

Result<Fd> Dir::open_regular(std::string_view rel, std::string_view doing, int flags) const {
  auto clean = checked(rel, doing);
  if (!clean) return clean.error();
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  Fd fd(open_beneath(fd_.get(), clean->c_str(), flags | O_NONBLOCK | O_NOCTTY, kFileMode,
                     writes ? Links::kNone : Links::kInside));
  struct stat info;
  // ENXIO means a FIFO without a reader, or a socket.
  if ((!fd && errno != ENXIO) || (fd && ::fstat(fd.get(), &info) != 0)) {
    return failure(errno, doing, rel);
  }
  const auto what = "cannot " + std::string(doing) + " " + printable(path_of(rel)) + ": ";
  if (fd && S_ISDIR(info.st_mode)) return failure(EISDIR, doing, rel);
  if (!fd || !S_ISREG(info.st_mode)) {
    return refused(what + "it is a FIFO, socket or device", rel, "name a regular file");
  }
  if (writes && info.st_nlink > 1) {
    return refused(what + "the file has other hard links, which would be written too", rel,
                   "remove the file, or its other names");
  }
  return fd;
}

Result<FileBytes> Dir::read_file(std::string_view rel, std::size_t cap) const {
  const auto fd = open_read(rel);
  if (!fd) return fd.error();
  return read_open(*fd, rel, cap);
}

Result<FileBytes> Dir::read_open(const Fd& fd, std::string_view rel, std::size_t cap) const {
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return failure(errno, "read", rel);
  FileBytes file;
  const auto expected = static_cast<std::uint64_t>(info.st_size);
  // Read one byte beyond `cap` to detect a longer file. The stat size is not reliable: it is 0 in
  // /proc, and files grow.
  const std::size_t want = cap + 1 == 0 ? cap : cap + 1;
  while (file.bytes.size() < want) {
    const std::size_t had = file.bytes.size();
    const std::uint64_t left = expected > had ? expected - had + 1 : 0;
    const auto step = static_cast<std::size_t>(
        std::min({std::max<std::uint64_t>(left, 4096), std::uint64_t{want - had}, kMostAtOnce}));
    file.bytes.resize(had + step);
    const long got = read_some(fd.get(), file.bytes.data() + had, step);
    if (got < 0) return failure(errno, "read", rel);
    file.bytes.resize(had + static_cast<std::size_t>(got));
    if (got == 0) break;
  }
  file.cut = file.bytes.size() > cap;
  if (file.cut) file.bytes.resize(cap);
  file.size = std::max<std::uint64_t>(file.cut ? cap + 1 : 0, file.bytes.size());
  if (file.cut) file.size = std::max(file.size, expected);
  return file;
}

Result<Fd> Dir::open_read(std::string_view rel) const {
  return open_regular(rel, "read", O_RDONLY);
}

Result<FileInfo> Dir::stat(std::string_view rel) const {
  auto clean = checked(rel, "inspect");
  if (!clean) return clean.error();
  struct stat info;
  if (*clean == ".") {
    if (::fstat(fd_.get(), &info) != 0) return failure(errno, "inspect", rel);
  } else {
    auto where = place(*clean, "inspect");
    if (!where) return where.error();
    if (::fstatat(where->dir, where->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return failure(errno, "inspect", rel);
    }
  }
  FileInfo out;
  out.kind = kind_of(info.st_mode);
  out.size = static_cast<std::uint64_t>(info.st_size);
  out.mtime_ns = mtime_ns(info);
  out.ctime_ns = ctime_ns(info);
  out.device = static_cast<std::uint64_t>(info.st_dev);
  out.inode = static_cast<std::uint64_t>(info.st_ino);
  out.mode = static_cast<std::uint32_t>(info.st_mode & 07777);
  out.links = static_cast<std::uint64_t>(info.st_nlink);
  return out;
}

Result<void> Dir::each(std::string_view rel, const std::function<bool(Entry)>& fn) const {
  auto opened = dir(rel);
  if (!opened) return opened.error();
  const DirStream stream = stream_of(std::move(opened->fd_));
  if (!stream) return failure(errno, "list", rel);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    if (is_dots(entry->d_name)) continue;
    if (!fn({entry->d_name, entry_kind(::dirfd(stream.get()), *entry)})) return {};
  }
  if (errno != 0) return failure(errno, "list", rel);
  return {};
}

Result<Listing> Dir::list(std::string_view rel, std::size_t cap) const {
  const auto by_name = [](const Entry& a, const Entry& b) { return a.name < b.name; };
  Listing listing;
  auto& kept = listing.entries;
  // A max-heap keeps only the `cap` smallest names, however many the directory has.
  auto result = each(rel, [&](Entry entry) {
    ++listing.total;
    kept.push_back(std::move(entry));
    std::push_heap(kept.begin(), kept.end(), by_name);
    if (kept.size() > cap) {
      std::pop_heap(kept.begin(), kept.end(), by_name);
      kept.pop_back();
      listing.cut = true;
    }
    return true;
  });
  if (!result) return result.error();
  std::sort_heap(kept.begin(), kept.end(), by_name);
  return listing;
}

Result<void> Dir::make_dirs(std::string_view rel, Durable durable) const {
  auto clean = checked(rel, "make the folder");
  if (!clean) return clean.error();
  if (*clean == ".") return {};
  // Search upward for the deepest existing folder, because most of the path usually exists.
  Fd held;
  std::size_t start = clean->size() + 1;
  while (start > 0) {
    const std::string there = clean->substr(0, start - 1);
    held = Fd(open_beneath(fd_.get(), there.c_str(), O_RDONLY | O_DIRECTORY, 0, Links::kNone));
    if (held) break;
    if (errno != ENOENT) return failure(errno, "make the folder", *clean);
    const auto slash = there.rfind('/');
    start = slash == std::string::npos ? 0 : slash + 1;
  }
  int at = held ? held.get() : fd_.get();
  while (start < clean->size()) {
    const std::size_t end = std::min(clean->find('/', start), clean->size());
    const std::string name = clean->substr(start, end - start);
    start = end + 1;
    const bool made = ::mkdirat(at, name.c_str(), kDirMode) == 0;
    if (!made && errno != EEXIST) return failure(errno, "make the folder", *clean);
    if (made && durable == Durable::kYes) {
      if (const int number = sync_names(at); number != 0) return failure(number, "sync", *clean);
    }
    Fd next(open_beneath(at, name.c_str(), O_RDONLY | O_DIRECTORY, 0, Links::kNone));
    if (!next) return failure(errno, "make the folder", *clean);
    held = std::move(next);
    at = held.get();
  }
  return {};
}

Result<bool> Dir::create_exclusive_dir(std::string_view rel, Durable durable) const {
  auto where = place(rel, "make the folder");
  if (!where) return where.error();
  if (::mkdirat(where->dir, where->name.c_str(), kDirMode) != 0) {
    if (errno == EEXIST) return false;
    return failure(errno, "make the folder", rel);
  }
  if (durable == Durable::kYes) {
    if (const int number = sync_names(where->dir); number != 0) return failure(number, "sync", rel);
  }
  return true;
}

Result<Fd> Dir::open_append(std::string_view rel) const {
  return open_regular(rel, "open for appending", O_RDWR | O_APPEND | O_CREAT);
}

Result<Fd> Dir::open_update(std::string_view rel) const {
  return open_regular(rel, "open for writing", O_RDWR | O_CREAT);
}

Result<void> Dir::write_file(std::string_view rel, std::string_view bytes, Durable durable,
                             const std::function<Result<void>()>& may_replace,
                             std::uint32_t mode) const {
  auto where = place(rel, "write");
  if (!where) return where.error();
  const std::string temporary = std::string(kTemporary) + random_hex(kTemporaryBytes);
  // A file with a mode of its own may be private, so nobody else may read it before fchmod().
  Fd fd = new_file(where->dir, temporary, mode != 0 ? 0600 : kFileMode);
  if (!fd) return failure(errno, "write", rel);

  int number = write_all(fd.get(), bytes);
  if (number == 0 && mode != 0 && ::fchmod(fd.get(), mode & 0777) != 0) number = errno;
  if (number == 0 && durable == Durable::kYes && sync_bytes(fd.get()) != 0) number = errno;
  const int closing = fd.close();
  if (number == 0) number = closing;
  const auto allowed = number == 0 && may_replace ? may_replace() : Result<void>();
  if (!allowed) {
    ::unlinkat(where->dir, temporary.c_str(), 0);
    return allowed;
  }
  if (number == 0 &&
      ::renameat(where->dir, temporary.c_str(), where->dir, where->name.c_str()) != 0) {
    number = errno;
  }
  if (number != 0) {
    ::unlinkat(where->dir, temporary.c_str(), 0);
    return failure(number, "write", rel);
  }
  if (durable == Durable::kYes) number = sync_names(where->dir);
  if (number != 0) return failure(number, "write", rel);
  return {};
}

Result<void> Dir::copy_file(std::string_view rel, const Dir& to, std::string_view to_rel) const {
  // Read the modification time before the content, so that a change in between makes the copy look
  // older, never newer. Use the open file, because a symbolic link has a modification time of its
  // own.
  const auto fd = open_read(rel);
  if (!fd) return fd.error();
  struct stat info;
  if (::fstat(fd->get(), &info) != 0) return failure(errno, "read", rel);
  const auto read = read_open(*fd, rel, std::numeric_limits<std::size_t>::max());
  if (!read) return read.error();
  const auto wrote = to.write_file(to_rel, read->bytes, Durable::kNo, {}, info.st_mode);
  if (!wrote) return wrote.error();
  auto where = to.place(to_rel, "write");
  if (!where) return where.error();
  const timespec times[] = {mtime_of(info), mtime_of(info)};
  if (::utimensat(where->dir, where->name.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0) return {};
  return to.failure(errno, "write", to_rel);
}

Result<Fd> Dir::spool(std::string_view bytes) const {
  // If this process is killed before the unlink, the next lock holder removes a file of this name.
  const std::string temporary = std::string(kTemporary) + random_hex(kTemporaryBytes);
  Fd file = new_file(fd(), temporary, 0600);
  if (!file) return failure(errno, "make a file without a name in", ".");
  ::unlinkat(fd(), temporary.c_str(), 0);
  int number = write_all(file.get(), bytes);
  if (number == 0 && ::lseek(file.get(), 0, SEEK_SET) != 0) number = errno;
  if (number != 0) return failure(number, "write a file without a name in", ".");
  return file;
}

Result<bool> Dir::remove_file(std::string_view rel) const {
  auto where = place(rel, "remove");
  if (!where) return where.error();
  if (::unlinkat(where->dir, where->name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  return failure(errno, "remove", rel);
}

Result<void> Dir::rename(std::string_view from, std::string_view to) const {
  auto source = place(from, "rename");
  if (!source) return source.error();
  auto target = place(to, "rename");
  if (!target) return target.error();
  if (::renameat(source->dir, source->name.c_str(), target->dir, target->name.c_str()) != 0) {
    return failure(errno, "rename", from);
  }
  return {};
}

Result<void> Dir::sync_dir(std::string_view rel) const {
  auto opened = dir(rel);
  if (!opened) return opened.error();
  if (const int number = sync_names(opened->fd()); number != 0) return failure(number, "sync", rel);
  return {};
}

Result<void> Dir::sync_files(const std::vector<std::string>& files) const {
  if (files.empty() || sync_file_system(fd_.get()) == 0) return {};
  if (errno != ENOTSUP) return failure(errno, "flush to the disk", ".");
  for (const std::string& file : files) {
    auto fd = open_read(file);
    if (!fd && fd.error().kind == ErrorKind::kInvalid) continue;
    if (!fd) return fd.error();
    if (sync_bytes(fd->get()) != 0) return failure(errno, "flush to the disk", file);
    // Sync each parent folder too, because it may be new.
    for (std::size_t end = file.rfind('/'); end != std::string::npos && end != 0;
         end = file.rfind('/', end - 1)) {
      if (auto synced = sync_dir(std::string_view(file).substr(0, end)); !synced) return synced;
    }
  }
  return {};
}

Result<void> Dir::remove_tree(std::string_view rel, std::uint64_t max_entries) const {
  auto where = place(rel, "remove");
  if (!where) return where.error();
  const int number = moonlet::remove_tree(where->dir, where->name.c_str(), max_entries);
  if (number == 0) return {};
  if (number != E2BIG) return failure(number, "remove", rel);
  const std::string at = printable(path_of(rel));
  return Error{ErrorKind::kLimit,
               "cannot remove " + at + ": more than " + std::to_string(max_entries) +
                   " files and folders are in it",
               "remove it by hand", at};
}

bool Dir::is_temporary(std::string_view name) {
  return name.size() == kTemporary.size() + 2 * kTemporaryBytes &&
         name.substr(0, kTemporary.size()) == kTemporary &&
         name.find_first_not_of("0123456789abcdef", kTemporary.size()) == std::string_view::npos;
}

void Dir::sweep_temporaries(std::string_view rel) const {
  auto opened = dir(rel);
  if (!opened) return;
  auto listing = opened->list(".", 100'000);
  if (!listing) return;
  for (const auto& entry : listing->entries) {
    if (entry.kind == EntryKind::kFile && is_temporary(entry.name)) {
      ::unlinkat(opened->fd(), entry.name.c_str(), 0);
    }
  }
}

}  // namespace moonlet
