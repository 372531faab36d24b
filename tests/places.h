// Absolute paths of the programs that the tests start and of the data that they read.
#pragma once

namespace moonlet::places {

extern const char* const kKeeperProgram;  // plays the keeper in tests of host/process
extern const char* const kMoonlet;        // the executable itself
extern const char* const kTests;          // the folder of the tests

}  // namespace moonlet::places
