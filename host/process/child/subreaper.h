// Requests of a process to the kernel about its place among others. Each is a wish: false on a
// system without the feature. Changes the calling process; only programs of moonlet's own call
// it, from their main thread.
#pragma once

#include <sys/types.h>

namespace moonlet {

/// Orphans below the caller become its children instead of init's.
bool become_subreaper();
/// Keeps other processes of the user from reading the caller's memory and its first environment.
void hide_memory();
/// The name that `ps` shows for the calling thread; at most 15 bytes.
void set_process_name(const char* name);
/// Gives the memory back that the process holds but does not use at the moment: what malloc keeps
/// free, and the pages of the program itself, which come back from the page cache when they are
/// needed. For a process that is about to wait for long.
void trim_process();
/// A descriptor that becomes readable when `pid`, a child of ours, has ended; -1 where there is
/// none.
int open_process_fd(pid_t pid);
/// The process that made the connection at `socket_fd`'s other end; 0 where the system does not
/// say.
pid_t peer_process(int socket_fd);

}  // namespace moonlet
