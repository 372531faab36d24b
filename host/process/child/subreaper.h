// Changes settings of the calling process. Only moonlet's own programs call these functions.
// A function fails without effect if the system lacks the feature. Main thread only.
#pragma once

#include <sys/types.h>

namespace moonlet {

/// Makes the caller, instead of init, the parent of its orphaned descendants.
bool become_subreaper();
/// Keeps the user's other processes from reading the caller's memory and initial environment.
void hide_memory();
/// Sets the name that `ps` prints for the calling thread; at most 15 bytes.
void set_process_name(const char* name);
/// Returns memory to the system before a long wait: malloc's free memory and the program's pages.
/// The page cache reloads the program's pages on demand.
void trim_process();
/// Returns a descriptor that becomes readable at the child's end; -1 without system support.
int open_process_fd(pid_t pid);
/// Returns the pid of the peer of `socket_fd`; 0 if unknown.
pid_t peer_process(int socket_fd);

}  // namespace moonlet
