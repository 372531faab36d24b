#include "host/base/digest.h"

#include <sha2.h>

#include <algorithm>
#include <cstring>

namespace moonlet {

namespace {

constexpr std::size_t kBlock = 64;

Sha256Blocks chosen() {
  static const Sha256Blocks blocks =
      sha256_hardware() != nullptr ? sha256_hardware() : sha256_portable;
  return blocks;
}

}  // namespace

void sha256_portable(std::uint32_t* state, const unsigned char* data, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) SHA256Transform(state, data + i * kBlock);
}

Sha256::Sha256() {
  constexpr std::uint32_t kStart[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::copy(std::begin(kStart), std::end(kStart), state_);
}

void Sha256::update(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  const std::size_t waiting = total_ % kBlock;
  total_ += left;
  if (waiting > 0) {
    const std::size_t part = std::min(left, kBlock - waiting);
    std::memcpy(block_ + waiting, data, part);
    if (waiting + part < kBlock) return;
    chosen()(state_, block_, 1);
    data += part;
    left -= part;
  }
  if (left >= kBlock) chosen()(state_, data, left / kBlock);
  std::memcpy(block_, data + left / kBlock * kBlock, left % kBlock);
}

std::string Sha256::hex() {
  const std::uint64_t bits = total_ * 8;
  unsigned char end[kBlock + 8] = {0x80};
  // One bit, zeros, and the length in the last eight bytes of a block.
  const std::size_t zeros = (2 * kBlock - 9 - total_ % kBlock) % kBlock;
  for (int i = 0; i < 8; ++i) end[1 + zeros + i] = static_cast<unsigned char>(bits >> (56 - 8 * i));
  update({reinterpret_cast<const char*>(end), 1 + zeros + 8});
  std::string text;
  text.reserve(64);
  for (const std::uint32_t word : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.hex();
}

}  // namespace moonlet
