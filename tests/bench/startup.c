// Measures how long programs take from start to end: runs each of the given command lines (one
// argument each, split at blanks) in turn, ROUNDS times, and prints the median of each in
// milliseconds.
//   startup ROUNDS 'COMMAND ARG…' 'COMMAND ARG…' …
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static double run(char** command) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  double start = now_ms();
  pid_t pid;
  if (posix_spawnp(&pid, command[0], &actions, NULL, command, environ) != 0) return -1;
  int status;
  waitpid(pid, &status, 0);
  double took = now_ms() - start;
  posix_spawn_file_actions_destroy(&actions);
  return status == 0 ? took : -1;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  int rounds = atoi(argv[1]), programs = argc - 2;
  double* took = calloc((size_t)(rounds * programs), sizeof *took);
  char* commands[64][16] = {0};
  if (took == NULL || programs > 64 || rounds < 1) return 2;
  for (int p = 0; p < programs; ++p) {
    int words = 0;
    char* text = strdup(argv[2 + p]);
    for (char* word = strtok(text, " "); word && words < 15; word = strtok(NULL, " ")) {
      commands[p][words++] = word;
    }
    run(commands[p]);
  }
  for (int r = 0; r < rounds; ++r) {
    for (int p = 0; p < programs; ++p) took[p * rounds + r] = run(commands[p]);
  }
  for (int p = 0; p < programs; ++p) {
    double* mine = took + p * rounds;
    // The table has the name of the program without its folder.
    const char* blank = strchr(argv[2 + p], ' ');
    size_t program = blank ? (size_t)(blank - argv[2 + p]) : strlen(argv[2 + p]);
    const char* name = argv[2 + p] + program;
    while (name > argv[2 + p] && name[-1] != '/') --name;
    qsort(mine, (size_t)rounds, sizeof *mine, by_value);
    if (mine[0] < 0) {
      printf("%-36s failed\n", name);
    } else {
      printf("%-36s median %7.2f   min %7.2f   max %7.2f\n", name, mine[rounds / 2], mine[0],
             mine[rounds - 1]);
    }
  }
  return 0;
}
