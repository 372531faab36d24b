// Digest computes the SHA-256 of data that arrives in pieces. It uses nettle, which uses the
// processor's SHA instructions. Not thread-safe.
#pragma once

#include <nettle/sha2.h>

#include <string>
#include <string_view>

namespace moonlet {

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// Returns the hash as 64 lower-case hex digits. No other call is allowed afterwards.
  std::string hex();

 private:
  sha256_ctx context_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace moonlet
