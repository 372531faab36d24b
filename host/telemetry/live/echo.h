// EchoOff switches the terminal's echo off while a view is drawn; typed text stays for the next
// reader. Its destructor restores the terminal. One at a time per process.
#pragma once

namespace moonlet {

class EchoOff {
 public:
  /// `fd` is borrowed. Changes nothing if it is not a terminal, or if this process is in the
  /// background.
  explicit EchoOff(int fd);
  ~EchoOff() { restore(); }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

  /// Turns the echo off again after a shell or another program has used the terminal.
  void again();
  /// Turns the echo on where an EchoOff of this process has turned it off. Safe in a signal
  /// handler.
  static void restore();

 private:
  const int fd_;
};

}  // namespace moonlet
