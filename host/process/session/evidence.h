// Reads what the system knows about a session's program: the settings of its terminal and the state
// of its processes. Skips processes that exit meanwhile. Any thread.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>

namespace moonlet {

/// Returns {echo, canonical}, two settings of the terminal.
nlohmann::json terminal_facts(int fd);

/// Returns {count, cpu_ms, read_bytes, written_bytes, foreground, reads_terminal, running, newest}
/// for `main` and its descendants. `foreground` is the name of the program in the foreground group
/// `group`. `reads_terminal` is true if a process of that group is blocked in a read of the
/// terminal. `newest` describes the youngest descendant, if any: {name, age_ms, after_ms}, where
/// `after_ms` is the time from the start of `main` to its start.
nlohmann::json process_facts(pid_t main, pid_t group);

}  // namespace moonlet
