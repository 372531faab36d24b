// Match searches a text for a Lua pattern. It has Lua's semantics in the C locale. It polls for a
// kill every few thousand steps, and raises an error after too many steps. It owns no memory, so a
// Lua error may be raised anywhere in it. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lua/vm/lua_api.h"

namespace moonlet {

class Match {
 public:
  /// Raises an error if the pattern is too long. `text` and `pattern` must outlive the Match.
  /// If `may_anchor` is false, a leading ^ is a plain character, as in gmatch.
  Match(lua_State* L, std::string_view text, std::string_view pattern, bool may_anchor = true);

  /// Finds the first match that begins at `from` or later.
  /// Raises an error if the pattern is malformed or takes too many steps.
  bool find(const char* from);
  bool is_anchored() const { return anchored_; }
  const char* begin() const { return begin_; }
  const char* end() const { return end_; }
  int count(bool whole_if_none) const { return level_ == 0 && whole_if_none ? 1 : level_; }
  /// Pushes a capture, counted from 0. If the pattern has no captures, pushes the whole match.
  void push_capture(int index) const;
  int push_captures(bool whole_if_none) const;

 private:
  static constexpr int kMostCaptures = 32;
  struct Capture {
    const char* start;
    std::ptrdiff_t size;  // the length; kOpen until the capture ends, kPosition for "()"
  };
  static constexpr std::ptrdiff_t kPosition = -1, kOpen = -2;

  // These functions match the pattern from `p` to its end against the text at `s`. They return the
  // end of the match, or nullptr if there is none.
  const char* run(const char* s, const char* p);
  const char* walk(const char* s, const char* p);
  const char* run_greedy(const char* s, const char* p, const char* item_end);
  const char* run_lazy(const char* s, const char* p, const char* item_end);
  const char* run_open(const char* s, const char* p);
  const char* run_close(const char* s, const char* p);

  // These functions match a single item of the pattern. They return the end of the matched text, or
  // nullptr.
  const char* match_special(const char* s, const char*& p);
  const char* match_balance(const char* s, const char* p);
  const char* match_backref(const char* s, char digit);

  const char* item_end(const char* p) const;
  bool fits(const char* s, const char* p, const char* item_end) const;
  void step() {
    if (--budget_ <= 0) refill();
  }
  void refill();

  lua_State* L_;
  const char* const text_;
  const char* const text_end_;
  const char* const pattern_;
  const char* const pattern_end_;
  const bool anchored_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  int depth_ = 0;
  int level_ = 0;
  std::int64_t budget_;
  std::int64_t steps_left_;
  Capture captures_[kMostCaptures];
};

}  // namespace moonlet
