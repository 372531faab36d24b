// Redactor replaces secrets by "[redacted:NAME]" before text is written or printed. It owns copies
// of the secrets and never prints them. It guesses secrets by a variable's name and value, and also
// finds their encoded forms. Immutable, so threads may share a Redactor. A StreamRedactor belongs
// to a single thread.
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

/// RedactedPlace tells restore() which text a label replaces.
struct RedactedPlace {
  std::size_t at = 0;      ///< offset of the label in the redacted text
  std::uint32_t form = 0;  ///< index in the result of forms_of_label()
};

class Redactor {
 public:
  /// Minimum length in bytes of a declared secret. A shorter value would match ordinary text.
  static constexpr std::size_t kMinDeclared = 4;
  /// Minimum length in bytes of a secret that is guessed from a variable's name.
  static constexpr std::size_t kMinPresumed = 8;

  Redactor() = default;
  /// Redacts the declared secrets, and those that secrets_of_environment() finds in `environment`.
  /// Also finds their encoded forms: JSON, URL, base64 at any alignment, and single lines.
  Redactor(const std::vector<Secret>& declared, const std::vector<std::string>& environment);

  /// Returns the variables whose name suggests a secret and whose value may be one, and passwords
  /// in URLs.
  static std::vector<Secret> secrets_of_environment(const std::vector<std::string>& environment);

  /// Returns true if there are no secrets, so that apply() only copies the text.
  bool empty() const { return !table_; }

  /// Replaces every occurrence of a secret. If matches overlap, the leftmost and then the longest
  /// wins. Stores in `places` what restore() needs.
  std::string apply(std::string_view text, std::vector<RedactedPlace>* places = nullptr) const;

  /// Undoes apply() with the secrets that are known now. Returns no value if a secret is not known.
  /// A secret may have changed since, so callers compare a hash of the result.
  std::optional<std::string> restore(std::string_view text,
                                     const std::vector<RedactedPlace>& places) const;

 private:
  friend class StreamRedactor;

  struct Needle {
    std::string text;
    std::uint32_t label;
    std::uint32_t form;
  };
  // `Table` is the table of the Wu-Manber search. `shift` tells how far the search window may move,
  // by the window's last two bytes.
  struct Table {
    std::array<std::uint8_t, 65536> shift;
    std::vector<Needle> needles;                      // sorted, longest first
    std::vector<std::vector<std::uint32_t>> buckets;  // needles by the last two bytes of the window
    std::array<std::uint16_t, 65536> bucket_of;       // index into buckets plus 1; 0: none
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
  // Redacts `text` up to where a secret may be incomplete, and appends the result to `out`. Returns
  // the start of the rest. If `last` is true, redacts the whole text.
  std::size_t settle(std::string_view text, bool last, std::string& out,
                     std::vector<RedactedPlace>* places = nullptr) const;
  std::vector<std::string> forms_of_label(std::string_view label) const;

  std::shared_ptr<const Table> table_;
  std::vector<std::string> labels_;
  std::vector<std::string> values_;  // secrets, in the order of labels_
};

/// Redacts a text that arrives in pieces. The result is the same as that of apply() for the whole
/// text. Holds back only text that may be the beginning of a secret.
class StreamRedactor {
 public:
  /// Borrows `redactor`, which must outlive the StreamRedactor.
  explicit StreamRedactor(const Redactor& redactor) : redactor_(&redactor) {}

  /// Redacts the next piece and appends the result to `out`, except for text that is held back.
  void feed(std::string_view chunk, std::string& out);
  /// Appends the text that was held back. The next feed() begins a new text.
  void finish(std::string& out);

 private:
  const Redactor* redactor_;
  std::string held_;
};

}  // namespace moonlet
