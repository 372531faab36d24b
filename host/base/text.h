// Checks, repairs, shortens and sanitizes text from outside. All functions are pure and
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moonlet {

/// Returns the length of the UTF-8 sequence at the start of `text`, or 0 if it is malformed.
std::size_t utf8_sequence(std::string_view text);
bool is_valid_utf8(std::string_view text);
/// Returns the length (0 to 3) of an incomplete UTF-8 sequence at the end of `text`.
std::size_t unfinished_utf8(std::string_view text);
/// Replaces each malformed part by U+FFFD, as Unicode recommends (one for each maximal subpart).
std::string to_valid_utf8(std::string_view text);
/// Returns the approximate size of a text as a JSON string. Counts six bytes for each control
/// character and malformed byte.
std::size_t json_size(std::string_view text);
/// Guesses from the first 8 KiB whether a file is binary. Returns true if they contain a NUL byte,
/// or many control characters or malformed bytes.
bool looks_binary(std::string_view text);

/// MiddleCut keeps the head and the tail of a long text in bounded memory, and counts the bytes
/// that it omits from the middle.
class MiddleCut {
 public:
  /// Keeps at most `cap` bytes: two thirds from the head, one third from the tail.
  explicit MiddleCut(std::size_t cap);
  void feed(std::string_view chunk);
  std::uint64_t total() const { return total_; }
  bool cut() const { return total_ > cap_; }
  /// Returns how many bytes of the original text text() includes.
  std::uint64_t kept() const { return head().size() + tail().size(); }
  /// Returns the text. If it is too long, returns head + "\n[… N bytes left out<: note> …]\n" +
  /// tail, cut at character boundaries. The note's line does not count towards `cap`.
  std::string text(std::string_view note = {}) const;

 private:
  std::string_view head() const;
  std::string_view tail() const;

  std::size_t cap_;
  std::size_t head_cap_;
  std::uint64_t total_ = 0;
  std::string head_;
  std::string tail_;  // feed() trims the tail when it exceeds twice its limit
};

/// Shortens a text with MiddleCut. Does not change a text of at most `cap` bytes.
std::string cut_middle(std::string_view text, std::size_t cap, std::string_view note = {});
/// Returns the longest prefix of `text` that has at most `cap` bytes and ends at a character
/// boundary.
std::string_view cut_end(std::string_view text, std::size_t cap);

/// Returns the code point of `sequence` if it controls a terminal (C0, DEL, C1), or reorders or
/// hides text (such as bidirectional marks). Otherwise returns no value.
std::optional<std::uint32_t> unsafe_on_terminal(std::string_view sequence);
/// Removes escape sequences, control characters (except line feed and tab), and characters that
/// reorder or hide text.
std::string strip_controls(std::string_view text);
/// Formats a text as one line of at most `cap` bytes, for messages and tables. "…" marks a
/// truncated line. Control characters, reordering characters and malformed bytes become \n, \t,
/// \xNN or \u{N}.
std::string printable(std::string_view text, std::size_t cap = 400);

}  // namespace moonlet
