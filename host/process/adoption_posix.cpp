#if !defined(__linux__) || defined(MOONLET_PLAIN_POSIX)

#include <unistd.h>

#include "host/process/adoption.h"

namespace moonlet {

bool become_subreaper() { return false; }
void set_process_name(const char*) {}

void close_inherited_fds(int first) {
  for (int fd = first; fd < 4096; ++fd) close(fd);
}

int open_process_fd(pid_t) { return -1; }

}  // namespace moonlet

#endif
