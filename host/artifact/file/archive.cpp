#include "host/artifact/file/archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "host/base/digest.h"
#include "host/base/id.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameField = 100;
constexpr std::size_t kPrefixField = 155;
constexpr std::size_t kDeepest = 32;
constexpr std::size_t kChunk = std::size_t{256} << 10;

Error refusal(std::string message) {
  return {ErrorKind::kInvalid,
          std::move(message),
          "export the run again and copy the file as it is",
          {}};
}

std::uint64_t padded(std::uint64_t bytes) { return (bytes + kBlock - 1) / kBlock * kBlock; }

/// Finds the slash at which a long name is split into the two name fields of a header.
/// Returns the length of the prefix, 0 for a short name, or npos if no split fits.
std::size_t split_at(std::string_view name) {
  if (name.size() <= kNameField) return 0;
  const std::size_t at = name.rfind('/', kPrefixField);
  const bool fits = at != std::string_view::npos && at > 0 && name.size() - at - 1 <= kNameField &&
                    at + 1 < name.size();
  return fits ? at : std::string_view::npos;
}

std::uint64_t size_of_archive(std::string_view manifest, const std::vector<ArchivedFile>& files) {
  std::uint64_t size = kBlock + padded(manifest.size()) + 2 * kBlock;
  for (const ArchivedFile& file : files) {
    if (file.bytes > kLargestArchive) return UINT64_MAX;
    size += kBlock + padded(file.bytes);
  }
  return size;
}

Result<void> check_list(std::string_view manifest, const std::vector<ArchivedFile>& files) {
  if (manifest.size() > kLongestManifest || files.size() > kMostArchived ||
      size_of_archive(manifest, files) > kLargestArchive) {
    return Error{
        ErrorKind::kLimit,
        "the archive has more than " + std::to_string(kMostArchived) + " files, or more than 2 GB",
        {},
        {}};
  }
  std::set<std::string_view> names{kArchiveManifest};
  for (const ArchivedFile& file : files) {
    const bool is_new = names.insert(file.name).second;
    if (is_new && is_archivable(file.name)) continue;
    return refusal("the archive contains '" + printable(file.name, 200) + "'" +
                   (is_new ? ", which is not part of a record" : " twice"));
  }
  return {};
}

/// Copies `bytes` between descriptors. Returns the digest, or sets `number` to an errno.
std::string copy(int from, int to, std::uint64_t bytes, int& number) {
  Sha256 digest;
  std::string chunk(std::min<std::uint64_t>(kChunk, std::max<std::uint64_t>(bytes, 1)), '\0');
  number = 0;
  while (bytes > 0) {
    const long got = read_some(from, chunk.data(), std::min<std::uint64_t>(chunk.size(), bytes));
    if (got < 0) number = errno;
    if (got <= 0) break;
    const std::string_view part(chunk.data(), static_cast<std::size_t>(got));
    digest.update(part);
    if (number = write_all(to, part); number != 0) break;
    bytes -= part.size();
  }
  return bytes == 0 ? digest.hex() : std::string();
}

Result<void> write_all_of(int to, const Dir& from, std::string_view manifest,
                          const std::vector<ArchivedFile>& files, const std::string& place) {
  const auto put = [to](std::string_view bytes, std::uint64_t size) {
    const std::string padding(padded(size) - size, '\0');
    const int number = write_all(to, bytes);
    return number != 0 ? number : write_all(to, padding);
  };
  std::string head = archive_header(kArchiveManifest, manifest.size()) + std::string(manifest);
  if (int number = put(head, manifest.size()); number != 0) {
    return Error::from_errno(number, "write", place);
  }
  for (const ArchivedFile& file : files) {
    auto opened = from.open_read(file.from);
    if (!opened) return opened.error();
    int number = write_all(to, archive_header(file.name, file.bytes));
    std::string is;
    if (number == 0) is = copy(opened->get(), to, file.bytes, number);
    if (number == 0) number = put({}, file.bytes);
    if (number != 0) return Error::from_errno(number, "write", place);
    char more = 0;
    if (is != file.sha256 || read_some(opened->get(), &more, 1) != 0) {
      return Error{ErrorKind::kFailed, "a file was changed while it was exported",
                   "export the run again", from.path_of(file.from)};
    }
  }
  const int number = write_all(to, std::string(2 * kBlock, '\0'));
  if (number != 0) return Error::from_errno(number, "write", place);
  return {};
}

