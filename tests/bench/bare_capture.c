// The lower bound for capturing: starts a command and copies its standard output from a pipe to a
// file.
//   bare_capture FILE COMMAND ARG…
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static char buffer[256 * 1024];

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  int out[2];
  if (file < 0 || pipe2(out, O_CLOEXEC) != 0) {
    perror("start");
    return 1;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  pid_t pid;
  char** command = argv + 2;
  if (posix_spawnp(&pid, command[0], &actions, NULL, command, environ) != 0) return 1;
  close(out[1]);
  for (;;) {
    ssize_t n = read(out[0], buffer, sizeof buffer);
    if (n <= 0) break;
    for (ssize_t done = 0; done < n;) {
      ssize_t written = write(file, buffer + done, (size_t)(n - done));
      if (written < 0) {
        perror("write");
        return 1;
      }
      done += written;
    }
  }
  int status;
  waitpid(pid, &status, 0);
  return status != 0;
}
