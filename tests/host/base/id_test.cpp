#include "host/base/id.h"

#include "tests/catch.h"

using namespace moonlet;

TEST_CASE("ids that become file names keep to one form") {
  CHECK(is_valid_id("task-1.2_x"));
  CHECK(is_valid_id(std::string(64, 'a')));
  for (const char* bad : {"", ".", "..", "-x", "_x", "a/b", "a b", "a\n", "\xc3\xa4", "a:b"}) {
    CHECK_FALSE(is_valid_id(bad));
  }
  CHECK_FALSE(is_valid_id(std::string(65, 'a')));
  CHECK_FALSE(is_valid_id(std::string_view("a\0b", 3)));
  CHECK(check_id("../x", "task id").error().kind == ErrorKind::kInvalid);
}

TEST_CASE("numbered ids read back to their number only in their own form") {
  CHECK(numbered_id('R', 7) == "R-007");
  CHECK(numbered_id('R', 12345) == "R-12345");
  CHECK(id_number('R', "R-007") == 7);
  CHECK(id_number('R', "R-12345") == 12345);
  for (const char* bad : {"R-7", "R-0007", "S-007", "R-", "R-00x", "R-000000000000000000000001"}) {
    CHECK(id_number('R', bad) == 0);
  }
}

TEST_CASE("random hex has the asked length and differs") {
  CHECK(random_hex(2).size() == 4);
  CHECK(random_hex(300).size() == 600);
  CHECK(random_hex(16) != random_hex(16));
}
