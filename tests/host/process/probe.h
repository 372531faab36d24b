// The child of the confinement tests: runs the lines of a script and prints the kernel's result of
// each. It is a whole process, so it need not be async-signal-safe.
#pragma once

#include <string>

namespace moonlet::test {

/// Runs each line of `script`: a verb and its arguments, separated by tabs. Prints a line for each:
/// "ok" or the name of the errno.
int probe(const std::string& script);

}  // namespace moonlet::test
