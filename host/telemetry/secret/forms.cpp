#include "host/telemetry/secret/forms.h"

#include <nettle/base64.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <set>

#include "host/base/ascii.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Splits a name into its words: "githubApi_Key2" gives GITHUB, API and KEY.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool hump = i > 0 && is_upper(c) && is_lower(name[i - 1]);
    if ((hump || !is_letter(c)) && !words.back().empty()) words.emplace_back();
    if (is_letter(c)) words.back() += is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

enum class NameClass {
  kPlain,
  kMaybe,   // names with KEY, AUTH, …: often a setting, not a secret
  kSecret,  // names with PASSWORD, SECRET, …: almost always a secret
};

NameClass classify(std::string_view name) {
  const auto words = words_of(name);
  if (words.empty()) return NameClass::kPlain;
  // A webhook's address is a secret, because anybody who knows it can post to it.
  if (std::find(words.begin(), words.end(), "WEBHOOK") != words.end()) return NameClass::kSecret;
  // A name that ends in FILE, URL or METHOD is a setting: KEY_FILE, TOKEN_URL, AUTH_METHOD.
  if (one_of(words.back(), {"FILE", "PATH", "DIR", "URL", "URI", "ENDPOINT", "HOST", "SOCK", "TTL",
                            "TIMEOUT", "METHOD", "MODE", "TYPE", "COMMAND", "CMD", "HELPER"})) {
    return NameClass::kPlain;
  }
  auto best = NameClass::kPlain;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    for (std::string_view part : {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL"}) {
      if (word.find(part) != std::string::npos) return NameClass::kSecret;
    }
    if (one_of(word, {"PASS", "CRED", "CREDS", "BEARER", "PAT", "PSK", "JWT", "UNSEAL"}))
      return NameClass::kSecret;
    // PWD is the working directory, but DB_PWD is a password.
    if (word == "PWD" && i > 0) return NameClass::kSecret;
    if (one_of(word, {"KEY", "KEYS", "AUTH", "AUTHORIZATION", "PRIVATE", "COOKIE", "COOKIES", "SK",
                      "DSN"})) {
      best = NameClass::kMaybe;
    }
    for (std::string_view tail : {"TOKEN", "TOKENS", "APIKEY", "ACCESSKEY", "COOKIE"}) {
      if (word.ends_with(tail)) best = NameClass::kMaybe;
    }
  }
  return best;
}

bool looks_random(std::string_view text) {
  bool upper = false, lower = false, digit = false;
  for (char c : text) {
    upper |= is_upper(c);
    lower |= is_lower(c);
    digit |= is_digit(c);
  }
  return text.size() >= 16 && upper && lower && digit;
}

// Returns true for values that look like a path. base64 may start with "/", so a value with a
// random-looking part is a path only below a well-known folder.
bool is_path(std::string_view value) {
  for (std::string_view head : {"~/", "./", "../", "/home/", "/Users/", "/tmp/", "/var/", "/usr/",
                                "/etc/", "/opt/", "/run/", "/root/", "/private/", "/dev/", "/mnt/",
                                "/srv/", "/Library/", "/Applications/", "/nix/"}) {
    if (value.starts_with(head)) return true;
  }
  if (value[0] != '/') return false;
  while (!value.empty()) {
    const auto part = value.substr(0, value.find('/'));
    if (looks_random(part)) return false;
    value.remove_prefix(std::min(value.size(), part.size() + 1));
  }
  return true;
}

bool is_number(std::string_view value) {
  return value.find_first_not_of("0123456789.,:_+-eExX ") == std::string_view::npos;
}

// Returns true for a few plain words without mixed case: "disabled", "publickey", "gnome-keyring",
// "Required".
bool is_words(std::string_view value) {
  bool inner_upper = false, lower = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (!is_letter(c) && c != '-' && c != '_' && c != ' ' && c != ',') return false;
    inner_upper |= i > 0 && is_upper(c) && is_letter(value[i - 1]);
    lower |= is_lower(c);
  }
  return !(inner_upper && lower);
}

bool is_bare_address(std::string_view value) {
  return (value.starts_with("http://") || value.starts_with("https://")) &&
         value.find('@') == std::string_view::npos && value.find('?') == std::string_view::npos;
}

void append_utf16_escape(std::string& out, std::uint32_t unit, bool upper) {
  char text[8];
  std::snprintf(text, sizeof text, upper ? "\\u%04X" : "\\u%04x",
                static_cast<unsigned>(unit & 0xffff));
  out += text;
}

// Decodes a UTF-8 sequence of two to four bytes. Returns its length, or 0 if it is malformed.
std::size_t decode(std::string_view text, std::uint32_t& code) {
  const std::size_t size = utf8_sequence(text);
  if (size < 2) return 0;
  code = static_cast<unsigned char>(text[0]) & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  }
  return size;
}

// Returns the letter of JSON's short escape, such as "n" for a line feed, or 0 if there is none.
char json_short_escape(char c) {
  constexpr std::string_view kCharacters = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
  const auto at = kCharacters.find(c);
  return at == std::string_view::npos ? '\0' : kLetters[at];
}

// JsonStyle selects what a JSON encoder escapes although JSON does not require it.
struct JsonStyle {
  bool ascii = false;              // escape everything beyond ASCII
  bool upper = false;              // write hex digits in upper case: \u00E4
  bool slashes = false;            // escape "/" as "\/"
  std::string_view as_units = {};  // also escape these; unless empty, also U+2028 and U+2029
};

