#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/process/child/subreaper.h"

namespace moonlet {

bool become_subreaper() { return false; }
void hide_memory() {}
void set_process_name(const char*) {}
void trim_process() {}

int open_process_fd(pid_t) { return -1; }

pid_t peer_process(int socket_fd) {
  pid_t pid = 0;
#ifdef LOCAL_PEERPID
  socklen_t size = sizeof pid;
  if (getsockopt(socket_fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &size) != 0) return 0;
#else
  (void)socket_fd;
#endif
  return pid;
}

}  // namespace moonlet
