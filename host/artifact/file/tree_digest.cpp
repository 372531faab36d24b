#include "host/artifact/file/tree_digest.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include "host/artifact/file/dir_open.h"
#include "host/base/digest.h"
#include "host/base/fd.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::size_t kMostNames = 1'000'000;  // limit for the names in a folder
constexpr int kDeepest = 64;                   // depth limit: each level needs an open descriptor
constexpr std::size_t kChunk = std::size_t{256} << 10;

/// Returns a printable name unchanged, and another name with its unprintable bytes as \xNN.
/// Different names stay different.
std::string text_of(const std::string& name) {
  const auto is_plain = [](unsigned char byte) {
    return byte >= 0x20 && byte != 0x7f && byte != '\\';
  };
  if (is_valid_utf8(name) && std::all_of(name.begin(), name.end(), is_plain)) return name;
  std::string text;
  for (const unsigned char byte : name) {
    if (is_plain(byte) && byte < 0x80) {
      text += static_cast<char>(byte);
    } else {
      text += "\\x";
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
  }
  return text;
}

/// Counts the files and folders at each depth. A name in the root has depth 1.
class Counter {
 public:
  explicit Counter(const std::atomic<bool>* stop) : stop_(stop) {}

  Result<void> count(const Dir& dir, int depth) {
    std::vector<std::string> folders;
    auto result = dir.each(".", [&](const Entry& entry) {
      if (stop_ != nullptr && stop_->load()) return false;
      ++(entry.kind == EntryKind::kDir ? folders_ : files_)[depth];
      if (entry.kind == EntryKind::kDir && depth < kDeepest) folders.push_back(entry.name);
      return true;
    });
    if (!result) return result;
    for (const auto& name : folders) {
      if (auto below = dir.dir(name)) (void)count(*below, depth + 1);
    }
    return {};
  }

  int fold_for(std::size_t most) const {
    std::uint64_t files = 0;
    for (const std::uint64_t at_depth : files_) files += at_depth;
    if (files <= most) return -1;
    int best = 0;
    files = 0;
    for (int depth = 1; depth <= kDeepest; ++depth) {
      files += files_[depth];
      if (files + folders_[depth] <= most) best = depth;
    }
    return best;
  }

 private:
  const std::atomic<bool>* stop_;
  std::uint64_t files_[kDeepest + 1] = {};
  std::uint64_t folders_[kDeepest + 1] = {};
};

class Walker {
 public:
  using Take = std::function<void(TreeEntry)>;

  Walker(const TreeOptions& options, int fold)
      : options_(options), fold_(fold), buffer_(kChunk, '\0') {}

  Result<void> walk(const Dir& dir, const std::string& prefix, int depth, const Take& take) {
    const auto listing = dir.list(".", kMostNames);
    if (!listing) return listing.error();
    if (stopped()) return {};
    if (listing->cut) take(unread(prefix.empty() ? "./" : prefix, "it holds too many files"));
    for (const Entry& entry : listing->entries) {
      if (stopped()) return {};
      // Skip temporary files, which a killed or stopped writer leaves behind.
      if (Dir::is_temporary(entry.name)) continue;
      const std::string path = prefix + text_of(entry.name);
      const auto& skip = options_.skip;
      if (std::find(skip.begin(), skip.end(), path) != skip.end()) continue;
      if (entry.kind == EntryKind::kDir) {
        folder(dir, entry.name, path + "/", depth + 1, take);
      } else {
        take(file(dir, entry, path));
      }
    }
    return {};
  }

  /// Returns a single entry for the folder `dir`. Its hash covers everything below the folder.
  TreeEntry folded(const Dir& dir, const std::string& prefix, int depth) {
    TreeEntry whole;
    whole.path = prefix.empty() ? "./" : prefix;
    whole.kind = TreeEntry::Kind::kFolder;
    Sha256 list;
    const int outer = std::exchange(fold_, -1);
    const auto walked = walk(dir, prefix, depth, [&](const TreeEntry& entry) {
      ++whole.files;
      whole.bytes += entry.bytes;
      // No path contains a newline, so the list is unambiguous.
      list.update(entry.path + "\n" + std::to_string(static_cast<int>(entry.kind)) + " " +
                  std::to_string(entry.bytes) + " " + entry.sha256 + "\n");
      whole.unhashed = whole.unhashed || entry.unhashed;
      if (whole.error.empty() && !entry.error.empty())
        whole.error = entry.path + ": " + entry.error;
    });
    fold_ = outer;
    if (!walked && whole.error.empty()) whole.error = walked.error().message;
    if (whole.error.empty()) whole.sha256 = list.hex();
    return whole;
  }

 private:
  static TreeEntry unread(const std::string& path, std::string why) {
    TreeEntry entry;
    entry.path = path;
    entry.kind = TreeEntry::Kind::kFolder;
    entry.error = std::move(why);
    return entry;
  }

  void folder(const Dir& parent, const std::string& name, const std::string& path, int depth,
              const Take& take) {
    if (depth >= kDeepest) return take(unread(path, "it is nested too deeply"));
    auto dir = parent.dir(name);
    if (!dir) return take(unread(path, dir.error().message));
    if (depth == fold_) {
      auto whole = folded(*dir, path, depth);
      if (whole.files > 0 || !whole.error.empty()) take(std::move(whole));
      return;
    }
    if (auto walked = walk(*dir, path, depth, take); !walked) {
      take(unread(path, walked.error().message));
    }
  }

  TreeEntry file(const Dir& dir, const Entry& found, const std::string& path) {
    TreeEntry entry;
    entry.path = path;
    int number = 0;
    if (found.kind == EntryKind::kLink) {
      entry.kind = TreeEntry::Kind::kLink;
      number = read_link(dir, found.name, entry);
    } else if (found.kind == EntryKind::kFile) {
      number = read_file(dir, found.name, entry);
    } else {
      entry.kind = TreeEntry::Kind::kSpecial;
    }
    if (number != 0) entry.error = std::strerror(number);
    return entry;
  }

  static int read_link(const Dir& dir, const std::string& name, TreeEntry& entry) {
    char target[PATH_MAX];
    const auto size = ::readlinkat(dir.fd(), name.c_str(), target, sizeof target);
    if (size < 0) return errno;
    entry.bytes = static_cast<std::uint64_t>(size);
    entry.sha256 = sha256_hex({target, static_cast<std::size_t>(size)});
    return 0;
  }

  int read_file(const Dir& dir, const std::string& name, TreeEntry& entry) {
    const Fd fd(
        open_beneath(dir.fd(), name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, Links::kNone));
    if (!fd) return errno;
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return errno;
    if (!S_ISREG(info.st_mode)) return EINVAL;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    const std::uint64_t most = std::min(options_.largest, options_.most_bytes - hashed_);
    if (size > most) {
      entry.bytes = size;
      entry.unhashed = true;
      return 0;
    }
    Sha256 sha;
    for (;;) {
      if (stopped()) return ECANCELED;
      // The file may grow while it is read.
      if (entry.bytes > most) {
        entry.unhashed = true;
        hashed_ += most;
        return 0;
      }
      const long got = read_some(fd.get(), buffer_.data(), buffer_.size());
      if (got < 0) return errno;
      if (got == 0) break;
      entry.bytes += static_cast<std::uint64_t>(got);
      sha.update({buffer_.data(), static_cast<std::size_t>(got)});
    }
    entry.sha256 = sha.hex();
    hashed_ += entry.bytes;
    return 0;
  }

  bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  const TreeOptions& options_;
  int fold_;
  std::uint64_t hashed_ = 0;
  std::string buffer_;
};

Result<TreeDigest> digest_all(const Dir& root, const TreeOptions& options) {
  TreeDigest digest;
  digest.fold = options.fold;
  if (options.fold < 0) {
    Counter counter(options.stop);
    if (auto counted = counter.count(root, 1); !counted) return counted.error();
    digest.fold = counter.fold_for(options.most);
  }
  Walker walker(options, digest.fold);
  if (digest.fold == 0) {
    digest.entries.push_back(walker.folded(root, "", 0));
    return digest;
  }
  auto walked = walker.walk(root, "", 0,
                            [&](TreeEntry entry) { digest.entries.push_back(std::move(entry)); });
  if (!walked) return walked.error();
  std::sort(digest.entries.begin(), digest.entries.end(),
            [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; });
  return digest;
}

}  // namespace

Result<TreeDigest> digest_tree(const Dir& root, const TreeOptions& options) {
  auto digest = digest_all(root, options);
  if (options.stop == nullptr || !options.stop->load()) return digest;
  return Error{ErrorKind::kCancelled, "not all of the files were checked", "", ""};
}

Result<FileDigest> digest_file(const Dir& root, std::string_view path,
                               std::optional<std::uint64_t> most, Durable durable) {
  auto file = root.open_read(path);
  if (!file) return file.error();
  Sha256 hash;
  FileDigest digest;
  std::string buffer(kChunk, '\0');
  while (!most || digest.bytes < *most) {
    const std::uint64_t room = most ? *most - digest.bytes : buffer.size();
    const long got =
        read_some(file->get(), buffer.data(), std::min<std::uint64_t>(room, buffer.size()));
    if (got < 0) return Error::from_errno(errno, "read", root.path_of(path));
    if (got == 0) break;
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
    digest.bytes += static_cast<std::uint64_t>(got);
  }
  if (durable == Durable::kYes && sync_bytes(file->get()) != 0) {
    return Error::from_errno(errno, "flush to the disk", root.path_of(path));
  }
  digest.sha256 = hash.hex();
  return digest;
}

}  // namespace moonlet