// Some encoders escape U+2028 and U+2029, because old JavaScript takes them for line ends.
bool is_escaped(std::uint32_t code, const JsonStyle& style) {
  return style.ascii || (!style.as_units.empty() && (code == 0x2028 || code == 0x2029));
}

std::string json_escaped(std::string_view value, const JsonStyle& style) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    std::uint32_t code = 0;
    if (style.as_units.find(c) != std::string_view::npos) {
      append_utf16_escape(out, static_cast<unsigned char>(c), style.upper);
    } else if (const char letter = json_short_escape(c); letter != 0) {
      out += '\\';
      out += letter;
    } else if (c == '/' && style.slashes) {
      out += "\\/";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      append_utf16_escape(out, static_cast<unsigned char>(c), style.upper);
    } else if (const auto size = decode(value.substr(i), code);
               size != 0 && is_escaped(code, style)) {
      if (code > 0xffff) {
        append_utf16_escape(out, 0xd800 + ((code - 0x10000) >> 10), style.upper);
        append_utf16_escape(out, 0xdc00 + ((code - 0x10000) & 0x3ff), style.upper);
      } else {
        append_utf16_escape(out, code, style.upper);
      }
      i += size - 1;
    } else {
      out += c;
    }
  }
  return out;
}

std::string url_encoded(std::string_view value, const char* digits, bool form) {
  std::string out;
  for (char c : value) {
    if (is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else if (form && c == ' ') {
      out += '+';
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

std::string base64(std::string_view value, bool url_safe) {
  std::string out(BASE64_ENCODE_RAW_LENGTH(value.size()), '\0');
  base64_encode_raw(out.data(), value.size(), reinterpret_cast<const std::uint8_t*>(value.data()));
  if (!url_safe) return out;
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

// Returns the base64 characters that depend only on `value`, if `before` unknown bytes precede it.
// They occur, for example, in base64("user:" + token).
std::string base64_core(std::string_view value, std::size_t before, bool url_safe) {
  const std::string whole = base64(std::string(before, '\0') + std::string(value), url_safe);
  const std::size_t first = (before * 8 + 5) / 6;
  const std::size_t last = (before + value.size()) * 8 / 6;
  return whole.substr(first, last - first);
}

// Adds the forms that `value` takes in a JSON text, and the forms that it takes if that JSON text
// is in turn a string inside another JSON text.
void add_json_forms(std::string_view value, const std::function<void(std::string)>& add) {
  std::set<std::string> once;
  // Each string lists the characters that a known encoder escapes, such as those of Go, Rails, PHP
  // and .NET.
  for (std::string_view units : {"", "&<>", "&<>'", "&<>'\"", "&<>'\"+`", "&<>'\"+`\x7f"}) {
    for (unsigned bits = 0; bits < 8; ++bits) {
      once.insert(json_escaped(value, {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, units}));
    }
  }
  for (const std::string& form : once) {
    add(form);
    // Encode the form again, for a JSON text in another one. Few styles suffice, because besides
    // backslashes and quotes, an encoded text has few special characters.
    add(json_escaped(form, {}));
    add(json_escaped(form, {true, false, true, {}}));
    add(json_escaped(form, {true, false, false, "&<>"}));
    add(json_escaped(form, {true, true, false, "&<>'\"+`"}));
  }
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool presumed_secret(std::string_view name, std::string_view value, std::size_t least) {
  if (value.size() < least) return false;
  const auto kind = classify(name);
  if (kind == NameClass::kPlain || is_path(value)) return false;
  if (is_words(value) && value.size() < (kind == NameClass::kSecret ? 16U : 24U)) return false;
  return kind == NameClass::kSecret || (!is_number(value) && !is_bare_address(value));
}

std::string_view url_password(std::string_view value) {
  const auto scheme = value.find("://");
  if (scheme == std::string_view::npos || scheme > 32) return {};
  auto authority = value.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?# \t\r\n"));
  const auto at = authority.rfind('@');
  const auto colon = authority.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon > at) return {};
  return authority.substr(colon + 1, at - colon - 1);
}

std::vector<std::string> forms_of_secret(std::string_view value) {
  constexpr std::size_t kLeastForm = 8;
  std::vector<std::string> forms;
  auto add = [&](std::string form) {
    if (form.size() >= kLeastForm && form != value) forms.push_back(std::move(form));
  };
  add_json_forms(value, add);
  for (bool form : {false, true}) {
    add(url_encoded(value, "0123456789ABCDEF", form));
    add(url_encoded(value, "0123456789abcdef", form));
  }
  for (bool url_safe : {false, true}) {
    add(base64(value, url_safe));
    for (std::size_t before = 0; before < 3; ++before) add(base64_core(value, before, url_safe));
  }
  // The lines of a multi-line key are often quoted, indented or printed singly, so redact each long
  // line by itself, too.
  if (value.find('\n') != std::string_view::npos) {
    for (auto rest = value; !rest.empty();) {
      const auto line = trimmed(rest.substr(0, rest.find('\n')));
      if (line.size() >= 16 && !line.starts_with("-----")) add(std::string(line));
      rest.remove_prefix(std::min(rest.size(), std::min(rest.find('\n'), rest.size()) + 1));
    }
  }
  forms.emplace_back(value);
  return forms;
}

}  // namespace moonlet
