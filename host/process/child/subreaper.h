// What a process can ask of the kernel about its place among others. Each is a wish: false where
// the system knows no such thing. Changes the calling process; only the keeper calls it.
#pragma once

#include <sys/types.h>

namespace moonlet {

/// Orphans below the caller become its children instead of init's.
bool become_subreaper();
/// The name that `ps` shows for the calling thread; at most 15 bytes.
void set_process_name(const char* name);
/// Closes every descriptor from `first` on that the caller did not open itself.
void close_inherited_fds(int first);
/// A descriptor that becomes readable when `pid`, a child of ours, has ended; -1 where there is
/// none.
int open_process_fd(pid_t pid);
/// The process that made the connection which `socket_fd` is one end of; 0 where that is not told.
pid_t peer_process(int socket_fd);

}  // namespace moonlet
