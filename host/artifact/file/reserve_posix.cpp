#include "host/artifact/file/reserve.h"

namespace moonlet {

Result<void> Reserve::fill(int) { return {}; }
bool Reserve::give(std::uint64_t, std::uint64_t) { return false; }

}  // namespace moonlet
