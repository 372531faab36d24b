#include "lua/sandbox/pattern.h"

#include <cstring>
#include <new>

#include "lua/vm/error.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

using Item = PatternItem;
using Kind = PatternItem::Kind;
using Class = PatternItem::Class;

constexpr std::size_t kLongestPattern = 32 << 10;
constexpr int kMaxNesting = 150;  // for items that try several ways; each costs a stack frame
constexpr std::int64_t kPollSteps = 4096;
constexpr std::ptrdiff_t kScanChunk = 1 << 16;
constexpr std::int64_t kMostSteps = 100'000'000;

unsigned char to_byte(char c) { return static_cast<unsigned char>(c); }

bool in_range(unsigned char c, char low, char high) {
  return c >= to_byte(low) && c <= to_byte(high);
}

/// The classes of the C locale, whatever the program's locale is. False when `name` is no class.
bool class_has(char name, unsigned char c, bool& has) {
  const bool upper = in_range(c, 'A', 'Z'), lower = in_range(c, 'a', 'z');
  const bool digit = in_range(c, '0', '9'), print = c > ' ' && c < 0x7f;
  switch (name | 0x20) {
    case 'a':
      has = upper || lower;
      break;
    case 'c':
      has = c < ' ' || c == 0x7f;
      break;
    case 'd':
      has = digit;
      break;
    case 'g':
      has = print;
      break;
    case 'l':
      has = lower;
      break;
    case 'p':
      has = print && !upper && !lower && !digit;
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
      has = c == 0;
      break;
    default:
      return false;
  }
  if (name < 'a') has = !has;
  return true;
}

bool is_letter(char c) { return in_range(to_byte(c | 0x20), 'a', 'z'); }

/// Adds the class of %`name`.
void add_escape(ByteSet& set, char name) {
  bool has = false;
  if (!is_letter(name) || !class_has(name, 0, has)) {
    set.add(to_byte(name));
    return;
  }
  for (int c = 0; c < 256; ++c) {
    if (class_has(name, static_cast<unsigned char>(c), has) && has) {
      set.add(static_cast<unsigned char>(c));
    }
  }
}

/// Reads a pattern text. Runs twice: first to check it and to count, then to fill the memory.
class Reader {
 public:
  Reader(lua_State* L, const char* text, std::size_t size, bool repeated)
      : L_(L), at_(text), end_(text + size), repeated_(repeated) {}

  void fill(Item* items, ByteSet* sets) {
    items_ = items;
    sets_ = sets;
  }

  void read(Pattern& pattern) {
    if (!repeated_ && at_ < end_ && *at_ == '^') {
      pattern.anchored = true;
      ++at_;
    }
    while (at_ < end_) read_item();
    for (int i = 0; i < captures_; ++i) {
      if (open_[i]) luaL_error(L_, "unfinished capture");
    }
    put({});
    pattern.captures = captures_;
    if (nesting_ > kMaxNesting) luaL_error(L_, "pattern too complex");
  }

  std::size_t items() const { return item_count_; }
  std::size_t sets() const { return set_count_; }

 private:
  void put(const Item& item) {
    if (items_ != nullptr) items_[item_count_] = item;
    ++item_count_;
  }

  void read_item() {
    const char c = *at_;
    if (c == '(') return read_open();
    if (c == ')') return read_close();
    if (c == '$' && at_ + 1 == end_) {
      ++at_;
      return put({.kind = Kind::kEndOfText});
    }
    if (c == '%' && at_ + 1 < end_) {
      if (at_[1] == 'b') return read_balance();
      if (at_[1] == 'f') return read_frontier();
      if (in_range(to_byte(at_[1]), '0', '9')) return read_backref();
    }
    read_single();
  }

  void read_open() {
    if (captures_ >= kMaxCaptures) luaL_error(L_, "too many captures");
    const auto number = static_cast<std::uint8_t>(captures_++);
    ++at_;
    if (at_ < end_ && *at_ == ')') {
      ++at_;
      return put({.kind = Kind::kPosition, .number = number});
    }
    open_[number] = true;
    put({.kind = Kind::kOpen, .number = number});
  }

