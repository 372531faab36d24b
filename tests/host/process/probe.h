// A confined child's side of the confinement tests: does each line of its script, and prints the
// kernel's answer to it. Async-signal-safety does not matter here; it is a whole process.
#pragma once

#include <string>

namespace moonlet::test {

/// Each line of `script` is a verb and its arguments, separated by tabs; for each one line
/// "ok" or the name of the errno goes to stdout.
int probe(const std::string& script);

}  // namespace moonlet::test
