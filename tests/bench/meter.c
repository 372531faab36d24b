// Runs a command and measures the supervisor: the command's own process and every later process of
// the same executable, such as a keeper, but none of the tasks that it starts.
//   meter FILE COMMAND ARG…
// Writes to FILE: CPU microseconds, peak PSS in KB and peak RSS in KB at the greatest number of its
// processes, and that number.
// Samples about fifty times a second, which costs time: use it only for rounds that are not timed.
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

enum { kMost = 256 };
static struct {
  long pid;
  int seen;  // number of samples; a child between vfork and exec is in at most one
  long long cpu_ns;
} known[kMost];
static int known_count;
static char target[PATH_MAX];
static long self;
static long peak_pss, peak_rss, peak_processes;

static long long cpu_of(long pid) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%ld/task", pid);
  DIR* tasks = opendir(path);
  if (tasks == NULL) return -1;
  long long sum = 0;
  for (struct dirent* entry; (entry = readdir(tasks)) != NULL;) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    snprintf(path, sizeof path, "/proc/%ld/task/%.16s/schedstat", pid, entry->d_name);
    FILE* file = fopen(path, "r");
    long long ns;
    if (file != NULL && fscanf(file, "%lld", &ns) == 1) sum += ns;
    if (file != NULL) fclose(file);
  }
  closedir(tasks);
  return sum;
}

static void memory_of(long pid, long* pss, long* rss) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
  FILE* file = fopen(path, "r");
  if (file == NULL) return;
  long value;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "Pss: %ld", &value) == 1) *pss += value;
    if (sscanf(line, "Rss: %ld", &value) == 1) *rss += value;
  }
  fclose(file);
}

static int is_target(long pid) {
  char path[64], exe[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%ld/exe", pid);
  ssize_t n = readlink(path, exe, sizeof exe - 1);
  if (n < 0) return 0;
  exe[n] = 0;
  return strcmp(exe, target) == 0;
}

static void look(void) {
  DIR* proc = opendir("/proc");
  if (proc == NULL) return;
  long pss = 0, rss = 0, processes = 0;
  for (struct dirent* entry; (entry = readdir(proc)) != NULL;) {
    long pid = atol(entry->d_name);
    if (pid <= self || !is_target(pid)) continue;
    int i = 0;
    while (i < known_count && known[i].pid != pid) ++i;
    if (i == kMost) continue;
    if (i == known_count) {
      known[i].pid = pid;
      known[i].seen = 0;
      known[i].cpu_ns = 0;
      ++known_count;
    }
    long long cpu = cpu_of(pid);
    if (cpu > known[i].cpu_ns) known[i].cpu_ns = cpu;
    if (++known[i].seen < 2) continue;
    memory_of(pid, &pss, &rss);
    ++processes;
  }
  closedir(proc);
  // The peak is that of the samples with the most processes, not of those after the keeper has
  // gone.
  if (processes > peak_processes || (processes == peak_processes && pss > peak_pss)) {
    peak_pss = pss;
    peak_rss = rss;
    peak_processes = processes;
  }
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  self = getpid();
  pid_t pid;
  if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0) {
    perror(argv[2]);
    return 1;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  ssize_t n = readlink(path, target, sizeof target - 1);
  if (n > 0) target[n] = 0;
  siginfo_t info;
  for (;;) {
    info.si_pid = 0;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid == pid) break;
    look();
    struct timespec pause = {0, 20 * 1000 * 1000};
    nanosleep(&pause, NULL);
  }
  // A process that has ended but was not reaped still reports its CPU time.
  long long total = 0;
  for (int i = 0; i < known_count; ++i) {
    if (known[i].pid == pid) {
      long long cpu = cpu_of(pid);
      if (cpu > known[i].cpu_ns) known[i].cpu_ns = cpu;
    }
    total += known[i].cpu_ns;
  }
  int status;
  waitpid(pid, &status, 0);
  FILE* report = fopen(argv[1], "w");
  if (report == NULL) {
    perror(argv[1]);
    return 1;
  }
  fprintf(report, "%lld %ld %ld %ld\n", total / 1000, peak_pss, peak_rss, peak_processes);
  fclose(report);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
