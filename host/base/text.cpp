#include "host/base/text.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace moonlet {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Sets the valid range of the second byte of a UTF-8 sequence. The range excludes overlong
// encodings and surrogates.
void second_byte_range(unsigned char lead, unsigned char& low, unsigned char& high) {
  low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
}

// Returns the length of the UTF-8 sequence at the start of `text`, or of its maximal valid part.
// Sets `whole` if the sequence is complete.
std::size_t subpart(std::string_view text, bool& whole) {
  const unsigned char lead = byte_at(text, 0);
  whole = lead < 0x80;
  if (lead < 0xc2 || lead > 0xf4) return 1;
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  unsigned char low, high;
  second_byte_range(lead, low, high);
  std::size_t at = 1;
  for (; at < size && at < text.size(); ++at) {
    const unsigned char byte = byte_at(text, at);
    if (byte < low || byte > high) break;
    low = 0x80;
    high = 0xbf;
  }
  whole = at == size;
  return at;
}

std::uint32_t code_point(std::string_view sequence) {
  const unsigned char lead = byte_at(sequence, 0);
  std::uint32_t code = sequence.size() == 1 ? lead : lead & (0x7fU >> sequence.size());
  for (std::size_t i = 1; i < sequence.size(); ++i)
    code = code << 6 | (byte_at(sequence, i) & 0x3f);
  return code;
}

// Returns true for invisible joiners and variation selectors, which some scripts and emoji need.
bool is_joiner(std::uint32_t code) {
  return code == 0x200c || code == 0x200d || (code >= 0xfe00 && code <= 0xfe0f) ||
         (code >= 0xe0100 && code <= 0xe01ef);
}

// Returns true for invisible characters: zero-width spaces, fillers, layout controls.
bool is_invisible(std::uint32_t code) {
  return code == 0x200b || (code >= 0x2060 && code <= 0x206f) || code == 0xad || code == 0x34f ||
         code == 0x180e || code == 0x115f || code == 0x1160 || code == 0x3164 || code == 0xffa0 ||
         code == 0x17b4 || code == 0x17b5 || (code >= 0x1d173 && code <= 0x1d17a);
}

// Returns true for invisible characters and those that reorder or hide text. Excludes joiners.
bool deceives(std::uint32_t code) {
  if (is_invisible(code)) return true;
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
         code == 0x200e || code == 0x200f || code == 0x061c || code == 0x2028 || code == 0x2029 ||
         code == 0xfeff || (code >= 0xe0000 && code <= 0xe007f) ||
         (code >= 0xfff9 && code <= 0xfffb);
}

// Returns true if the invisible character `joiner` is legitimate after `before`: any joiner after a
// non-ASCII character such as an emoji, and U+FE0F after a digit, "#" or "*" (a keycap).
bool may_join(std::uint32_t before, std::uint32_t joiner) {
  if (before < 0x80)
    return joiner == 0xfe0f && before != 0 &&
           std::strchr("0123456789#*", static_cast<int>(before)) != nullptr;
  return !is_joiner(before) || (joiner == 0x200d && before == 0xfe0f);
}

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7f && code <= 0x9f); }

// Returns true if a control string follows ESC `kind`: OSC, DCS, SOS, PM or APC.
bool begins_string(unsigned char kind) {
  return kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_';
}

// Returns the offset after an escape sequence, so that "\x1b[31mred" becomes "red" and not
// "[31mred". `at` is the last byte of the introducer (such as ESC [).
std::size_t after_escape(std::string_view text, std::size_t at, unsigned char kind) {
  constexpr std::size_t kLongest = 4096;  // limits how much text an unfinished sequence removes
  const std::size_t end = std::min(text.size(), at + kLongest);
  // Skips the bytes from `next` that are in [0x20, first), and then a final byte in [first, 0x7f).
  const auto after_final = [&](std::size_t next, unsigned char first) {
    while (next < end && byte_at(text, next) >= 0x20 && byte_at(text, next) < first) ++next;
    const bool is_final =
        next < text.size() && byte_at(text, next) >= first && byte_at(text, next) < 0x7f;
    return is_final ? next + 1 : next;
  };
  if (kind == '[') return after_final(at + 1, 0x40);  // CSI: parameters, then a final byte
  if (!begins_string(kind)) return after_final(at, 0x30);
  // Skip a control string up to BEL or ST. If it does not end on its line, skip only the
  // introducer.
  for (std::size_t next = at + 1; next < end && text[next] != '\n'; ++next) {
    if (text[next] == '\a') return next + 1;
    const auto two = text.substr(next, 2);
    if (two == "\x1b\\" || two == "\xc2\x9c") return next + 2;
  }
  return at + 1;
}

