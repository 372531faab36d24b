// Redactor replaces secret values by "[redacted:NAME]" before text is written or printed.
// Redactor owns copies of the values and never prints them.
// Secrets are found by variable name, length and the known encodings of their values.
// Immutable, so any thread may share a Redactor. A StreamRedactor belongs to a single thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

struct Secret {
  std::string name;
  std::string value;
};

/// RedactedPlace is the position of a label. restore() needs the position.
struct RedactedPlace {
  std::size_t at = 0;      ///< offset of the label in the redacted text
  std::uint32_t form = 0;  ///< the index of the secret's spelling at this place
};

class Redactor {
 public:
  /// Redact declared values from this length in bytes. Shorter values match ordinary text.
  static constexpr std::size_t kMinDeclared = 4;
  /// Redact values of variables with a secret-looking name from this length in bytes.
  static constexpr std::size_t kMinPresumed = 8;

  Redactor() = default;
  /// Redacts declared secrets, and those that secrets_of_environment() finds in `environment`.
  /// Finds each value also in its encodings: JSON, URL, base64 at any alignment, and line by line.
  Redactor(const std::vector<Secret>& declared, const std::vector<std::string>& environment);

  /// Returns variables whose name announces a secret and whose value can be a secret.
  /// Passwords inside URLs are included.
  static std::vector<Secret> secrets_of_environment(const std::vector<std::string>& environment);

  /// Returns true without secrets. apply() then copies the text.
  bool empty() const { return !table_; }

  /// Replaces every occurrence of a secret, leftmost and longest first.
  /// apply() adds the places that restore() needs to `places`.
  std::string apply(std::string_view text, std::vector<RedactedPlace>* places = nullptr) const;

  /// Undoes apply() with the current secrets. Returns no value if a secret is unknown now.
  /// Callers compare a hash to be sure of the restored text.
  std::optional<std::string> restore(std::string_view text,
                                     const std::vector<RedactedPlace>& places) const;

 private:
  friend class StreamRedactor;

  struct Needle {
    std::string text;
    std::uint32_t label;
    std::uint32_t form;
  };
  // Table is a Wu-Manber table: the last two bytes of the window select its shift.
  struct Table {
    std::array<std::uint8_t, 65536> shift;
    std::vector<Needle> needles;                      // longest first
    std::vector<std::vector<std::uint32_t>> buckets;  // needles by the end of their window
    std::array<std::uint16_t, 65536> bucket_of;       // 1-based; 0 is none
    std::array<bool, 256> first_byte{};
    std::size_t window = 0;
    std::size_t longest = 0;
  };
  struct Hit {
    std::size_t at;
    std::size_t size;
    std::uint32_t label;
    std::uint32_t form;
  };

  void add(const Secret& secret, std::vector<Needle>& needles);
  void build(std::vector<Needle> needles);
  bool next(std::string_view text, std::size_t from, Hit& hit) const;
  std::size_t open_end(std::string_view text, std::size_t from) const;
  // Appends the settled part of text[from…] and returns the start of the unsettled rest.
  std::size_t settle(std::string_view text, bool last, std::string& out,
                     std::vector<RedactedPlace>* places = nullptr) const;
  std::vector<std::string> forms_of_label(std::string_view label) const;

  std::shared_ptr<const Table> table_;
  std::vector<std::string> labels_;
  std::vector<std::string> values_;  // the values of labels_
};

/// Redacts a text that arrives in pieces, with the same result as apply() on the whole text.
/// Only a possible beginning of a secret is delayed.
class StreamRedactor {
 public:
  /// Borrows `redactor`, which must outlive the StreamRedactor.
  explicit StreamRedactor(const Redactor& redactor) : redactor_(&redactor) {}

  /// Appends the settled text to `out`.
  void feed(std::string_view chunk, std::string& out);
  /// Appends the delayed text. The next feed() begins a new text.
  void finish(std::string& out);

 private:
  const Redactor* redactor_;
  std::string held_;
};

}  // namespace moonlet
