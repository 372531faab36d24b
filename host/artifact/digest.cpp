#include "host/artifact/digest.h"

#include <sha2.h>

#include <cstdint>
#include <new>

namespace moonlet {

namespace {

SHA2_CTX* context(unsigned char* state) { return std::launder(reinterpret_cast<SHA2_CTX*>(state)); }

}  // namespace

Sha256::Sha256() {
  static_assert(sizeof(SHA2_CTX) <= sizeof state_ && alignof(SHA2_CTX) <= 16);
  SHA256Init(new (state_) SHA2_CTX);
}

void Sha256::update(std::string_view bytes) {
  SHA256Update(context(state_), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::string Sha256::hex() {
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256Final(digest, context(state_));
  std::string text;
  for (std::uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.hex();
}

}  // namespace moonlet
