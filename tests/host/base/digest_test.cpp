#include "host/base/digest.h"

#include <algorithm>
#include <string>

#include "tests/catch.h"

using namespace moonlet;

TEST_CASE("digests agree with the published ones") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 sha;
  for (int i = 0; i < 1000; ++i) sha.update(std::string(1000, 'a'));
  CHECK(sha.hex() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a digest does not depend on how its text is cut") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 7 + i / 256);
  for (const std::size_t size : {0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000}) {
    const auto whole = sha256_hex(std::string_view(text).substr(0, size));
    for (const std::size_t step : {1, 3, 63, 64, 65, 200}) {
      Sha256 sha;
      for (std::size_t at = 0; at < size; at += step) {
        sha.update(std::string_view(text).substr(at, std::min(step, size - at)));
      }
      CHECK(sha.hex() == whole);
    }
  }
}