  void read_close() {
    ++at_;
    for (int i = captures_ - 1; i >= 0; --i) {
      if (!open_[i]) continue;
      open_[i] = false;
      return put({.kind = Kind::kClose, .number = static_cast<std::uint8_t>(i)});
    }
    luaL_error(L_, "invalid pattern capture");
  }

  void read_balance() {
    if (end_ - at_ < 4) luaL_error(L_, "malformed pattern (missing arguments to '%%b')");
    put({.kind = Kind::kBalance, .byte = to_byte(at_[2]), .other = to_byte(at_[3])});
    at_ += 4;
  }

  void read_frontier() {
    at_ += 2;
    if (at_ >= end_ || *at_ != '[') luaL_error(L_, "missing '[' after '%%f' in pattern");
    Item item{.kind = Kind::kFrontier};
    read_set(item);
    put(item);
  }

  void read_backref() {
    const int number = at_[1] - '1';
    if (number < 0 || number >= captures_ || open_[number]) {
      luaL_error(L_, "invalid capture index %%%d in pattern", number + 1);
    }
    put({.kind = Kind::kBackref, .number = static_cast<std::uint8_t>(number)});
    at_ += 2;
  }

  void read_single() {
    Item item{.kind = Kind::kOne};
    const char c = *at_;
    if (c == '[') {
      read_set(item);
    } else if (c == '.') {
      item.type = Class::kAny;
      ++at_;
    } else if (c == '%') {
      if (at_ + 1 == end_) luaL_error(L_, "malformed pattern (ends with '%%')");
      read_escape(item);
    } else {
      item.byte = to_byte(c);
      ++at_;
    }
    read_quantifier(item);
    put(item);
  }

  void read_escape(Item& item) {
    bool has = false;
    if (is_letter(at_[1]) && class_has(at_[1], 0, has)) {
      ByteSet set;
      add_escape(set, at_[1]);
      keep(item, set);
    } else {
      item.byte = to_byte(at_[1]);
    }
    at_ += 2;
  }

  void read_quantifier(Item& item) {
    if (at_ == end_) return;
    switch (*at_) {
      case '?':
        item.kind = Kind::kOptional;
        break;
      case '*':
        item.kind = Kind::kStar;
        break;
      case '+':
        item.kind = Kind::kStar;
        item.least = 1;
        break;
      case '-':
        item.kind = Kind::kLazy;
        break;
      default:
        return;
    }
    ++nesting_;
    ++at_;
  }

  /// "[…]" with `at_` at the bracket. The first character after [ or [^ is never the end.
  void read_set(Item& item) {
    ByteSet set;
    const char* p = at_ + 1;
    const bool negated = p < end_ && *p == '^';
    if (negated) ++p;
    const char* start = p;
    for (;; ++p) {
      if (p >= end_) luaL_error(L_, "malformed pattern (missing ']')");
      if (*p == ']' && p != start) break;
      if (*p == '%') {
        if (++p >= end_) luaL_error(L_, "malformed pattern (missing ']')");
        add_escape(set, *p);
      } else if (end_ - p > 2 && p[1] == '-' && p[2] != ']' && p[2] != '%') {
        for (int c = to_byte(p[0]); c <= to_byte(p[2]); ++c) set.add(static_cast<unsigned char>(c));
        p += 2;
      } else {
        set.add(to_byte(*p));
      }
    }
    if (negated) {
      for (std::uint64_t& bits : set.bits) bits = ~bits;
    }
    at_ = p + 1;
    keep(item, set);
  }

  void keep(Item& item, const ByteSet& set) {
    item.type = Class::kSet;
    if (sets_ != nullptr) {
      sets_[set_count_] = set;
      item.set = &sets_[set_count_];
    }
    ++set_count_;
  }

  lua_State* L_;
  const char* at_;
  const char* end_;
  const bool repeated_;
  Item* items_ = nullptr;
  ByteSet* sets_ = nullptr;
  std::size_t item_count_ = 0;
  std::size_t set_count_ = 0;
  int captures_ = 0;
  int nesting_ = 0;
  bool open_[kMaxCaptures] = {};
};

