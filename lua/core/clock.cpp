// core.clock reads the run's clock and the kernel's random generator.

#include "host/base/clock.h"
#include "host/base/id.h"
#include "lua/core/core.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

lua_Integer clock_monotonic(Services& services) { return services.clock.monotonic_ms(); }

lua_Integer clock_wall(Services& services) { return services.clock.wall_ms(); }

/// random_hex(bytes) returns `bytes` random bytes, which come from the kernel, as hex digits
Result<std::string> clock_random_hex(lua_Integer bytes) {
  if (bytes > 0 && bytes <= 1024) return random_hex(static_cast<std::size_t>(bytes));
  return Error{ErrorKind::kInvalid, "1 to 1024 bytes expected", {}, {}};
}

}  // namespace

const luaL_Reg kCoreClock[] = {
    {"parse", raising<parse_iso8601_utc>},
    {"monotonic", raising<clock_monotonic>},
    {"wall", raising<clock_wall>},
    {"iso", raising<iso8601_utc>},
    {"random_hex", raising<clock_random_hex>},
    {nullptr, nullptr},
};

}  // namespace moonlet
