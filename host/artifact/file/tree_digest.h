// Hashes every file below a folder in bounded memory. Follows no link. Reads only. Any thread.
// Omits temporary files of write_file(). If there are too many files, folders from some depth on
// are folded: each becomes a single entry with one hash.
// A file that is too large has no hash, because an agent may leave terabytes behind.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

struct TreeEntry {
  enum class Kind {
    kFile,
    kLink,     ///< `sha256` and `bytes` describe the link's target path
    kFolder,   ///< a folded folder; `path` ends in "/", `sha256` hashes the list of its content
    kSpecial,  ///< FIFO, socket, device: without a hash
  };

  std::string path;  ///< relative to the root; unprintable bytes of a name become \xNN
  Kind kind = Kind::kFile;
  std::string sha256;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;  ///< the number of files in a folded folder
  bool unhashed = false;    ///< no hash: the file is too large, or the byte budget is used up
  std::string error;        ///< why the file is unreadable; such a file has no hash
};

struct TreeOptions {
  std::vector<std::string> skip;  ///< paths to omit
  std::size_t most = 10'000;      ///< approximate limit of entries
  int fold = -1;                  ///< the depth at which to fold, see TreeDigest; -1: by file count
  std::uint64_t largest = 256 << 20;        ///< in bytes; a larger file is not hashed
  std::uint64_t most_bytes = 1ULL << 30;    ///< the limit of bytes to hash in all
  const std::atomic<bool>* stop = nullptr;  ///< true: abort the digest
};

struct TreeDigest {
  std::vector<TreeEntry> entries;  ///< sorted bytewise by path
  /// The number of path components of folded folders; 0: the whole tree; -1: no folder is folded.
  int fold = -1;
};

/// Digests the folder `root`. An unreadable file becomes an entry with an error.
/// Fails if the root cannot be listed, and with kCancelled if stopped. Skips empty folders.
Result<TreeDigest> digest_tree(const Dir& root, const TreeOptions& options = {});

struct FileDigest {
  std::uint64_t bytes = 0;
  std::string sha256;
};

/// Digests the file `path` below `root`, or its first `most` bytes.
/// Durable::kYes waits until these bytes are on the disk.
Result<FileDigest> digest_file(const Dir& root, std::string_view path,
                               std::optional<std::uint64_t> most, Durable durable);

}  // namespace moonlet
