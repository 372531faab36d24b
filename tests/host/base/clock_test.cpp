#include "host/base/clock.h"

#include "tests/catch.h"

using namespace moonlet;

TEST_CASE("a time comes back from its text") {
  for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{951'782'400'000},
                                std::int64_t{1'795'000'000'123}, std::int64_t{4'102'444'799'999}}) {
    CHECK(parse_iso8601_utc(iso8601_utc(ms)) == ms);
  }
}

TEST_CASE("a malformed time is refused") {
  for (const char* text : {"", "2026-11-21", "2026-11-21T03:12:00Z", "2026-13-21T03:12:00.000Z",
                           "2026-02-30T03:12:00.000Z", "2026-11-21 03:12:00.000Z",
                           "2026-11-21T24:00:00.000Z", "2026-11-21T03:12:00.000Zx"}) {
    CHECK_FALSE(parse_iso8601_utc(text));
  }
}
