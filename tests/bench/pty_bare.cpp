// The lower bound for sessions: runs a program on a pseudo-terminal and writes its output to a file
// and to a libvterm screen. pty_bare FILE COMMAND… prints bytes and milliseconds.
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include <chrono>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  winsize size{40, 120, 0, 0};
  int master = -1;
  const auto began = std::chrono::steady_clock::now();
  const pid_t pid = forkpty(&master, nullptr, nullptr, &size);
  if (pid == 0) {
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  const int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  VTerm* vterm = vterm_new(40, 120);
  vterm_set_utf8(vterm, 1);
  VTermScreen* screen = vterm_obtain_screen(vterm);
  vterm_screen_enable_altscreen(screen, 1);
  vterm_screen_reset(screen, 1);
  static char buffer[256 * 1024];
  long total = 0;
  for (long got; (got = read(master, buffer, sizeof buffer)) > 0; total += got) {
    if (write(file, buffer, static_cast<std::size_t>(got)) < 0) return 1;
    vterm_input_write(vterm, buffer, static_cast<std::size_t>(got));
  }
  waitpid(pid, nullptr, 0);
  const auto took = std::chrono::steady_clock::now() - began;
  std::printf(
      "%ld bytes %lld ms\n", total,
      static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  return 0;
}
