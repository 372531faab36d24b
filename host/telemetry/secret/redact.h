// Redactor replaces secret values by "[redacted:NAME]" before anything is written or shown. It owns
// copies of the values and never prints them; it finds a secret only by its name, its length and
// the known encodings of its value. Immutable once built: any thread may use one; a StreamRedactor
// belongs to one.
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

/// The position of a label that replaces a secret. restore() needs it to put the secret back.
struct RedactedPlace {
  std::size_t at = 0;      ///< offset of the label in the redacted text
  std::uint32_t form = 0;  ///< the index of the secret's spelling at this place
};

class Redactor {
 public:
  /// A declared value shorter than this is not redacted, because it would match ordinary text.
  static constexpr std::size_t kMinDeclared = 4;
  /// The shortest value that is redacted only because its variable's name looks secret.
  static constexpr std::size_t kMinPresumed = 8;

  /// Makes a redactor without secrets.
  Redactor() = default;
  /// Redacts the declared secrets and, of `environment` ("NAME=VALUE" each), the values that
  /// secrets_of_environment() picks. Each value is also found in its usual encodings: JSON-escaped
  /// (once and twice), URL-encoded, base64 at any alignment, and line by line.
  Redactor(const std::vector<Secret>& declared, const std::vector<std::string>& environment);

  /// Variables of an environment whose name says "secret" (KEY, TOKEN, PASSWORD … as a word) and
  /// whose value can be one (not a path, plain word, number or place), and passwords inside URLs.
  static std::vector<Secret> secrets_of_environment(const std::vector<std::string>& environment);

  /// True when it has no secrets: apply() copies, a StreamRedactor appends.
  bool empty() const { return !table_; }

  /// The text with every occurrence replaced: leftmost first; of several at one place, the longest.
  /// Adds to `places` what restore() needs.
  std::string apply(std::string_view text, std::vector<RedactedPlace>* places = nullptr) const;

  /// Undoes apply() for its `text` and `places`, with the current secrets. Empty if one of the
  /// secrets is no longer known. A caller that must be sure compares a hash.
  std::optional<std::string> restore(std::string_view text,
                                     const std::vector<RedactedPlace>& places) const;

 private:
  friend class StreamRedactor;

  struct Needle {
    std::string text;
    std::uint32_t label;
    std::uint32_t form;
  };
  // A Wu-Manber table: how far the window may move when it ends in these two bytes.
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
  // Appends the settled part of text[from…] and returns where the unsettled rest begins.
  std::size_t settle(std::string_view text, bool last, std::string& out,
                     std::vector<RedactedPlace>* places = nullptr) const;
  std::vector<std::string> forms_of_label(std::string_view label) const;

  std::shared_ptr<const Table> table_;
  std::vector<std::string> labels_;
  std::vector<std::string> values_;  // the values of labels_
};

/// Redacts a text that arrives in pieces, with the same outcome as apply() on the whole. Holds back
/// only a possible beginning of a secret.
class StreamRedactor {
 public:
  /// `redactor` is borrowed and outlives this.
  explicit StreamRedactor(const Redactor& redactor) : redactor_(&redactor) {}

  /// Appends the settled text to `out`.
  void feed(std::string_view chunk, std::string& out);
  /// Appends the held-back text; the next feed() begins a new text.
  void finish(std::string& out);

 private:
  const Redactor* redactor_;
  std::string held_;
};

}  // namespace moonlet
