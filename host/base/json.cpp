#include "host/base/json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "host/base/ascii.h"
#include "host/base/text.h"

namespace moonlet {
namespace {

using nlohmann::json;

// Tracks the parser's position, because the parser does not pass it to its callbacks.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** mark) : at_(at), mark_(mark) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *mark_ = ++at_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }
  bool operator!=(const Cursor& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** mark_;
};

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string place_of(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  std::size_t start = text.substr(0, 3) == kByteOrderMark ? 3 : 0;
  offset = std::max(offset, start);
  const auto before = text.substr(start, offset - start);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const auto line = last == std::string_view::npos ? before : before.substr(last + 1);
  const auto column =
      std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return std::to_string(lines + 1) + ":" + std::to_string(column + 1);
}

// Returns advice if the JSON at `offset` has a common mistake of people or models; otherwise "".
std::string hint_for(std::string_view text, std::size_t offset) {
  const auto trimmed = text.find_first_not_of(" \t\r\n");
  if (trimmed == std::string_view::npos) return "write one JSON value";
  if (text.substr(trimmed, 3) == "```") return "give the JSON alone, without the code fence";
  if (offset >= text.size()) return "the text ends too early; close every bracket and string";
  std::size_t at = offset;
  while (at > 0 && is_letter(text[at - 1])) --at;
  const auto rest = text.substr(at);
  for (const char* word : {"NaN", "Infinity", "nan", "inf"}) {
    if (rest.starts_with(word)) return "JSON has no NaN and no Infinity; use null";
  }
  for (const char* word : {"True", "False", "None"}) {
    if (rest.starts_with(word)) return "JSON spells true, false and null in lower case";
  }
  const char wrong = text[offset];
  if (wrong == '\'') return "JSON strings take double quotes";
  if (wrong == '/') return "JSON has no comments";
  const auto before = text.substr(0, offset).find_last_not_of(" \t\r\n");
  const bool after_comma = before != std::string_view::npos && text[before] == ',';
  if ((wrong == ']' || wrong == '}') && after_comma) return "remove the comma before the bracket";
  return "";
}

Error error_at(std::string_view text, std::size_t offset, std::string what, ErrorKind kind,
               std::string hint) {
  Error error;
  error.kind = kind;
  error.at = place_of(text, offset);
  const auto colon = error.at.find(':');
  error.message = "not valid JSON at line " + error.at.substr(0, colon) + ", column " +
                  error.at.substr(colon + 1) + ": " + std::move(what);
  error.hint = std::move(hint);
  return error;
}

// Shortens the JSON library's error message. The message quotes the last token, which may contain
// megabytes of control characters.
std::string reason_of(std::string_view what) {
  auto start = what.find("syntax error ");
  if (start != std::string_view::npos) {
    what.remove_prefix(start + std::strlen("syntax error "));
  } else if (start = what.find("] "); start != std::string_view::npos) {
    what.remove_prefix(start + 2);
  }
  what = what.substr(0, what.find("; last read: '"));
  for (const char* lead : {"while parsing value - ", "- "}) {
    if (what.starts_with(lead)) what.remove_prefix(std::strlen(lead));
  }
  return std::string(what.substr(0, 160));
}

std::string short_quote(std::string_view text) {
  std::string cut(cut_end(text, 60));
  if (cut.size() < text.size()) cut += "…";
  return json_text(json(cut));
}

class Builder {
 public:
  Builder(std::string_view text, const char* const* mark, const JsonLimits& limits)
      : text_(text), mark_(mark), limits_(limits) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(json::number_integer_t value) { return put(value); }
  bool number_unsigned(json::number_unsigned_t value) { return put(value); }

