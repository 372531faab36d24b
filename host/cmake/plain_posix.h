// The compiler includes this before each file of the plain POSIX build (MOONLET_PLAIN_POSIX).
// Poisons names that macOS and the BSDs lack, so that code which uses them does not compile on
// Linux either. Includes the system's headers first, because they use these names themselves.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <memory>
#include <thread>

#undef O_PATH
#undef O_TMPFILE
#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK
#undef SO_PEERCRED

#pragma GCC poison accept4 clone close_range copy_file_range dup3 euidaccess execveat fallocate
#pragma GCC poison fdatasync getrandom gettid memfd_create memrchr name_to_handle_at pipe2 ppoll
#pragma GCC poison prctl prlimit renameat2 secure_getenv sendfile setresuid sync_file_range syncfs
#pragma GCC poison syscall tgkill unshare vfork
#pragma GCC poison epoll_create1 epoll_ctl epoll_wait eventfd inotify_init1 signalfd
#pragma GCC poison timerfd_create timerfd_settime
#pragma GCC poison O_PATH O_TMPFILE SOCK_CLOEXEC SOCK_NONBLOCK SO_PEERCRED
