// The digest of a folder: every file beneath it, by hash, in bounded memory. It follows no link and
// leaves out the temporary files of writers. A folder with very many files becomes a few subfolders
// with one hash each. A file that is too large has only its size, since an agent may leave
// terabytes in a moment. Reads only. Any thread.
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
    kLink,     ///< `sha256` and `bytes` are of the path it names
    kFolder,   ///< a folded one; `path` ends in "/", `sha256` is of the list of what is in it
    kSpecial,  ///< FIFO, socket, device: without a hash
  };

  std::string path;  ///< from the root; a name that is no plain text has its bytes as \xNN
  Kind kind = Kind::kFile;
  std::string sha256;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;  ///< the number in a folded folder
  bool unhashed = false;    ///< no hash: it is too large, or the files before it used up the bytes
  std::string error;        ///< the reason that it could not be read; then there is no hash
};

struct TreeOptions {
  std::vector<std::string> skip;  ///< paths of files that do not count
  std::size_t most = 10'000;      ///< about how many entries there may be
  int fold = -1;                  ///< at which depth folders are folded, if known; see TreeDigest
  std::uint64_t largest = 256 << 20;        ///< bytes of a file that is hashed
  std::uint64_t most_bytes = 1ULL << 30;    ///< the total over all hashed files
  const std::atomic<bool>* stop = nullptr;  ///< when it becomes true the digest is given up
};

struct TreeDigest {
  std::vector<TreeEntry> entries;  ///< sorted bytewise by path
  /// Folders of so many path components are folded (0: all is one entry); -1: none is.
  int fold = -1;
};

/// The digest of the folder `root`. An unreadable file is an entry with an error; only a root that
/// cannot be listed is an error, and kCancelled when it was stopped. Empty folders do not count.
Result<TreeDigest> digest_tree(const Dir& root, const TreeOptions& options = {});

struct FileDigest {
  std::uint64_t bytes = 0;
  std::string sha256;
};

/// Digests the file `path` beneath `root`, or its first `most` bytes. With kYes these bytes are on
/// the disk on return.
Result<FileDigest> digest_file(const Dir& root, std::string_view path,
                               std::optional<std::uint64_t> most, Durable durable);

}  // namespace moonlet
