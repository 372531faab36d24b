#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "host/process/child/subreaper.h"

namespace moonlet {

bool become_subreaper() { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0; }

void hide_memory() { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void set_process_name(const char* name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

void trim_process() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t, void*) {
        const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
        for (int i = 0; i < program->dlpi_phnum; ++i) {
          const auto& part = program->dlpi_phdr[i];
          if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
          const auto start = (program->dlpi_addr + part.p_vaddr) & ~(page - 1);
          const auto end = program->dlpi_addr + part.p_vaddr + part.p_memsz;
          madvise(reinterpret_cast<void*>(start), end - start, MADV_DONTNEED);
        }
        return 1;  // skip the libraries, whose pages other programs share
      },
      nullptr);
}

int open_process_fd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0u)); }

pid_t peer_process(int socket_fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace moonlet
