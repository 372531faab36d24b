// EchoOff switches the terminal's echo off while a live view is drawn. What the user types
// meanwhile stays in the terminal's input for the next program that reads it. Only one EchoOff may
// exist per process.
#pragma once

namespace moonlet {

class EchoOff {
 public:
  /// Borrows `fd`. Has no effect if `fd` is not a terminal or the process is in the background.
  explicit EchoOff(int fd);
  ~EchoOff() { restore(); }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

  /// Switches the echo off again after another program has used the terminal.
  void again();
  /// Switches the echo on if an EchoOff switched it off. Safe in a signal handler.
  static void restore();

 private:
  const int fd_;
};

}  // namespace moonlet
