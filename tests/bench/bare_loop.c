// The lower bound for starting processes: starts a command N times, W at once, with posix_spawn,
// waits with pidfds and epoll, and reads both output streams through pipes.
//   bare_loop -n N -w W [-m MB] COMMAND ARG…
// With -m the process has MB megabytes of memory meanwhile, and prints the seconds of the work
// without the time to allocate.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

enum { kept_bytes = 4096 };

struct source {
  struct slot* slot;
  int fd;
};

struct slot {
  pid_t pid;
  int pending;  // the pidfd and the pipes that are not at their end
  size_t captured;
  char* head;  // the first bytes of the output; most children write none
  struct source process, out, err;
};

static int poller;
static char** command;
static long to_start, live, failed;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void watch(struct source* source, struct slot* slot, int fd) {
  source->slot = slot;
  source->fd = fd;
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = source}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void start(struct slot* slot) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) die("pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  int error = posix_spawnp(&slot->pid, command[0], &actions, NULL, command, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    errno = error;
    die(command[0]);
  }
  close(out[1]);
  close(err[1]);
  int pidfd = (int)syscall(SYS_pidfd_open, slot->pid, 0);
  if (pidfd < 0) die("pidfd_open");
  slot->pending = 3;
  slot->captured = 0;
  watch(&slot->process, slot, pidfd);
  watch(&slot->out, slot, out[0]);
  watch(&slot->err, slot, err[0]);
  --to_start;
  ++live;
}

static void end(struct source* source) {
  epoll_ctl(poller, EPOLL_CTL_DEL, source->fd, NULL);
  close(source->fd);
  struct slot* slot = source->slot;
  if (--slot->pending > 0) return;
  --live;
  if (to_start > 0) start(slot);
}

static void handle(struct source* source) {
  struct slot* slot = source->slot;
  if (source == &slot->process) {
    int status;
    if (waitpid(slot->pid, &status, 0) != slot->pid) die("waitpid");
    if (status != 0) ++failed;
    end(source);
    return;
  }
  static char buffer[65536];
  ssize_t n = read(source->fd, buffer, sizeof buffer);
  if (n <= 0) {
    end(source);
    return;
  }
  if (slot->head == NULL && (slot->head = malloc(kept_bytes)) == NULL) die("malloc");
  size_t room = kept_bytes - slot->captured;
  size_t kept = (size_t)n < room ? (size_t)n : room;
  memcpy(slot->head + slot->captured, buffer, kept);
  slot->captured += kept;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
  long width = 64, megabytes = 0;
  int option;
  to_start = 2000;
  while ((option = getopt(argc, argv, "+n:w:m:")) != -1) {
    if (option == 'n') to_start = atol(optarg);
    if (option == 'w') width = atol(optarg);
    if (option == 'm') megabytes = atol(optarg);
  }
  if (optind >= argc || to_start < 1 || width < 1) {
    fprintf(stderr, "usage: bare_loop -n N -w W [-m MB] COMMAND ARG...\n");
    return 2;
  }
  command = argv + optind;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (megabytes > 0) {
    char* ballast = malloc((size_t)megabytes << 20);
    if (ballast == NULL) die("malloc");
    memset(ballast, 1, (size_t)megabytes << 20);
  }
  double start_time = now();
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct slot* slots = calloc((size_t)width, sizeof *slots);
  if (poller < 0 || slots == NULL) die("start");
  for (long i = 0; i < width && to_start > 0; ++i) start(&slots[i]);
  while (live > 0) {
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, 256, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; ++i) handle(events[i].data.ptr);
  }
  if (megabytes > 0) printf("elapsed %.6f\n", now() - start_time);
  return failed > 0;
}
