#include "lua/sandbox/pattern.h"

#include <cstring>

#include "lua/vm/error.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestPattern = 32 << 10;
constexpr int kMostDepth = 150;  // each level uses one or two stack frames
constexpr std::int64_t kPollSteps = 4096;
constexpr std::int64_t kMostSteps = 100'000'000;

bool in_range(char c, char low, char high) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= static_cast<unsigned char>(low) && byte <= static_cast<unsigned char>(high);
}

/// Returns true if `c` is in the character class `name`, in the C locale whatever the program's
/// locale is. A name that is not a class matches itself.
bool in_class(char name, char c) {
  const bool upper = in_range(c, 'A', 'Z'), lower = in_range(c, 'a', 'z');
  const bool digit = in_range(c, '0', '9'), visible = c > ' ' && c < 0x7f;
  bool has = false;
  switch (name | 0x20) {
    case 'a':
      has = upper || lower;
      break;
    case 'c':
      has = in_range(c, 0, 0x1f) || c == 0x7f;
      break;
    case 'd':
      has = digit;
      break;
    case 'g':
      has = visible;
      break;
    case 'l':
      has = lower;
      break;
    case 'p':
      has = visible && !upper && !lower && !digit;
      break;
    case 's':
      has = c == ' ' || in_range(c, '\t', '\r');
      break;
    case 'u':
      has = upper;
      break;
    case 'w':
      has = upper || lower || digit;
      break;
    case 'x':
      has = digit || in_range(c, 'A', 'F') || in_range(c, 'a', 'f');
      break;
    case 'z':
      has = c == '\0';
      break;
    default:
      return name == c;
  }
  return in_range(name, 'A', 'Z') ? !has : has;
}

bool in_set(const char* p, const char* end, char c) {
  const char* const last = end - 1;  // the set's closing bracket
  const bool negated = *++p == '^';
  if (negated) ++p;
  for (; p < last; ++p) {
    if (*p == '%') {
      if (in_class(*++p, c)) return !negated;
    } else if (p + 2 < last && p[1] == '-') {
      if (in_range(c, p[0], p[2])) return !negated;
      p += 2;
    } else if (*p == c) {
      return !negated;
    }
  }
  return negated;
}

}  // namespace

Match::Match(lua_State* L, std::string_view text, std::string_view pattern, bool may_anchor)
    : L_(L),
      text_(text.data()),
      text_end_(text.data() + text.size()),
      pattern_(pattern.data()),
      pattern_end_(pattern.data() + pattern.size()),
      anchored_(may_anchor && !pattern.empty() && pattern[0] == '^'),
      budget_(kPollSteps),
      steps_left_(kMostSteps + 16 * static_cast<std::int64_t>(text.size())) {
  if (pattern.size() > kLongestPattern) luaL_error(L, "pattern longer than 32 KB");
}

void Match::refill() {
  LuaState::poll(L_);
  steps_left_ -= kPollSteps - budget_;
  budget_ = kPollSteps;
  if (steps_left_ < 0) {
    raise(L_, ErrorKind::kInvalid, "the pattern takes too many steps on this text",
          "give it fewer repetitions, or match line by line");
  }
}

bool Match::find(const char* from) {
  const char* const items = anchored_ ? pattern_ + 1 : pattern_;
  for (begin_ = from; begin_ <= text_end_; ++begin_) {
    depth_ = level_ = 0;
    end_ = run(begin_, items);
    if (end_ != nullptr) return true;
    if (anchored_) return false;
  }
  return false;
}

/// Returns the end of the item at `p` (a character, a class or a set), before its quantifier.
const char* Match::item_end(const char* p) const {
  if (*p == '%') {
    if (p + 1 == pattern_end_) luaL_error(L_, "malformed pattern (ends with '%%')");
    return p + 2;
  }
  if (*p != '[') return p + 1;
  ++p;
  if (p < pattern_end_ && *p == '^') ++p;
  // A "]" right after the "[" belongs to the set.
  for (const char* const first = p; p < pattern_end_; ++p) {
    if (*p == ']' && p != first) return p + 1;
    if (*p == '%') ++p;
  }
  luaL_error(L_, "malformed pattern (missing ']')");
  return nullptr;
}

bool Match::fits(const char* s, const char* p, const char* item_end) const {
  if (s == text_end_) return false;
  switch (*p) {
    case '.':
      return true;
    case '%':
      return in_class(p[1], *s);
    case '[':
      return in_set(p, item_end, *s);
    default:
      return *p == *s;
  }
}