bool disjoint(const Item& a, const Item& b) {
  for (int c = 0; c < 256; ++c) {
    const auto byte = static_cast<unsigned char>(c);
    if (a.fits(byte) && b.fits(byte)) return false;
  }
  return true;
}

const Item* skip_captures(const Item* item) {
  while (item->kind == Kind::kOpen || item->kind == Kind::kClose || item->kind == Kind::kPosition) {
    ++item;
  }
  return item;
}

bool must_take_one(const Item& item) {
  return item.kind == Kind::kOne || (item.kind == Kind::kStar && item.least > 0);
}

/// A run of this item ends where the next one begins, and nowhere else: no need to try other ends.
bool is_exclusive(const Item* item) {
  const Item* next = skip_captures(item + 1);
  if (next->kind == Kind::kEndOfText) return true;
  return must_take_one(*next) && disjoint(*item, *next);
}

}  // namespace

const Pattern& Pattern::push(lua_State* L, const char* text, std::size_t size, bool repeated) {
  if (size > kLongestPattern) luaL_error(L, "pattern longer than 32 KB");
  Pattern pattern;
  Reader counting(L, text, size, repeated);
  counting.read(pattern);
  const std::size_t bytes =
      sizeof(Pattern) + counting.items() * sizeof(Item) + counting.sets() * sizeof(ByteSet);
  auto* memory = static_cast<char*>(lua_newuserdatauv(L, bytes, 0));
  auto* items = reinterpret_cast<Item*>(memory + sizeof(Pattern));
  auto* sets = reinterpret_cast<ByteSet*>(items + counting.items());
  Reader reader(L, text, size, repeated);
  reader.fill(items, sets);
  reader.read(pattern);
  for (Item* item = items; item->kind != Kind::kEnd; ++item) {
    if (item->kind == Kind::kStar || item->kind == Kind::kLazy)
      item->exclusive = is_exclusive(item);
  }
  pattern.items = items;
  const Item* first = skip_captures(items);
  if (must_take_one(*first) && first->type != Class::kAny) pattern.first = first;
  return *new (memory) Pattern(pattern);
}

// --- the matcher

Match::Match(lua_State* L, const Pattern& pattern, const char* text, std::size_t size)
    : L_(L),
      pattern_(pattern),
      text_(text),
      text_end_(text + size),
      budget_(kPollSteps),
      steps_left_(kMostSteps + 16 * static_cast<std::int64_t>(size)) {}

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
  if (pattern_.anchored) {
    begin_ = from;
    end_ = run(from, pattern_.items);
    return end_ != nullptr;
  }
  for (const char* s = from; s <= text_end_; ++s) {
    if (pattern_.first != nullptr) {
      s = candidate(s);
      if (s == nullptr) return false;
    }
    end_ = run(s, pattern_.items);
    if (end_ != nullptr) {
      begin_ = s;
      return true;
    }
  }
  return false;
}

/// The next place where the pattern's first item fits.
const char* Match::candidate(const char* s) {
  const Item& first = *pattern_.first;
  if (first.type == Class::kByte) {
    return static_cast<const char*>(
        std::memchr(s, first.byte, static_cast<std::size_t>(text_end_ - s)));
  }
  while (s < text_end_) {
    const char* stop = text_end_ - s > kScanChunk ? s + kScanChunk : text_end_;
    while (s < stop && !first.set->has(to_byte(*s))) ++s;
    if (s < stop) return s;
    LuaState::poll(L_);
  }
  return nullptr;
}

/// The end of the longest run of the item from `s` on.
const char* Match::scan(const char* s, const Item& item) {
  if (item.type == Class::kAny) return text_end_;
  const char* start = s;
  for (;;) {
    const char* stop = text_end_ - s > kScanChunk ? s + kScanChunk : text_end_;
    if (item.type == Class::kByte) {
      while (s < stop && to_byte(*s) == item.byte) ++s;
    } else {
      while (s < stop && item.set->has(to_byte(*s))) ++s;
    }
    if (s < stop || s == text_end_) break;
    LuaState::poll(L_);
  }
  charge(s - start);
  return s;
}

