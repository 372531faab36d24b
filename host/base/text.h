// Recognizes, repairs, shortens and sanitizes foreign text. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moonlet {

/// Returns the length of the well-formed UTF-8 sequence at the start of `text`; 0 if malformed.
std::size_t utf8_sequence(std::string_view text);
bool is_valid_utf8(std::string_view text);
/// Returns the length (0 to 3) of an incomplete UTF-8 sequence at the end of `text`.
std::size_t unfinished_utf8(std::string_view text);
/// Replaces every malformed sequence (a maximal subpart) by U+FFFD, as Unicode recommends.
std::string to_valid_utf8(std::string_view text);
/// Returns the approximate size of a text as a JSON string.
/// Control characters and malformed bytes count six bytes each in JSON.
std::size_t json_size(std::string_view text);
/// Guesses from the first 8 KiB: a NUL byte, or many control characters or malformed bytes.
bool looks_binary(std::string_view text);

/// MiddleCut collects the head and tail of a text in bounded memory, and counts the middle.
class MiddleCut {
 public:
  /// Keeps at most `cap` bytes, two thirds of them from the head.
  explicit MiddleCut(std::size_t cap);
  void feed(std::string_view chunk);
  std::uint64_t total() const { return total_; }
  bool cut() const { return total_ > cap_; }
  /// Returns the number of bytes that text() keeps.
  std::uint64_t kept() const { return head().size() + tail().size(); }
  /// Returns the text, or head + "\n[… N bytes left out<: note> …]\n" + tail.
  /// The text is cut on UTF-8 boundaries. The line in the middle is not part of `cap`.
  std::string text(std::string_view note = {}) const;

 private:
  std::string_view head() const;
  std::string_view tail() const;

  std::size_t cap_;
  std::size_t head_cap_;
  std::uint64_t total_ = 0;
  std::string head_;
  std::string tail_;  // may grow to twice its limit before it is trimmed
};

/// Applies MiddleCut to a text. A text of at most `cap` bytes stays unchanged.
std::string cut_middle(std::string_view text, std::size_t cap, std::string_view note = {});
/// Returns the longest start of `text` within `cap` bytes that ends on a UTF-8 boundary.
std::string_view cut_end(std::string_view text, std::size_t cap);

/// Returns the code point of a sequence that a terminal obeys, or that reorders or hides text.
/// The code points are C0, DEL, C1, bidirectional marks and the like.
std::optional<std::uint32_t> unsafe_on_terminal(std::string_view sequence);
/// Removes escape sequences, control characters (except line feed and tab) and deceptive marks.
std::string strip_controls(std::string_view text);
/// Formats a line for messages and tables, at most `cap` bytes. "…" marks a truncated line.
/// Control, reordering and malformed bytes become \n, \t, \xNN or \u{N}.
std::string printable(std::string_view text, std::size_t cap = 400);

}  // namespace moonlet
