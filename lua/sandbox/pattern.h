// Pattern: a Lua pattern, read once into a list of items, and the matcher that runs it. The matcher
// counts its steps: it looks at the kill every few thousand of them and gives a pattern up that
// takes too many. A pattern is plain memory inside a userdata, so that an error may leave from
// anywhere. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lua/vm/lua_api.h"

namespace moonlet {

constexpr int kMaxCaptures = 32;

/// Which bytes a single-character item stands for.
struct ByteSet {
  std::uint64_t bits[4] = {};
  void add(unsigned char c) { bits[c >> 6] |= std::uint64_t{1} << (c & 63); }
  bool has(unsigned char c) const { return (bits[c >> 6] >> (c & 63)) & 1; }
};

struct PatternItem {
  enum class Kind : std::uint8_t {
    kEnd,        ///< the pattern ends: a match
    kEndOfText,  ///< $ at the end
    kOne,        ///< one byte of the item
    kOptional,   ///< ?
    kStar,       ///< * and +: as many as there are
    kLazy,       ///< -: as few as will do
    kOpen,       ///< ( of capture `number`
    kClose,      ///< ) of capture `number`
    kPosition,   ///< () as capture `number`
    kBalance,    ///< %b: `byte` and `other`
    kFrontier,   ///< %f
    kBackref,    ///< %1: the text of capture `number`
  };
  enum class Class : std::uint8_t { kByte, kAny, kSet };

  Kind kind = Kind::kEnd;
  Class type = Class::kByte;
  bool exclusive = false;  ///< the next item cannot begin inside a run of this one
  unsigned char byte = 0;
  unsigned char other = 0;
  std::uint8_t number = 0;
  std::uint8_t least = 0;  ///< the least count of kStar
  const ByteSet* set = nullptr;

  bool fits(unsigned char c) const {
    return type == Class::kByte ? c == byte : type == Class::kAny || set->has(c);
  }
};

struct Pattern {
  bool anchored = false;
  int captures = 0;
  const PatternItem* items = nullptr;
  const PatternItem* first = nullptr;  ///< a match begins with one of its bytes; may be nullptr

  /// Pushes the userdata of the pattern `text`; raises when it is malformed. With `repeated` a
  /// leading ^ is a plain character, as in gmatch.
  static const Pattern& push(lua_State* L, const char* text, std::size_t size, bool repeated);
};

/// The search for one pattern in one text. The text and the pattern outlive it.
class Match {
 public:
  Match(lua_State* L, const Pattern& pattern, const char* text, std::size_t size);

  /// Finds the first match that begins at `from` or later. Raises when it takes too many steps.
  bool find(const char* from);
  const char* begin() const { return begin_; }
  const char* end() const { return end_; }
  /// How many values push_captures pushes: 1 when there are none but the whole.
  int count(bool whole_if_none) const {
    return pattern_.captures == 0 && whole_if_none ? 1 : pattern_.captures;
  }
  /// Pushes capture `index` (from 0; the whole match when there are none).
  void push_capture(int index) const;
  int push_captures(bool whole_if_none) const;

 private:
  struct Capture {
    const char* start;
    std::ptrdiff_t size;  // kPositionCapture for ()
  };
  static constexpr std::ptrdiff_t kPositionCapture = -1;

  const char* run(const char* s, const PatternItem* item);
  const char* run_star(const char* s, const PatternItem* item, bool& more);
  const char* run_lazy(const char* s, const PatternItem* item, bool& more);
  const char* scan(const char* s, const PatternItem& item);
  const char* balance(const char* s, const PatternItem& item);
  const char* candidate(const char* s);
  void step() {
    if (--budget_ <= 0) refill();
  }
  /// Counts the bytes that were looked at in one go.
  void charge(std::ptrdiff_t bytes) {
    budget_ -= bytes >> 5;
    if (budget_ <= 0) refill();
  }
  void refill();

  lua_State* L_;
  const Pattern& pattern_;
  const char* text_;
  const char* text_end_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  std::int64_t budget_;
  std::int64_t steps_left_;
  Capture captures_[kMaxCaptures];
};

}  // namespace moonlet
