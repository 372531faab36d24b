#include "host/telemetry/live/echo.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace moonlet {

namespace {

/// The terminal whose echo is switched off, or -1.
std::atomic<int> quiet_fd{-1};

/// Switches the terminal's echo on or off. Returns false if that fails, or if `on` is false and the
/// echo was off already. Fails in the background, where the terminal belongs to another process.
/// Blocks SIGTTOU, which would stop a background process here.
bool set_echo(int fd, bool on) {
  const int kept_errno = errno;
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &stop, &before);
  termios settings{};
  bool done = tcgetpgrp(fd) == getpgrp() && tcgetattr(fd, &settings) == 0;
  const bool has_echo = (settings.c_lflag & ECHO) != 0;
  if (done && has_echo != on) {
    settings.c_lflag =
        on ? settings.c_lflag | ECHO : settings.c_lflag & ~static_cast<tcflag_t>(ECHO);
    done = tcsetattr(fd, TCSANOW, &settings) == 0;
  } else if (!on) {
    done = false;  // the echo was off already, so restore() must not switch it on
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = kept_errno;
  return done;
}

}  // namespace

EchoOff::EchoOff(int fd) : fd_(fd) { again(); }

void EchoOff::again() {
  if (isatty(fd_) == 1 && set_echo(fd_, false)) quiet_fd.store(fd_);
}

void EchoOff::restore() {
  const int fd = quiet_fd.exchange(-1);
  if (fd >= 0) (void)set_echo(fd, true);
}

}  // namespace moonlet
