// SHA-256, streamed. Holds no buffer of its own. One object, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

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

}  // namespace moonlet
