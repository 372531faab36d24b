// Text from outside: recognized as text, made valid, made short, made harmless to a terminal. Pure
// functions on bytes; they keep no state. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moonlet {

/// The length of the well-formed UTF-8 sequence at the start of `text`; 0 when there is none.
std::size_t utf8_sequence(std::string_view text);
bool is_valid_utf8(std::string_view text);
/// The length of the UTF-8 sequence that begins at the end of `text` and lacks its rest: 0 to 3.
std::size_t unfinished_utf8(std::string_view text);
/// Every malformed sequence becomes one U+FFFD (as Unicode recommends: maximal subparts).
std::string to_valid_utf8(std::string_view text);
/// The approximate size of a text as a JSON string: control characters and malformed bytes take six
/// each.
std::size_t json_size(std::string_view text);
/// Guesses from the first 8 KiB: a NUL byte, or too many control characters or malformed bytes.
bool looks_binary(std::string_view text);

/// Collects a text of any length in bounded memory: its head, its tail, and how much was between.
class MiddleCut {
 public:
  /// Keeps at most `cap` bytes, two thirds of them from the head.
  explicit MiddleCut(std::size_t cap);
  void feed(std::string_view chunk);
  std::uint64_t total() const { return total_; }
  bool cut() const { return total_ > cap_; }
  /// How many bytes of it text() has.
  std::uint64_t kept() const { return head().size() + tail().size(); }
  /// The text, or head + "\n[… N bytes left out<: note> …]\n" + tail, cut on UTF-8 boundaries. The
  /// line itself comes on top of `cap`.
  std::string text(std::string_view note = {}) const;

 private:
  std::string_view head() const;
  std::string_view tail() const;

  std::size_t cap_;
  std::size_t head_cap_;
  std::uint64_t total_ = 0;
  std::string head_;
  std::string tail_;  // up to twice its share, trimmed now and then
};

/// MiddleCut of one text: unchanged when it has at most `cap` bytes.
std::string cut_middle(std::string_view text, std::size_t cap, std::string_view note = {});
/// The longest start of `text` within `cap` bytes that ends on a UTF-8 boundary.
std::string_view cut_end(std::string_view text, std::size_t cap);

/// The code point of one well-formed sequence that a terminal would obey or that reorders or hides
/// text: C0, DEL, C1, bidirectional marks and their like. Empty for every other sequence.
std::optional<std::uint32_t> unsafe_on_terminal(std::string_view sequence);
/// The part of a text that is safe on a terminal: without escape sequences, control characters (but
///  and \t) and characters that reorder or hide text. The result is valid UTF-8.
std::string strip_controls(std::string_view text);
/// One line for messages and tables: control, reordering and malformed bytes as \n, \t, \xNN or
/// \u{N}, backslashes as they are; longer than `cap` bytes ends in "…".
std::string printable(std::string_view text, std::size_t cap = 400);

}  // namespace moonlet
