// The keeper process: a guard and its worker, which own every child of one run. The executable
// calls keeper_main() for `moonlet keeper …` before it has opened anything or started a thread; no
// other part of moonlet runs in that process.
#pragma once

namespace moonlet {

/// Runs until the host is gone or asked for the end, and every child is accounted for. `argv` is
/// the command line after the program's name and the prefix ("keeper"), as client/launch.cpp builds
/// it. Returns the process's exit status.
int keeper_main(int argc, char** argv);

}  // namespace moonlet
