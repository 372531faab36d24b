#include "tests/places.h"

namespace moonlet::places {

// The only file that is compiled with paths, so that a compiler cache serves every clone.
const char* const kKeeperProgram = MOONLET_KEEPER_PROGRAM;
const char* const kMoonlet = MOONLET_PROGRAM;
const char* const kTests = MOONLET_TESTS;

}  // namespace moonlet::places