/// Matches %b, %f or a back reference such as %1 at `p`, and moves `p` after it. Leaves `p`
/// unchanged at any other item.
const char* Match::match_special(const char* s, const char*& p) {
  const char kind = p + 1 < pattern_end_ ? p[1] : '\0';
  if (kind == 'b') {
    if (pattern_end_ - p < 4) luaL_error(L_, "malformed pattern (missing arguments to '%%b')");
    p += 4;
    return match_balance(s, p - 2);
  }
  if (kind == 'f') {
    const char* const set = p + 2;
    if (set == pattern_end_ || *set != '[') luaL_error(L_, "missing '[' after '%%f' in pattern");
    p = item_end(set);
    const char before = s == text_ ? '\0' : s[-1], here = s == text_end_ ? '\0' : *s;
    return !in_set(set, p, before) && in_set(set, p, here) ? s : nullptr;
  }
  if (!in_range(kind, '0', '9')) return s;
  p += 2;
  return match_backref(s, kind);
}

const char* Match::match_balance(const char* s, const char* p) {
  if (s == text_end_ || *s != p[0]) return nullptr;
  for (std::size_t depth = 1; ++s < text_end_;) {
    step();
    if (*s == p[1]) {
      if (--depth == 0) return s + 1;
    } else if (*s == p[0]) {
      ++depth;
    }
  }
  return nullptr;
}

const char* Match::match_backref(const char* s, char digit) {
  const int index = digit - '1';
  if (index < 0 || index >= level_ || captures_[index].size == kOpen) {
    luaL_error(L_, "invalid capture index %%%d in pattern", index + 1);
  }
  const Capture& capture = captures_[index];
  if (capture.size < 0 || capture.size > text_end_ - s) return nullptr;
  budget_ -= capture.size >> 5;
  step();
  if (std::memcmp(capture.start, s, static_cast<std::size_t>(capture.size)) != 0) return nullptr;
  return s + capture.size;
}

const char* Match::run(const char* s, const char* p) {
  if (++depth_ > kMostDepth) luaL_error(L_, "pattern too complex");
  const char* const end = walk(s, p);
  --depth_;
  return end;
}

const char* Match::walk(const char* s, const char* p) {
  while (p != pattern_end_) {
    step();
    if (*p == '(') return run_open(s, p + 1);
    if (*p == ')') return run_close(s, p + 1);
    if (*p == '$' && p + 1 == pattern_end_) return s == text_end_ ? s : nullptr;
    if (*p == '%') {
      const char* const before = p;
      s = match_special(s, p);
      if (s == nullptr) return nullptr;
      if (p != before) continue;
    }
    const char* const end = item_end(p);
    switch (end < pattern_end_ ? *end : '\0') {
      case '*':
        return run_greedy(s, p, end);
      case '+':
        return fits(s, p, end) ? run_greedy(s + 1, p, end) : nullptr;
      case '-':
        return run_lazy(s, p, end);
      case '?':
        if (fits(s, p, end)) {
          if (const char* const found = run(s + 1, end + 1)) return found;
        }
        p = end + 1;
        break;
      default:
        if (!fits(s, p, end)) return nullptr;
        ++s;
        p = end;
    }
  }
  return s;
}

const char* Match::run_greedy(const char* s, const char* p, const char* item_end) {
  const char* longest = s;
  for (; fits(longest, p, item_end); ++longest) step();
  for (;; --longest) {
    step();
    if (const char* const end = run(longest, item_end + 1)) return end;
    if (longest == s) return nullptr;
  }
}

const char* Match::run_lazy(const char* s, const char* p, const char* item_end) {
  for (;; ++s) {
    step();
    if (const char* const end = run(s, item_end + 1)) return end;
    if (!fits(s, p, item_end)) return nullptr;
  }
}

const char* Match::run_open(const char* s, const char* p) {
  if (level_ == kMostCaptures) luaL_error(L_, "too many captures");
  const bool is_position = p < pattern_end_ && *p == ')';
  captures_[level_++] = {s, is_position ? kPosition : kOpen};
  const char* const end = run(s, is_position ? p + 1 : p);
  if (end == nullptr) --level_;
  return end;
}

const char* Match::run_close(const char* s, const char* p) {
  int index = level_ - 1;
  while (index >= 0 && captures_[index].size != kOpen) --index;
  if (index < 0) luaL_error(L_, "invalid pattern capture");
  captures_[index].size = s - captures_[index].start;
  const char* const end = run(s, p);
  if (end == nullptr) captures_[index].size = kOpen;
  return end;
}

void Match::push_capture(int index) const {
  if (level_ == 0) {
    lua_pushlstring(L_, begin_, static_cast<std::size_t>(end_ - begin_));
    return;
  }
  const Capture& capture = captures_[index];
  if (capture.size == kOpen) luaL_error(L_, "unfinished capture");
  if (capture.size == kPosition) {
    lua_pushinteger(L_, capture.start - text_ + 1);
  } else {
    lua_pushlstring(L_, capture.start, static_cast<std::size_t>(capture.size));
  }
}

int Match::push_captures(bool whole_if_none) const {
  const int pushed = count(whole_if_none);
  luaL_checkstack(L_, pushed, "too many captures");
  for (int i = 0; i < pushed; ++i) push_capture(i);
  return pushed;
}

}  // namespace moonlet
