// Forks 200 times a second for argv[1] seconds (default: for ever). Each child takes a session of
// its own, ignores TERM and sleeps, so neither killpg nor TERM ends them.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  long rounds = argc > 1 ? atol(argv[1]) * 200 : -1;
  signal(SIGCHLD, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  printf("storm\n");
  fflush(stdout);
  while (rounds != 0) {
    if (fork() == 0) {
      setsid();
      if (fork() != 0) _exit(0);
      sleep(600);
      _exit(0);
    }
    struct timespec pause = {0, 5 * 1000 * 1000};
    nanosleep(&pause, NULL);
    if (rounds > 0) --rounds;
  }
  return 0;
}
