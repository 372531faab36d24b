#include "host/base/result.h"

#include <cerrno>
#include <cstring>
#include <iterator>

namespace moonlet {

std::string_view to_string(ErrorKind kind) {
  // In the order of ErrorKind.
  constexpr std::string_view kNames[] = {"invalid",   "denied", "limit", "timeout",
                                         "cancelled", "budget", "quota", "quorum",
                                         "rejected",  "parked", "lost",  "failed"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(ErrorKind::kFailed) + 1);
  return kNames[static_cast<std::size_t>(kind)];
}

namespace {

struct ErrnoAdvice {
  int number;
  const char* name;
  ErrorKind kind;
  const char* hint;
};

constexpr ErrnoAdvice kAdvice[] = {
    {ENOSPC, "ENOSPC", ErrorKind::kFailed, "free some disk space and run the command again"},
    {EDQUOT, "EDQUOT", ErrorKind::kFailed, "the disk quota is used up: free space and try again"},
    {EROFS, "EROFS", ErrorKind::kDenied,
     "the file system is read-only: name a writable place with --repo"},
    {EACCES, "EACCES", ErrorKind::kDenied, "check the permissions of the file and its folders"},
    {EPERM, "EPERM", ErrorKind::kDenied, "this user may not do that here"},
    {EXDEV, "EXDEV", ErrorKind::kDenied, "the path leaves the folder it must stay in"},
    {EMFILE, "EMFILE", ErrorKind::kFailed, "too many open files: raise `ulimit -n`"},
    {ENFILE, "ENFILE", ErrorKind::kFailed, "the system has too many open files"},
    {EFBIG, "EFBIG", ErrorKind::kFailed, "raise `ulimit -f`, or free the file system of its limit"},
    {ENOENT, "ENOENT", ErrorKind::kInvalid, "check the spelling of the path"},
    {ENOTDIR, "ENOTDIR", ErrorKind::kInvalid, "a part of the path is not a folder"},
    {EISDIR, "EISDIR", ErrorKind::kInvalid, "the path is a folder, a file was expected"},
    {ELOOP, "ELOOP", ErrorKind::kInvalid,
     "name the target of the link, or put a folder or file in its place"},
    {ENAMETOOLONG, "ENAMETOOLONG", ErrorKind::kInvalid, "use a shorter path"},
    {EEXIST, "EEXIST", ErrorKind::kInvalid, "it exists already; choose another name"},
    {EIO, "EIO", ErrorKind::kFailed, "the disk or file system reports an error"},
    {EAGAIN, "EAGAIN", ErrorKind::kFailed, "a resource is temporarily unavailable; try again"},
    {ENOMEM, "ENOMEM", ErrorKind::kFailed, "out of memory"},
    {EINTR, "EINTR", ErrorKind::kFailed, ""},
    {EINVAL, "EINVAL", ErrorKind::kFailed, ""},
    {E2BIG, "E2BIG", ErrorKind::kInvalid, "the arguments are too long: pass the text by a file"},
    {ENOEXEC, "ENOEXEC", ErrorKind::kInvalid, "the file is not a program for this machine"},
};

}  // namespace

Error Error::from_errno(int number, std::string_view doing, std::string at) {
  Error error;
  error.message = "cannot " + std::string(doing);
  if (!at.empty()) error.message += " " + at;
  error.message += ": ";
  // strerror(ELOOP) says "too many symbolic links", but usually the host has refused a single link.
  error.message += number == ELOOP ? "a symbolic link stands in the path" : std::strerror(number);
  for (const auto& advice : kAdvice) {
    if (advice.number != number) continue;
    error.message += std::string(" (") + advice.name + ")";
    error.kind = advice.kind;
    error.hint = advice.hint;
  }
  error.at = std::move(at);
  return error;
}

}  // namespace moonlet
