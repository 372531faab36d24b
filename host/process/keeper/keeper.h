// The keeper process is a guard and a worker, which own every child of a run.
// `moonlet keeper …` calls keeper_main() before it opens a file or starts a thread.
// No other part of moonlet runs in the keeper process.
#pragma once

namespace moonlet {

/// Runs until the host is gone or asks for the end, and every child has ended and is recorded.
/// `argv` is the command line after "keeper", as built by client/launch.cpp.
/// keeper_main() returns the process's exit status.
int keeper_main(int argc, char** argv);

}  // namespace moonlet