  bool number_float(json::number_float_t value, const std::string& literal) {
    const bool integer = literal.find_first_of(".eE") == std::string::npos;
    if (integer && limits_.big_integers == BigIntegers::kRefuse) {
      return fail(before(literal), "the integer " + literal.substr(0, 40) + " does not fit 64 bits",
                  ErrorKind::kInvalid, "write it as a string, or with a fraction or an exponent");
    }
    return put(value);
  }

  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(json::binary_t&) { return false; }

  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    auto [place, fresh] = open_.back()->get_ref<json::object_t&>().try_emplace(name);
    if (!fresh) {
      return fail(key_start(), "the key " + short_quote(name) + " occurs twice in one object",
                  ErrorKind::kInvalid, "keep one of the two");
    }
    slot_ = &place->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception& error) {
    const auto offset = position == 0 ? 0 : std::min(position - 1, text_.size());
    return fail(offset, reason_of(error.what()), ErrorKind::kInvalid, hint_for(text_, offset));
  }

  bool failed() const { return failed_; }
  Error take_error() { return std::move(error_); }
  json take_value() { return std::move(root_); }

 private:
  std::size_t offset() const { return static_cast<std::size_t>(*mark_ - text_.data()); }

  // Returns the offset of the number `literal`. The parser has already read the character after it.
  std::size_t before(const std::string& literal) const {
    const auto end = offset();
    if (end > literal.size() && text_.substr(end - 1 - literal.size(), literal.size()) == literal) {
      return end - 1 - literal.size();
    }
    return end - std::min(end, literal.size());
  }

  // Returns the offset of the key that the parser has just read. Skips escaped quotes, which have
  // an odd number of backslashes before them.
  std::size_t key_start() const {
    std::size_t at = offset() - 1;
    while (at > 0) {
      --at;
      if (text_[at] != '"') continue;
      std::size_t slashes = 0;
      while (slashes < at && text_[at - 1 - slashes] == '\\') ++slashes;
      if (slashes % 2 == 0) break;
    }
    return at;
  }

  bool fail(std::size_t offset, std::string what, ErrorKind kind, std::string hint) {
    if (!failed_) error_ = error_at(text_, offset, std::move(what), kind, std::move(hint));
    failed_ = true;
    return false;
  }

  template <typename T>
  bool put(T&& value) {
    return place(json(std::forward<T>(value))) != nullptr;
  }

  json* place(json value) {
    if (++values_ > limits_.max_values) {
      fail(offset() - 1, "more than " + std::to_string(limits_.max_values) + " values",
           ErrorKind::kLimit, "");
      return nullptr;
    }
    json* target = slot_;
    if (open_.empty()) {
      target = &root_;
    } else if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<json::array_t&>();
      target = &array.emplace_back();
    }
    *target = std::move(value);
    return target;
  }

  bool open(json container) {
    if (open_.size() >= limits_.max_depth) {
      return fail(offset() - 1,
                  "nested deeper than " + std::to_string(limits_.max_depth) + " levels",
                  ErrorKind::kLimit, "use a flatter structure");
    }
    json* placed = place(std::move(container));
    if (placed != nullptr) open_.push_back(placed);
    return placed != nullptr;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const char* const* mark_;
  const JsonLimits& limits_;
  json root_;
  json* slot_ = nullptr;     // stores the value of the key that was just read
  std::vector<json*> open_;  // the pointers stay valid, because only the innermost container grows
  std::size_t values_ = 0;
  Error error_;
  bool failed_ = false;
};

Result<json> parse_within(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error{ErrorKind::kLimit,
                 "the JSON text has " + std::to_string(text.size()) + " bytes; at most " +
                     std::to_string(limits.max_bytes) + " are read",
                 "make it smaller", ""};
  }
  // The JSON library would take a NUL as the end of the text and ignore the rest.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return error_at(text, nul, "a NUL byte", ErrorKind::kInvalid, "");
  }
  const char* mark = text.data();
  Builder builder(text, &mark, limits);
  const char* end = text.data() + text.size();
  const bool ok = json::sax_parse(Cursor(text.data(), &mark), Cursor(end, &mark), &builder,
                                  nlohmann::detail::input_format_t::json, /*strict=*/true);
  if (builder.failed()) return builder.take_error();
  if (!ok) return error_at(text, text.size(), "it could not be read", ErrorKind::kInvalid, "");
  return builder.take_value();
}

void write_escape(std::uint32_t unit, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 15];
}

void write_escaped(std::uint32_t code, std::string& out) {
  if (code < 0x10000) return write_escape(code, out);
  write_escape(0xd800 + ((code - 0x10000) >> 10), out);
  write_escape(0xdc00 + ((code - 0x10000) & 0x3ff), out);
}

