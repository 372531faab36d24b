#include "host/artifact/digest.h"

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

TEST_CASE("digests agree with the published ones") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 sha;
  for (int i = 0; i < 1000; ++i) sha.update(std::string(1000, 'a'));
  CHECK(sha.hex() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a file is read up to the cap") {
  Scratch scratch;
  const std::string bytes(150'000, 'x');
  spit(scratch / "file", bytes);
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  auto whole = digest_file(*dir, "file", UINT64_MAX);
  REQUIRE(whole);
  CHECK(whole->sha256 == sha256_hex(bytes));
  CHECK(whole->bytes == 150'000);
  CHECK_FALSE(whole->cut);
  CHECK_FALSE(digest_file(*dir, "file", 150'000)->cut);
  auto part = digest_file(*dir, "file", 70'000);
  REQUIRE(part);
  CHECK(part->cut);
  CHECK(part->bytes == 70'000);
  CHECK(part->sha256 == sha256_hex(bytes.substr(0, 70'000)));
  CHECK(digest_file(*dir, "file", 0)->cut);
  CHECK_FALSE(digest_file(*dir, "missing", 1).ok());
}
