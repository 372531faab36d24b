// VtermInput filters a program's output for libvterm.
// libvterm 0.1 of Debian 12 overflows buffers, crashes or hangs on some input.
#pragma once

#include <string>
#include <string_view>

namespace moonlet {

/// VtermInput keeps the unfinished end of the input. Each terminal needs its own. Single-threaded.
class VtermInput {
 public:
  /// This sequence moves a cursor that is outside the screen back into it, and does nothing else.
  /// libvterm may leave the cursor outside when the screen shrinks or a saved cursor is restored.
  static constexpr std::string_view kComeInside = "\x1b[0h";

  /// Returns `bytes` in a form that libvterm can parse safely. Valid until the next call.
  /// Replaces malformed UTF-8. Drops C1 controls and application strings (SOS, PM, APC).
  /// Passes only complete control sequences, with few and small parameters.
  /// Translates sequences that libvterm lacks, such as CSI b (repeat) and CSI s (save the cursor).
  std::string_view clean(std::string_view bytes);

  /// Returns true if the program may have set margins, by CSI … r or mode 69.
  bool has_margins() const { return has_margins_; }

 private:
  enum class State { kText, kEscape, kSequence, kString };

  std::size_t take(std::string_view bytes);
  void saw_character(char byte) { last_ = byte < ' ' || byte == 0x7f ? '\0' : byte; }
  void begin_escape();
  void put_text(std::string_view text);
  void put_escape(char byte);
  void put_sequence(char byte);
  void end_sequence(char final);
  void repeat(std::string_view count);

  State state_ = State::kText;
  std::string unfinished_;  // the incomplete UTF-8 sequence at the end of the last call
  std::string joined_, out_;
  std::string parameters_;  // the parameters of the open escape or control sequence
  char last_ = 0;           // the previous character if it is ASCII, else 0
  bool has_margins_ = false;
};

}  // namespace moonlet
