#include "host/base/encode.h"

#include <nettle/base64.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>

namespace moonlet {

namespace {

constexpr int kGzipWindow = 15 + 16;  // adding 16 makes deflateInit2() write the gzip format
constexpr int kMemoryLevel = 8;
constexpr std::size_t kPart = std::size_t{1} << 30;  // below 4 GB, because zlib counts in 32 bits

}  // namespace

Result<std::string> gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return Error{ErrorKind::kLimit, "there is no memory to compress the file", {}, {}};
  }
  std::string out;
  std::string part(std::size_t{64} << 10, '\0');
  std::size_t at = 0;
  int state = Z_OK;
  while (state == Z_OK) {
    if (stream.avail_in == 0 && at < text.size()) {
      const std::size_t size = std::min(kPart, text.size() - at);
      // next_in is not const in zlib's interface, but zlib does not write to its input.
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data() + at));
      stream.avail_in = static_cast<uInt>(size);
      at += size;
    }
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = static_cast<uInt>(part.size());
    state = deflate(&stream, at == text.size() ? Z_FINISH : Z_NO_FLUSH);
    out.append(part, 0, part.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  if (state != Z_STREAM_END) {
    return Error{ErrorKind::kFailed, "zlib could not compress the file", {}, {}};
  }
  return out;
}

std::string base64(std::string_view bytes) {
  std::string text(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
  base64_encode_raw(text.data(), bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  return text;
}

}  // namespace moonlet