/// `Opened` holds the descriptor and the size of an archive that is open for reading.
struct Opened {
  Fd fd;
  std::uint64_t size = 0;
};

Result<Opened> open_archive(const Dir& dir, std::string_view name) {
  auto fd = dir.open_read(name);
  if (!fd) return fd.error();
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return Error::from_errno(errno, "read", dir.path_of(name));
  Opened opened{std::move(*fd), static_cast<std::uint64_t>(info.st_size)};
  return opened;
}

/// Reads exactly `size` bytes at `offset`. Returns "" if the file is shorter.
std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string text(size, '\0');
  std::size_t had = 0;
  while (had < size) {
    const ssize_t got =
        ::pread(fd, text.data() + had, size - had, static_cast<off_t>(offset + had));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    had += static_cast<std::size_t>(got);
  }
  return text;
}

bool is_zero(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\0'; });
}

/// Checks every header and all padding of an archive against its manifest and `files`.
Result<void> check_headers(const Opened& archive, std::string_view manifest,
                           const std::vector<ArchivedFile>& files) {
  if (archive.size != size_of_archive(manifest, files)) {
    return refusal("the archive is not as long as its manifest says");
  }
  const int fd = archive.fd.get();
  std::uint64_t at = 0;
  const auto is_header = [&](std::string_view name, std::uint64_t bytes) {
    if (read_at(fd, at, kBlock) != archive_header(name, bytes)) return false;
    const std::size_t rest = padded(bytes) - bytes;
    const std::uint64_t end = at + kBlock + bytes;
    at = end + rest;
    return rest == 0 || (is_zero(read_at(fd, end, rest)) && !read_at(fd, end, rest).empty());
  };
  if (!is_header(kArchiveManifest, manifest.size()) ||
      read_at(fd, kBlock, manifest.size()) != manifest) {
    return refusal("the manifest of the archive has changed");
  }
  for (const ArchivedFile& file : files) {
    if (!is_header(file.name, file.bytes)) {
      return refusal("the archive does not hold '" + printable(file.name, 200) +
                     "' as its manifest says");
    }
  }
  const std::string end = read_at(fd, at, 2 * kBlock);
  if (end.empty() || !is_zero(end)) return refusal("the archive does not end where it should");
  return {};
}

Result<void> extract(int from, const ArchivedFile& file, const Dir& into) {
  const std::size_t slash = file.name.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : file.name.substr(0, slash);
  if (folder != ".") {
    if (auto made = into.make_dirs(folder); !made) return made;
  }
  auto dir = into.dir(folder);
  if (!dir) return dir.error();
  const std::string last = slash == std::string::npos ? file.name : file.name.substr(slash + 1);
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd to(::openat(dir->fd(), last.c_str(), flags, 0600));
  if (!to) return Error::from_errno(errno, "write", dir->path_of(last));
  int number = 0;
  const std::string is = copy(from, to.get(), file.bytes, number);
  if (number == 0) number = to.close();
  if (number != 0) return Error::from_errno(number, "write", dir->path_of(last));
  if (is == file.sha256) return {};
  return refusal("'" + printable(file.name, 200) +
                 "' is not what the manifest of the archive says");
}

}  // namespace

