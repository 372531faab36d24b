// Reads the system's facts about a session's program: terminal settings and process states.
// Processes that exit during the scan are skipped. Any thread.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>

namespace moonlet {

/// Returns {echo, canonical}, two settings of the terminal.
nlohmann::json terminal_facts(int fd);

/// Returns facts about `main` and its descendants. `group` is the foreground group.
/// The keys are count, cpu_ms, read_bytes, written_bytes, foreground, reads_terminal, running and
/// newest.
/// `foreground` is the name of the program in the foreground group.
/// `reads_terminal` is true if a process of `group` is blocked in a read of the terminal.
/// `newest` is the youngest descendant {name, age_ms, after_ms}; after_ms counts from main's start.
nlohmann::json process_facts(pid_t main, pid_t group);

}  // namespace moonlet
