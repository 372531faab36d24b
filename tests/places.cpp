#include "tests/places.h"

namespace moonlet::places {

// Only this file is compiled with absolute paths, so a compiler cache is valid for every clone.
const char* const kKeeperProgram = MOONLET_KEEPER_PROGRAM;
const char* const kMoonlet = MOONLET_PROGRAM;
const char* const kTests = MOONLET_TESTS;

}  // namespace moonlet::places
