// SHA-256, streamed, by nettle, which uses the processor's own instructions. One object, one
// thread.
#pragma once

#include <nettle/sha2.h>

#include <string>
#include <string_view>

namespace moonlet {

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// Ends the digest and returns 64 lower-case hex digits. No call may follow.
  std::string hex();

 private:
  sha256_ctx context_;
};

/// The digest of one text.
std::string sha256_hex(std::string_view bytes);

}  // namespace moonlet