/// Matches the items from `item` on at `s`; gives the end of the match, or nullptr.
const char* Match::run(const char* s, const Item* item) {
  for (;; ++item) {
    step();
    switch (item->kind) {
      case Kind::kEnd:
        return s;
      case Kind::kEndOfText:
        if (s != text_end_) return nullptr;
        break;
      case Kind::kOne:
        if (s == text_end_ || !item->fits(to_byte(*s))) return nullptr;
        ++s;
        break;
      case Kind::kOptional:
        if (s < text_end_ && item->fits(to_byte(*s))) {
          if (const char* end = run(s + 1, item + 1)) return end;
        }
        break;
      case Kind::kStar: {
        bool more = false;
        s = run_star(s, item, more);
        if (!more) return s;
        break;
      }
      case Kind::kLazy: {
        bool more = false;
        s = run_lazy(s, item, more);
        if (!more) return s;
        break;
      }
      case Kind::kOpen:
        captures_[item->number].start = s;
        break;
      case Kind::kClose:
        captures_[item->number].size = s - captures_[item->number].start;
        break;
      case Kind::kPosition:
        captures_[item->number] = {s, kPositionCapture};
        break;
      case Kind::kBalance:
        s = balance(s, *item);
        if (s == nullptr) return nullptr;
        break;
      case Kind::kFrontier: {
        const unsigned char before = s == text_ ? 0 : to_byte(s[-1]);
        const unsigned char here = s == text_end_ ? 0 : to_byte(*s);
        if (item->set->has(before) || !item->set->has(here)) return nullptr;
        break;
      }
      case Kind::kBackref: {
        const Capture& capture = captures_[item->number];
        if (capture.size < 0 || capture.size > text_end_ - s) return nullptr;
        const auto size = static_cast<std::size_t>(capture.size);
        if (size > 0 && std::memcmp(capture.start, s, size) != 0) return nullptr;
        charge(capture.size);
        s += size;
        break;
      }
    }
  }
}

/// With `more` set the caller goes on behind the item at the returned place; else it is the result.
const char* Match::run_star(const char* s, const Item* item, bool& more) {
  const char* shortest = s + item->least;
  const char* end = scan(s, *item);
  if (end < shortest) return nullptr;
  if (item->exclusive || end == shortest) {
    more = true;
    return end;
  }
  const Item& next = item[1];
  const bool byte_next = next.kind == Kind::kOne && next.type == Class::kByte;
  for (;; --end) {
    step();
    if (!byte_next || (end < text_end_ && to_byte(*end) == next.byte)) {
      if (const char* found = run(end, item + 1)) return found;
    }
    if (end == shortest) return nullptr;
  }
}

const char* Match::run_lazy(const char* s, const Item* item, bool& more) {
  if (item->exclusive) {
    more = true;
    return scan(s, *item);
  }
  const Item& next = item[1];
  const bool byte_next = next.kind == Kind::kOne && next.type == Class::kByte;
  for (;; ++s) {
    step();
    if (byte_next && item->type == Class::kAny) {
      const char* from = s;
      s = static_cast<const char*>(
          std::memchr(s, next.byte, static_cast<std::size_t>(text_end_ - s)));
      charge((s == nullptr ? text_end_ : s) - from);
      if (s == nullptr) return nullptr;
    }
    if (!byte_next || (s < text_end_ && to_byte(*s) == next.byte)) {
      if (const char* found = run(s, item + 1)) return found;
    }
    if (s == text_end_ || !item->fits(to_byte(*s))) return nullptr;
  }
}

const char* Match::balance(const char* s, const Item& item) {
  if (s == text_end_ || to_byte(*s) != item.byte) return nullptr;
  std::size_t depth = 1;
  for (const char* p = s + 1; p < text_end_; ++p) {
    if (((p - s) & 1023) == 0) charge(1024);
    if (to_byte(*p) == item.other) {
      if (--depth == 0) return p + 1;
    } else if (to_byte(*p) == item.byte) {
      ++depth;
    }
  }
  return nullptr;
}

void Match::push_capture(int index) const {
  if (pattern_.captures == 0) {
    lua_pushlstring(L_, begin_, static_cast<std::size_t>(end_ - begin_));
    return;
  }
  const Capture& capture = captures_[index];
  if (capture.size == kPositionCapture) {
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
