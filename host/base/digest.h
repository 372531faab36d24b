// SHA-256, streamed, by the processor's own instructions where it has them. Holds less than one
// block. One object, one thread.
#pragma once

#include <cstddef>
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
  std::uint32_t state_[8];
  std::uint64_t total_ = 0;
  unsigned char block_[64];  // the first total_ % 64 bytes of it are waiting
};

/// Of one text.
std::string sha256_hex(std::string_view bytes);

/// Takes `count` blocks of 64 bytes into `state`.
using Sha256Blocks = void (*)(std::uint32_t* state, const unsigned char* data, std::size_t count);
/// By instructions of this processor; nullptr where it has none for that.
Sha256Blocks sha256_hardware();
/// By arithmetic alone.
void sha256_portable(std::uint32_t* state, const unsigned char* data, std::size_t count);

}  // namespace moonlet