// Maps a C1 control to the second byte of its 7-bit form: U+009B is ESC [.
unsigned char c1_kind(std::uint32_t code) {
  return code >= 0x80 && code <= 0x9f ? static_cast<unsigned char>(code - 0x40) : 0;
}

}  // namespace

std::size_t utf8_sequence(std::string_view text) {
  if (text.empty()) return 0;
  bool whole;
  const std::size_t size = subpart(text, whole);
  return whole ? size : 0;
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    // Check eight ASCII bytes at a time, because nearly all text is ASCII.
    std::uint64_t eight = 0x80;
    if (text.size() >= 8) std::memcpy(&eight, text.data(), 8);
    if ((eight & 0x8080808080808080U) == 0) {
      text.remove_prefix(8);
      continue;
    }
    const std::size_t size = utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::size_t unfinished_utf8(std::string_view text) {
  for (std::size_t size = 1; size <= 3 && size <= text.size(); ++size) {
    const auto byte = static_cast<unsigned char>(text[text.size() - size]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size < whole ? size : 0;
  }
  return 0;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    bool whole;
    const std::size_t size = subpart(text, whole);
    out += whole ? text.substr(0, size) : kReplacement;
    text.remove_prefix(size);
  }
  return out;
}

std::size_t json_size(std::string_view text) {
  std::size_t size = 2;
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    const std::string_view sequence = text.substr(0, length);
    if (length == 0 || unsafe_on_terminal(sequence)) {
      size += length == 4 ? 12 : 6;
    } else {
      size += sequence == "\"" || sequence == "\\" ? 2 : length;
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return size;
}

bool looks_binary(std::string_view text) {
  // Cut at a character boundary, because a split sequence would count as malformed.
  text = cut_end(text, 8192);
  if (text.find('\0') != std::string_view::npos) return true;
  std::size_t odd = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_sequence(text.substr(at));
    const unsigned char byte = byte_at(text, at);
    const bool usual = byte == '\n' || byte == '\r' || byte == '\t' || byte == '\f' || byte == 0x1b;
    if (size == 0 || (byte < 0x20 && !usual)) ++odd;
    at += std::max<std::size_t>(size, 1);
  }
  // In Latin-1 text a few bytes are malformed UTF-8; in compressed data about half of them are.
  return odd * 10 > text.size() * 3;
}

std::string_view cut_end(std::string_view text, std::size_t cap) {
  if (text.size() <= cap) return text;
  std::size_t end = cap;
  // Step back to the start of the sequence that the cut would split. Malformed text may be cut
  // anywhere.
  for (std::size_t back = 0; back < 3 && end > 0 && (byte_at(text, end) & 0xc0) == 0x80; ++back)
    --end;
  const std::size_t size = utf8_sequence(text.substr(end));
  return text.substr(0, end + size > cap ? end : cap);
}

MiddleCut::MiddleCut(std::size_t cap) : cap_(cap), head_cap_(cap - cap / 3) {}

void MiddleCut::feed(std::string_view chunk) {
  total_ += chunk.size();
  const auto room = std::min(head_cap_ - head_.size(), chunk.size());
  head_.append(chunk.substr(0, room));
  chunk.remove_prefix(room);
  const std::size_t share = cap_ - head_cap_;
  if (chunk.size() > share) {
    tail_.clear();
    chunk.remove_prefix(chunk.size() - share);
  }
  tail_.append(chunk);
  if (tail_.size() > 2 * share) tail_.erase(0, tail_.size() - share);
}

std::string_view MiddleCut::head() const {
  std::string_view head = head_;
  // Drop an incomplete UTF-8 sequence at the end, whose remaining bytes were omitted.
  if (cut()) head.remove_suffix(unfinished_utf8(head));
  return head;
}

std::string_view MiddleCut::tail() const {
  std::string_view tail = tail_;
  if (!cut()) return tail;
  tail.remove_prefix(tail.size() - std::min(tail.size(), cap_ - head_cap_));
  for (int i = 0; i < 3 && !tail.empty() && (byte_at(tail, 0) & 0xc0) == 0x80; ++i) {
    tail.remove_prefix(1);
  }
  return tail;
}

std::string MiddleCut::text(std::string_view note) const {
  std::string out(head());
  if (cut()) {
    if (!out.empty() && out.back() != '\n') out += '\n';
    out.append("[\xe2\x80\xa6 ").append(std::to_string(total_ - kept())).append(" bytes left out");
    if (!note.empty()) out.append(": ").append(note);
    out += " \xe2\x80\xa6]\n";
  }
  return out.append(tail());
}

std::string cut_middle(std::string_view text, std::size_t cap, std::string_view note) {
  MiddleCut cut(cap);
  cut.feed(text);
  return cut.text(note);
}

std::optional<std::uint32_t> unsafe_on_terminal(std::string_view sequence) {
  if (sequence.empty() || (byte_at(sequence, 0) >= 0x20 && byte_at(sequence, 0) < 0x7f)) return {};
  const std::uint32_t code = code_point(sequence);
  return is_control(code) || deceives(code) ? std::optional(code) : std::nullopt;
}

std::string strip_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    bool whole;
    const std::size_t size = subpart(text.substr(at), whole);
    const std::uint32_t code = whole ? code_point(text.substr(at, size)) : 0;
    if (!whole) {
      // A terminal that is not in UTF-8 mode takes a lone byte 0x80-0x9f for a C1 control.
      out += kReplacement;
    } else if (code == 0x1b && at + 1 < text.size()) {
      const unsigned char kind = byte_at(text, at + 1);
      at = after_escape(text, at + 1, kind);
      continue;
    } else if (const unsigned char kind = c1_kind(code); kind != 0 && kind >= 'P') {
      if (kind == '[' || begins_string(kind)) {
        at = after_escape(text, at + size - 1, kind);
        continue;
      }
    } else if (code == '\n' || code == '\t' || (!is_control(code) && !deceives(code))) {
      out += text.substr(at, size);
    }
    at += size;
  }
  return out;
}

std::string printable(std::string_view text, std::size_t cap) {
  std::string out;
  std::uint32_t before = 0;
  for (std::size_t at = 0; at < text.size();) {
    bool whole;
    const std::size_t size = subpart(text.substr(at), whole);
    char escape[16] = "";
    const std::uint32_t code = whole ? code_point(text.substr(at, size)) : 0;
    if (!whole) {
      std::snprintf(escape, sizeof escape, "\\x%02x", byte_at(text, at));
    } else if (code == '\n' || code == '\t' || code == '\r') {
      std::snprintf(escape, sizeof escape, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
    } else if (is_control(code) && code < 0x80) {
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(code));
    } else if (is_control(code) || deceives(code) || (is_joiner(code) && !may_join(before, code))) {
      std::snprintf(escape, sizeof escape, "\\u{%x}", static_cast<unsigned>(code));
    }
    // Print a malformed sequence byte by byte.
    const std::size_t step = whole ? size : 1;
    const std::string_view shown =
        escape[0] != 0 ? std::string_view(escape) : text.substr(at, step);
    if (out.size() + shown.size() > cap) return out + "\xe2\x80\xa6";
    out += shown;
    at += step;
    before = code;
  }
  return out;
}

}  // namespace moonlet
