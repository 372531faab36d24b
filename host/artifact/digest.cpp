#include "host/artifact/digest.h"

#include <sha2.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <vector>

#include "host/artifact/text.h"

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

Result<FileDigest> digest_fd(int fd, std::uint64_t cap, const std::string& name) {
  Sha256 sha;
  FileDigest digest;
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    const std::uint64_t left = cap - digest.bytes;
    // At the cap one more byte tells whether there is more.
    const auto want = static_cast<std::size_t>(std::clamp<std::uint64_t>(left, 1, buffer.size()));
    const long got = read_some(fd, buffer.data(), want);
    if (got < 0) return Error::from_errno(errno, "read", printable(name));
    if (got == 0 || left == 0) {
      digest.cut = got != 0;
      break;
    }
    sha.update({buffer.data(), static_cast<std::size_t>(got)});
    digest.bytes += static_cast<std::uint64_t>(got);
  }
  digest.sha256 = sha.hex();
  return digest;
}

Result<FileDigest> digest_file(const Dir& dir, std::string_view rel, std::uint64_t cap) {
  auto fd = dir.open_read(rel);
  if (!fd) return fd.error();
  return digest_fd(fd->get(), cap, dir.path_of(rel));
}

}  // namespace moonlet
