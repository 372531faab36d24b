// SHA-256 of bytes and files, streamed. Holds no file and no buffer beyond 64 KiB. One object, one
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/artifact/jail.h"
#include "host/base/result.h"

namespace moonlet {

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// Ends the digest: 64 lower-case hex digits. Nothing may be called after it.
  std::string hex();

 private:
  alignas(16) unsigned char state_[256];  // libmd's context, kept out of this header
};

/// Of one text.
std::string sha256_hex(std::string_view bytes);

struct FileDigest {
  std::string sha256;       ///< of the first `bytes`
  std::uint64_t bytes = 0;  ///< that were read
  bool cut = false;         ///< true when the file goes on behind the cap
};

/// Reads from where the descriptor stands, at most `cap` bytes. `name` is for the error.
Result<FileDigest> digest_fd(int fd, std::uint64_t cap, const std::string& name);
/// Of a regular file beneath `dir`.
Result<FileDigest> digest_file(const Dir& dir, std::string_view rel, std::uint64_t cap);

}  // namespace moonlet
