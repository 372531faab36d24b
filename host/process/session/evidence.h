// The system's facts about a session's program: the settings of its terminal, and what its
// processes do. Reads only; a process that goes meanwhile is left out. Any thread.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>

namespace moonlet {

/// {echo, canonical}: of the terminal with this descriptor.
nlohmann::json terminal_facts(int fd);

/// {count, cpu_ms, read_bytes, written_bytes, foreground, reads_terminal, running, newest}: of
/// `main` and all that descends from it. `foreground` is the name of the program whose group,
/// `group`, has the terminal; `reads_terminal` says that one of that group is blocked in a read of
/// it. `newest` is the youngest process below `main`, if there is one: {name, age_ms, after_ms},
/// the last being the time from the birth of `main` to its own.
nlohmann::json process_facts(pid_t main, pid_t group);

}  // namespace moonlet
