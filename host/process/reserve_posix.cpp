#ifndef __linux__

#include "host/process/reserve.h"

namespace moonlet {

Result<void> Reserve::fill(int) { return {}; }
bool Reserve::give(std::uint64_t, std::uint64_t) { return false; }

}  // namespace moonlet

#endif
