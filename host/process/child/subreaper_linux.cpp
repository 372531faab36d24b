#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/process/child/subreaper.h"

namespace moonlet {

bool become_subreaper() { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0; }

void hide_memory() { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void set_process_name(const char* name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

int open_process_fd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0u)); }

pid_t peer_process(int socket_fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace moonlet
