// Answers, exits with 0, and leaves a daemon: forked twice, in its own session, with / as working
// directory, ignoring TERM. With the argument "hold" the daemon keeps the pipes open.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  int hold = argc > 1 && strcmp(argv[1], "hold") == 0;
  printf("answer of a daemon\n");
  fflush(stdout);
  if (fork() != 0) return 0;
  setsid();
  if (fork() != 0) _exit(0);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  if (chdir("/") != 0) _exit(1);
  if (!hold) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
  }
  sleep(600);
  return 0;
}