/// Escapes DEL, C1 controls and bidirectional marks. JSON allows them, but terminals interpret
/// them.
void escape_unsafe(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const std::size_t size = std::max<std::size_t>(utf8_sequence(text), 1);
    const std::string_view sequence = text.substr(0, size);
    if (const auto code = unsafe_on_terminal(sequence)) {
      write_escaped(*code, out);
    } else {
      out += sequence;
    }
    text.remove_prefix(size);
  }
}

constexpr std::size_t kPiece = std::size_t{64} << 10;

/// Returns the length of the first piece of `text`, at most kPiece. The piece ends at a character
/// boundary. It does not split a truncated UTF-8 sequence, unlike cut_end(), because such a
/// sequence becomes a single U+FFFD.
std::size_t piece_size(std::string_view text) {
  if (text.size() <= kPiece) return text.size();
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  std::size_t size = kPiece;
  while (kPiece - size < 4 && continues(size)) --size;
  // If there are four continuation bytes in a row, the text is not UTF-8 and may be cut anywhere.
  return continues(size) ? kPiece : size;
}

/// Appends `text` as a JSON string. Works in pieces, because the JSON library copies its input.
void write_string(std::string_view text, std::string& out) {
  const auto is_plain = [](unsigned char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
  };
  // Reserve enough memory at once. A buffer that doubles could take three times as much.
  if (text.size() > kPiece) out.reserve(out.size() + json_size(text) + kPiece);
  out += '"';
  for (; !text.empty(); text.remove_prefix(piece_size(text))) {
    const std::string_view piece = text.substr(0, piece_size(text));
    if (std::all_of(piece.begin(), piece.end(), is_plain)) {
      out += piece;
      continue;
    }
    const std::string escaped = json(piece).dump(-1, ' ', false, json::error_handler_t::replace);
    escape_unsafe(std::string_view(escaped).substr(1, escaped.size() - 2), out);
  }
  out += '"';
}

template <typename Integer>
void write_integer(Integer value, std::string& out) {
  char digits[std::numeric_limits<Integer>::digits10 + 3];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void write_scalar(const json& value, std::string& out) {
  switch (value.type()) {
    case json::value_t::string:
      return write_string(value.get_ref<const std::string&>(), out);
    case json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case json::value_t::number_integer:
      return write_integer(value.get<std::int64_t>(), out);
    case json::value_t::number_unsigned:
      return write_integer(value.get<std::uint64_t>(), out);
    case json::value_t::number_float:
      out += value.dump();
      return;
    default:
      out += "null";
  }
}

struct Frame {
  const json* container;
  json::const_iterator next;
};

void break_line(std::string& out, int indent, std::size_t depth) {
  if (indent < 0) return;
  out += '\n';
  out.append(depth * static_cast<std::size_t>(indent), ' ');
}

}  // namespace

Result<json> parse_json(std::string_view text, const JsonLimits& limits) {
  try {
    return parse_within(text, limits);
  } catch (const std::bad_alloc&) {
    return Error{ErrorKind::kLimit, "out of memory while reading JSON", "make it smaller", ""};
  }
}

std::string json_text(const json& value, int indent) {
  std::string out;
  std::vector<Frame> open;
  const auto enter = [&](const json& item) {
    if (!item.is_structured()) return write_scalar(item, out);
    out += item.is_array() ? '[' : '{';
    open.push_back({&item, item.begin()});
  };
  enter(value);
  while (!open.empty()) {
    const json& container = *open.back().container;
    auto& next = open.back().next;
    if (next == container.end()) {
      if (!container.empty()) break_line(out, indent, open.size() - 1);
      out += container.is_array() ? ']' : '}';
      open.pop_back();
      continue;
    }
    if (next != container.begin()) out += ',';
    break_line(out, indent, open.size());
    if (container.is_object()) {
      write_string(next.key(), out);
      out += indent < 0 ? ":" : ": ";
    }
    const json& item = *next;
    ++next;
    enter(item);
  }
  return out;
}

}  // namespace moonlet
