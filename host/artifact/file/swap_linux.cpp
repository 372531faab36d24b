#include <endian.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "host/artifact/file/swap_names.h"

namespace moonlet {

namespace {

int rename_with(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  if (::syscall(SYS_renameat2, from_dir, from, to_dir, to, flags) == 0) return 0;
  // Some kernels, file systems and container filters do not support the call or the flag.
  if (errno == EINVAL || errno == ENOSYS) errno = ENOTSUP;
  return -1;
}

// Removes permissions beyond `mode` from a POSIX ACL.
// The kernel does the same for a new file that inherits its folder's default ACL.
void limit_access(char* list, std::size_t size, unsigned mode) {
  struct Entry {
    std::uint16_t tag, allowed;
    std::uint32_t id;
  };
  constexpr std::size_t kHead = 4;
  constexpr std::uint16_t kOwner = 1, kGroup = 4, kMask = 16, kOthers = 32;
  Entry entry;
  bool has_mask = false;
  const auto each = [&](auto&& fn) {
    for (std::size_t at = kHead; at + sizeof entry <= size; at += sizeof entry) {
      std::memcpy(&entry, list + at, sizeof entry);
      fn();
      std::memcpy(list + at, &entry, sizeof entry);
    }
  };
  each([&] { has_mask = has_mask || le16toh(entry.tag) == kMask; });
  each([&] {
    const std::uint16_t tag = le16toh(entry.tag);
    if (tag == kOwner) entry.allowed &= htole16(static_cast<std::uint16_t>(mode >> 6));
    if (tag == (has_mask ? kMask : kGroup))
      entry.allowed &= htole16(static_cast<std::uint16_t>(mode >> 3));
    if (tag == kOthers) entry.allowed &= htole16(static_cast<std::uint16_t>(mode));
  });
}

}  // namespace

int exchange_names(int from_dir, const char* from, int to_dir, const char* to) {
  return rename_with(from_dir, from, to_dir, to, RENAME_EXCHANGE);
}

int rename_to_new_name(int from_dir, const char* from, int to_dir, const char* to) {
  return rename_with(from_dir, from, to_dir, to, RENAME_NOREPLACE);
}

void copy_attributes(int from, int to) {
  const ssize_t length = ::flistxattr(from, nullptr, 0);
  if (length <= 0) return;
  std::string names(static_cast<std::size_t>(length), '\0'), value;
  const ssize_t listed = ::flistxattr(from, names.data(), names.size());
  if (listed <= 0) return;
  names.resize(static_cast<std::size_t>(listed));
  for (std::size_t at = 0; at < names.size(); at += std::strlen(&names[at]) + 1) {
    const char* name = &names[at];
    // Do not copy a file capability, because it was granted to the old content only.
    const bool is_security = std::strncmp(name, "security.", 9) == 0;
    if (is_security && std::strcmp(name, "security.selinux") != 0) continue;
    const ssize_t size = ::fgetxattr(from, name, nullptr, 0);
    if (size < 0) continue;
    value.assign(static_cast<std::size_t>(size), '\0');
    const ssize_t got = ::fgetxattr(from, name, value.data(), value.size());
    if (got >= 0) (void)::fsetxattr(to, name, value.data(), static_cast<std::size_t>(got), 0);
  }
}

std::string attributes_text(int file) {
  std::string names(16 << 10, '\0'), value(64 << 10, '\0'), text;
  const ssize_t listed = ::flistxattr(file, names.data(), names.size());
  if (listed <= 0) return listed == 0 || errno == ENOTSUP ? "" : "unreadable";
  names.resize(static_cast<std::size_t>(listed));
  for (std::size_t at = 0; at < names.size(); at += std::strlen(&names[at]) + 1) {
    const ssize_t got = ::fgetxattr(file, &names[at], value.data(), value.size());
    text += &names[at];
    text += '=' + std::to_string(got) + ':';
    if (got > 0) text.append(value, 0, static_cast<std::size_t>(got));
  }
  return text;
}

void inherit_access(int folder, int file) {
  char list[16 << 10];
  const ssize_t size = ::fgetxattr(folder, "system.posix_acl_default", list, sizeof list);
  struct stat info;
  if (size <= 0 || ::fstat(file, &info) != 0) return;
  const unsigned mode = (info.st_mode & 0111) != 0 ? 0777 : 0666;
  limit_access(list, static_cast<std::size_t>(size), mode);
  (void)::fsetxattr(file, "system.posix_acl_access", list, static_cast<std::size_t>(size), 0);
}

}  // namespace moonlet
