// EchoOff keeps keys that are typed while a view is drawn off the screen; what was typed stays for
// the next reader. The terminal is as it was before when it ends. One at a time in a process.
#pragma once

namespace moonlet {

class EchoOff {
 public:
  /// `fd` is borrowed. Where it is no terminal, or this process is in the background, nothing is
  /// changed.
  explicit EchoOff(int fd);
  ~EchoOff() { restore(); }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

  /// Turns the echo off again, after a shell or another program has had the terminal.
  void again();
  /// Turns the echo on where an EchoOff of this process has turned it off. Safe in a signal
  /// handler.
  static void restore();

 private:
  const int fd_;
};

}  // namespace moonlet
