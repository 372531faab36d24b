#include "host/base/encode.h"

#include <zlib.h>

#include "tests/catch.h"

using namespace moonlet;

namespace {

std::string unzipped(const std::string& packed, std::size_t size) {
  std::string text(size + 1, '\0');
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

}  // namespace

TEST_CASE("gzip() keeps every byte, and gives equal bytes for equal texts") {
  std::string large;
  for (unsigned i = 0; i < 300000; ++i) large.push_back(static_cast<char>((i * 7919u) >> 3));
  for (const std::string& text : {std::string(), std::string("a\0b", 3), large}) {
    const auto packed = gzip(text);
    REQUIRE(packed);
    CHECK(unzipped(*packed, text.size()) == text);
    CHECK(*gzip(text) == *packed);
  }
}

TEST_CASE("base64() pads to whole groups") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64(std::string("\xff\xfe\0", 3)) == "//4A");
}
