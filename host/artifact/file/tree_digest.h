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
    kFolder,   ///< a whole folder; `path` ends in "/", `sha256` hashes the list of its content
    kSpecial,  ///< a FIFO, socket or device; has no hash
  };

  std::string path;  ///< relative to the root; unprintable bytes of a name become \xNN
  Kind kind = Kind::kFile;
  std::string sha256;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;  ///< for an entry of a whole folder: the number of files in it
  bool unhashed = false;    ///< set if a file has no hash because it or the total size is too large
  std::string error;        ///< why the file is unreadable; such a file has no hash
};

struct TreeOptions {
  std::vector<std::string> skip;  ///< paths to omit
  std::size_t most = 10'000;      ///< approximate limit for the number of entries
  /// Each folder at this depth becomes a single entry. With 0, the whole tree becomes one entry.
  /// With -1, digest_tree() chooses a depth so that there are at most `most` entries.
  int fold = -1;
  std::uint64_t largest = 256 << 20;        ///< in bytes; a larger file is not hashed
  std::uint64_t most_bytes = 1ULL << 30;    ///< hashes at most about this many bytes in total
  const std::atomic<bool>* stop = nullptr;  ///< if it becomes true, the digest is aborted
};

struct TreeDigest {
  std::vector<TreeEntry> entries;  ///< sorted bytewise by path
  /// The depth at which each folder became a single entry. 0: the whole tree; -1: no folder.
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