std::string archive_header(std::string_view name, std::uint64_t bytes) {
  std::string block(kBlock, '\0');
  const std::size_t split = split_at(name);
  const std::string_view last = split == 0 ? name : name.substr(split + 1);
  const auto put = [&block](std::size_t at, std::string_view text) {
    block.replace(at, text.size(), text);
  };
  put(0, last);
  put(100, "0000600");
  put(108, "0000000");
  put(116, "0000000");
  char size[12];
  std::snprintf(size, sizeof size, "%011llo", static_cast<unsigned long long>(bytes));
  put(124, size);
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  if (split > 0) put(345, name.substr(0, split));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum & 0777777u);
  put(148, std::string_view(text, 7));
  return block;
}

bool is_archivable(std::string_view name) {
  if (name.empty() || name.size() > kNameField + kPrefixField || !is_valid_utf8(name)) return false;
  if (split_at(name) == std::string_view::npos || strip_controls(name) != name) return false;
  if (name.find_first_of("\\\n\t") != std::string_view::npos) return false;
  std::size_t depth = 0;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (part.empty() || part == "." || part == ".." || ++depth > kDeepest) return false;
    at = end + 1;
  }
  return true;
}

Result<void> write_archive(const Dir& from, std::string_view manifest,
                           const std::vector<ArchivedFile>& files, const Dir& out,
                           std::string_view name) {
  if (auto checked = check_list(manifest, files); !checked) return checked;
  // Use a name like write_file(), so that Dir::sweep_temporaries() removes the file after a kill.
  const std::string temporary = ".tmp-" + random_hex(8);
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd to(::openat(out.fd(), temporary.c_str(), flags, 0600));
  if (!to) return Error::from_errno(errno, "write", out.path_of(name));
  auto written = write_all_of(to.get(), from, manifest, files, out.path_of(name));
  int number = 0;
  if (written && ::fsync(to.get()) != 0) number = errno;
  if (const int closing = to.close(); written && number == 0) number = closing;
  if (written && number == 0) written = out.rename(temporary, name);
  if (written && number == 0) return out.sync_dir();
  ::unlinkat(out.fd(), temporary.c_str(), 0);
  return written ? Error::from_errno(number, "write", out.path_of(name)) : written;
}

Result<std::string> read_archive_manifest(const Dir& dir, std::string_view name) {
  auto archive = open_archive(dir, name);
  if (!archive) return archive.error();
  const std::string block = read_at(archive->fd.get(), 0, kBlock);
  std::uint64_t bytes = 0;
  for (std::size_t i = 124; i < 135 && !block.empty(); ++i) {
    bytes = bytes * 8 + static_cast<std::uint64_t>(block[i] - '0') % 8;
  }
  if (block.empty() || block != archive_header(kArchiveManifest, bytes)) {
    return Error{ErrorKind::kInvalid, "the file is not the record of a run",
                 "moonlet run export R-007 --as record -o FILE makes one", dir.path_of(name)};
  }
  if (archive->size > kLargestArchive || bytes > kLongestManifest) {
    return Error{
        ErrorKind::kLimit, "the archive says that it is larger than 2 GB", {}, dir.path_of(name)};
  }
  std::string manifest = read_at(archive->fd.get(), kBlock, bytes);
  if (manifest.size() != bytes || bytes == 0) return refusal("the archive is cut off");
  return manifest;
}

Result<void> extract_archive(const Dir& dir, std::string_view name, std::string_view manifest,
                             const std::vector<ArchivedFile>& files, const Dir& into) {
  if (auto checked = check_list(manifest, files); !checked) return checked;
  auto archive = open_archive(dir, name);
  if (!archive) return archive.error();
  if (auto checked = check_headers(*archive, manifest, files); !checked) return checked;
  std::uint64_t at = kBlock + padded(manifest.size());
  for (const ArchivedFile& file : files) {
    at += kBlock;
    if (::lseek(archive->fd.get(), static_cast<off_t>(at), SEEK_SET) < 0) {
      return Error::from_errno(errno, "read", dir.path_of(name));
    }
    if (auto done = extract(archive->fd.get(), file, into); !done) return done;
    at += padded(file.bytes);
  }
  return {};
}

}  // namespace moonlet
