// Digest computes SHA-256 in a stream with nettle, which uses the processor's SHA instructions.
// Digest is not thread-safe.
#pragma once

#include <nettle/sha2.h>

#include <string>
#include <string_view>

namespace moonlet {

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// Returns 64 lower-case hex digits and ends the digest.
  std::string hex();

 private:
  sha256_ctx context_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace moonlet
