#include "host/artifact/file/swap.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "host/artifact/file/dir_open.h"
#include "host/artifact/file/swap_names.h"
#include "host/base/digest.h"
#include "host/base/fd.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr int kReading = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr std::size_t kChunk = 256 * 1024;

/// `Name` consists of an open folder and the name of a file in it.
struct Name {
  Fd folder;
  std::string last;
  int dir() const { return folder.get(); }
  const char* text() const { return last.c_str(); }
};

struct Looked {
  bool there = false;
  struct stat info {};
};

Error failure(const Dir& dir, std::string_view rel, std::string_view doing, int number) {
  return Error::from_errno(number, doing, printable(dir.path_of(rel)));
}

bool is_proper(std::string_view rel) {
  if (rel.empty() || rel.size() >= PATH_MAX || rel.find('\0') != std::string_view::npos)
    return false;
  for (std::size_t at = 0; at <= rel.size();) {
    const auto part = rel.substr(at, rel.find('/', at) - at);
    at += part.size() + 1;
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

// Opens the parent folder of `rel`. On failure, `folder` of the result is invalid; see errno.
Name find(const Dir& dir, std::string_view rel) {
  if (!is_proper(rel)) {
    errno = EINVAL;
    return {};
  }
  const auto slash = rel.rfind('/');
  const bool top = slash == std::string_view::npos;
  const std::string parent(top ? "." : rel.substr(0, slash));
  Fd folder(open_beneath(dir.fd(), parent.c_str(), O_RDONLY | O_DIRECTORY, 0, Links::kNone));
  return {std::move(folder), std::string(top ? rel : rel.substr(slash + 1))};
}

// Calls lstat() for a name. A missing name is not an error. Returns 0 or an errno.
int look(const Name& name, Looked& out) {
  out.there = ::fstatat(name.dir(), name.text(), &out.info, AT_SYMLINK_NOFOLLOW) == 0;
  return out.there || errno == ENOENT ? 0 : errno;
}

std::optional<std::string> link_target(const Name& name) {
  std::string target(PATH_MAX, '\0');
  const long size = ::readlinkat(name.dir(), name.text(), target.data(), target.size());
  if (size < 0) return std::nullopt;
  target.resize(static_cast<std::size_t>(size));
  return target;
}

// Describes a regular file as "file <mode> <sha256>". On failure, returns no value and sets errno.
std::optional<std::string> digest_of_file(const Name& name, Durable durable) {
  const Fd fd(::openat(name.dir(), name.text(), kReading));
  struct stat info;
  if (!fd || ::fstat(fd.get(), &info) != 0) return std::nullopt;
  Sha256 sha;
  std::string chunk(kChunk, '\0');
  for (;;) {
    const long got = read_some(fd.get(), chunk.data(), chunk.size());
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    sha.update(std::string_view(chunk.data(), static_cast<std::size_t>(got)));
  }
  if (durable == Durable::kYes && sync_bytes(fd.get()) != 0) return std::nullopt;
  char mode[16];
  std::snprintf(mode, sizeof mode, "%o", static_cast<unsigned>(info.st_mode & 07777));
  return "file " + std::string(mode) + " " + sha.hex();
}

int copy_bytes(int from, int to) {
  std::string chunk(kChunk, '\0');
  for (;;) {
    const long got = read_some(from, chunk.data(), chunk.size());
    if (got <= 0) return got < 0 ? errno : 0;
    const int number = write_all(to, {chunk.data(), static_cast<std::size_t>(got)});
    if (number != 0) return number;
  }
}

// Sets owner and group. Sets only the group if the process may not change the owner, for example
// because it is not root.
void give_owner(const Name& name, uid_t owner, gid_t group) {
  if (::fchownat(name.dir(), name.text(), owner, group, AT_SYMLINK_NOFOLLOW) == 0) return;
  (void)!::fchownat(name.dir(), name.text(), static_cast<uid_t>(-1), group, AT_SYMLINK_NOFOLLOW);
}

// Opens the parent folder of `rel`, or its deepest existing ancestor.
Fd folder_for(const Dir& dir, std::string_view rel) {
  for (;;) {
    const auto slash = rel.rfind('/');
    rel = slash == std::string_view::npos ? std::string_view(".") : rel.substr(0, slash);
    const std::string folder(rel);
    Fd fd(open_beneath(dir.fd(), folder.c_str(), O_RDONLY | O_DIRECTORY, 0, Links::kNone));
    if (fd || rel == ".") return fd;
  }
}

// Copies `from` to the missing name `to`. On failure, removes `to` and returns an errno.
int copy(const Name& from, const Name& to, const struct stat& info) {
  if (S_ISLNK(info.st_mode)) {
    const auto target = link_target(from);
    if (!target) return errno;
    return ::symlinkat(target->c_str(), to.dir(), to.text()) == 0 ? 0 : errno;
  }
  const Fd source(::openat(from.dir(), from.text(), kReading));
  if (!source) return errno;
  Fd made(
      ::openat(to.dir(), to.text(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!made) return errno;
  int number = copy_bytes(source.get(), made.get());
  give_owner(to, info.st_uid, info.st_gid);
  copy_attributes(source.get(), made.get());
  if (number == 0 && ::fchmod(made.get(), info.st_mode & 07777) != 0) number = errno;
  if (number == 0 && sync_bytes(made.get()) != 0) number = errno;
  const int closing = made.close();
  if (number == 0) number = closing;
  if (number != 0) ::unlinkat(to.dir(), to.text(), 0);
  return number;
}

// Makes `to` a hard link to `from`, or a copy if a hard link is not possible.
int link_or_copy(const Name& from, const Name& to, const struct stat& info) {
  ::unlinkat(to.dir(), to.text(), 0);
  if (::linkat(from.dir(), from.text(), to.dir(), to.text(), 0) == 0) return 0;
  const bool can_copy = errno == EXDEV || errno == EPERM || errno == EMLINK || errno == ENOTSUP;
  return can_copy ? copy(from, to, info) : errno;
}

// Returns the name, in the folder of `target`, for a temporary copy of `origin`. The name ends in
// the name of `origin`, so that a user recognizes a copy that a killed process has left.
Name beside(const Name& target, const Name& origin) {
  return {Fd(::fcntl(target.dir(), F_DUPFD_CLOEXEC, 0)), ".moonlet-merge-" + origin.last};
}

// Makes the free name `to` a hard link to `from`. Without hard links, renames `from` to `to`.
// Returns 0 or an errno.
int link_to_new(const Name& from, const Name& to) {
  if (::linkat(from.dir(), from.text(), to.dir(), to.text(), 0) == 0) return 0;
  if (errno != EPERM && errno != ENOTSUP) return errno;
  // renameat() replaces an existing `to`, so test for it first. A small race remains.
  Looked at;
  if (look(to, at) == 0 && at.there) return EEXIST;
  return ::renameat(from.dir(), from.text(), to.dir(), to.text()) == 0 ? 0 : errno;
}

// Moves `from` to the free name `to`. Returns 0 or an errno.
int move_to_new(const Name& from, const Name& to, const struct stat& info) {
  if (rename_to_new_name(from.dir(), from.text(), to.dir(), to.text()) == 0) return 0;
  if (errno != ENOTSUP && errno != EXDEV) return errno;
  int number = errno == EXDEV ? EXDEV : link_to_new(from, to);
  if (number == EXDEV) {
    const Name copied = beside(to, from);
    ::unlinkat(copied.dir(), copied.text(), 0);
    number = copy(from, copied, info);
    if (number == 0) number = link_to_new(copied, to);
    ::unlinkat(copied.dir(), copied.text(), 0);
  }
  if (number == 0) ::unlinkat(from.dir(), from.text(), 0);
  return number;
}

// Exchanges two files in three steps, for a system without an atomic exchange.
int exchange_by_hand(const Name& place, const Looked& was, const Name& staged, const Looked& next) {
  const Name old{Fd(::fcntl(staged.dir(), F_DUPFD_CLOEXEC, 0)), staged.last + ".old"};
  if (const int number = link_or_copy(place, old, was.info); number != 0) return number;
  if (::renameat(staged.dir(), staged.text(), place.dir(), place.text()) != 0) {
    if (errno != EXDEV) return errno;
    const Name copied = beside(place, staged);
    ::unlinkat(copied.dir(), copied.text(), 0);
    if (const int number = copy(staged, copied, next.info); number != 0) return number;
    if (::renameat(copied.dir(), copied.text(), place.dir(), place.text()) != 0) {
      const int number = errno;
      ::unlinkat(copied.dir(), copied.text(), 0);
      return number;
    }
  }
  return ::renameat(old.dir(), old.text(), staged.dir(), staged.text()) == 0 ? 0 : errno;
}

}  // namespace

Result<std::string> content_of(const Dir& dir, std::string_view rel, Durable durable) {
  const Name name = find(dir, rel);
  if (!name.folder) {
    if (errno == ENOENT || errno == ENOTDIR) return std::string();
    if (errno == ELOOP) return std::string("beyond");
    return failure(dir, rel, "inspect", errno);
  }
  Looked at;
  if (const int number = look(name, at); number != 0) return failure(dir, rel, "inspect", number);
  if (!at.there) return std::string();
  if (S_ISDIR(at.info.st_mode)) return std::string("directory");
  if (S_ISLNK(at.info.st_mode)) {
    const auto target = link_target(name);
    if (!target) return failure(dir, rel, "read", errno);
    return "link " + sha256_hex(*target);
  }
  if (!S_ISREG(at.info.st_mode)) return std::string("special");
  auto digest = digest_of_file(name, durable);
  if (!digest) return failure(dir, rel, "read", errno);
  return std::move(*digest);
}

Result<void> swap_files(const Dir& dir, std::string_view path, const Dir& other,
                        std::string_view name) {
  const auto fail = [&](int number) { return failure(dir, path, "put in place", number); };
  const Name place = find(dir, path);
  if (!place.folder) return fail(errno);
  const Name staged = find(other, name);
  if (!staged.folder) return failure(other, name, "take", errno);
  Looked was, next;
  if (const int number = look(place, was); number != 0) return fail(number);
  if (const int number = look(staged, next); number != 0) return fail(number);
  if (!was.there && !next.there) return fail(ENOENT);
  if (was.there && S_ISDIR(was.info.st_mode)) return fail(EISDIR);
  if (next.there && S_ISDIR(next.info.st_mode)) return fail(EISDIR);
  int number = 0;
  if (!next.there) {
    number = move_to_new(place, staged, was.info);
  } else if (!was.there) {
    number = move_to_new(staged, place, next.info);
  } else if (exchange_names(staged.dir(), staged.text(), place.dir(), place.text()) != 0) {
    number = errno;
    if (number == ENOTSUP || number == EXDEV) number = exchange_by_hand(place, was, staged, next);
  }
  if (number != 0) return fail(number);
  return {};
}

Result<void> inherit(const Dir& dir, std::string_view rel, const Dir& place,
                     std::string_view path) {
  const Name staged = find(dir, rel);
  if (!staged.folder) return failure(dir, rel, "inspect", errno);
  if (!is_proper(path)) return failure(place, path, "inspect", EINVAL);
  const Name model = find(place, path);
  Looked own, at;
  if (const int number = look(staged, own); number != 0)
    return failure(dir, rel, "inspect", number);
  if (!own.there || S_ISDIR(own.info.st_mode)) return failure(dir, rel, "inspect", EINVAL);
  const bool is_there = model.folder && look(model, at) == 0 && at.there &&
                        (S_ISREG(at.info.st_mode) || S_ISLNK(at.info.st_mode));
  if (!is_there) {
    const Fd folder = folder_for(place, path);
    struct stat info {};
    if (folder && ::fstat(folder.get(), &info) == 0 && (info.st_mode & S_ISGID) != 0)
      give_owner(staged, static_cast<uid_t>(-1), info.st_gid);
    const Fd made(S_ISREG(own.info.st_mode) ? ::openat(staged.dir(), staged.text(), kReading) : -1);
    if (folder && made) inherit_access(folder.get(), made.get());
    return {};
  }
  if (at.info.st_uid != own.info.st_uid || at.info.st_gid != own.info.st_gid)
    give_owner(staged, at.info.st_uid, at.info.st_gid);
  if (!S_ISREG(at.info.st_mode) || !S_ISREG(own.info.st_mode)) return {};
  const Fd from(::openat(model.dir(), model.text(), kReading));
  const Fd to(::openat(staged.dir(), staged.text(), kReading));
  if (from && to) copy_attributes(from.get(), to.get());
  return {};
}

Result<void> set_mode(const Dir& dir, std::string_view rel, unsigned mode) {
  const Name name = find(dir, rel);
  const Fd fd(name.folder ? ::openat(name.dir(), name.text(), kReading) : -1);
  struct stat info;
  if (!fd || ::fstat(fd.get(), &info) != 0) return failure(dir, rel, "set the mode of", errno);
  if (!S_ISREG(info.st_mode)) return failure(dir, rel, "set the mode of", EINVAL);
  if (::fchmod(fd.get(), static_cast<mode_t>(mode & 07777)) != 0) {
    return failure(dir, rel, "set the mode of", errno);
  }
  return {};
}

Result<bool> remove_empty(const Dir& dir, std::string_view rel) {
  const Name name = find(dir, rel);
  if (!name.folder) return false;
  if (::unlinkat(name.dir(), name.text(), AT_REMOVEDIR) == 0) return true;
  if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR || errno == ENOENT) return false;
  return failure(dir, rel, "remove the folder", errno);
}

}  // namespace moonlet
