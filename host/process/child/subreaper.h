// Asks the kernel for settings of the calling process. On a system without a feature its function
// fails and changes nothing. Only moonlet's own programs call it, from their main thread.
#pragma once

#include <sys/types.h>

namespace moonlet {

/// Orphans below the caller become its children instead of init's.
bool become_subreaper();
/// Keeps other processes of the user from reading the caller's memory and its first environment.
void hide_memory();
/// Sets the name that `ps` prints for the calling thread; at most 15 bytes.
void set_process_name(const char* name);
/// Returns unused memory to the system: the free memory of malloc, and the pages of the program,
/// which are reloaded from the page cache on demand. For a process that will wait for a long time.
void trim_process();
/// A descriptor that becomes readable when the child `pid` has ended; -1 if the system has none.
int open_process_fd(pid_t pid);
/// The pid of the peer that made the connection of `socket_fd`; 0 if the system does not tell.
pid_t peer_process(int socket_fd);

}  // namespace moonlet
