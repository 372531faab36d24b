// The output of a program on its way to libvterm. Version 0.1 of it, which Debian 12 has, writes
// beyond its buffers, crashes or never comes back for some input: none of that reaches it.
#pragma once

#include <string>
#include <string_view>

namespace moonlet {

/// Keeps the unfinished end of what it has seen. One for each terminal; one thread.
class VtermInput {
 public:
  /// Changes nothing but brings a cursor inside of the screen, as any control sequence does. After
  /// a resize, and where it is restored on a smaller screen, libvterm may leave it outside.
  static constexpr std::string_view kComeInside = "\x1b[0h";

  /// The bytes to parse in place of `bytes`, valid as long as those and until the next call. Broken
  /// UTF-8 is replaced, control characters above 0x7f and strings for an application are left out,
  /// a control sequence comes whole, with few and small numbers, and one that libvterm does not
  /// know as others that it does: a repeated character (CSI … b), a saved cursor (CSI s).
  std::string_view clean(std::string_view bytes);

  /// True when the program may have set margins: by CSI … r, or left and right ones by mode 69.
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
  std::string unfinished_;  // the start of a UTF-8 sequence whose rest has not come yet
  std::string joined_, out_;
  std::string parameters_;  // of the escape or control sequence that has begun
  char last_ = 0;           // the character before it, when it is of ASCII
  bool has_margins_ = false;
};

}  // namespace moonlet
