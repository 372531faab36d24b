#include "host/telemetry/secret/redact.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "host/base/ascii.h"
#include "host/telemetry/secret/forms.h"

namespace moonlet {

namespace {

std::string label_of(std::string_view name) {
  std::string label = "[redacted:";
  for (char c : name.substr(0, 64)) {
    const bool plain = is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
    label += plain ? c : '_';
  }
  return label + "]";
}

std::size_t block_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]) |
         static_cast<std::size_t>(static_cast<unsigned char>(text[at + 1])) << 8;
}

}  // namespace

Redactor::Redactor(const std::vector<Secret>& declared,
                   const std::vector<std::string>& environment) {
  std::vector<Needle> needles;
  for (const auto& secret : declared) {
    if (trimmed(secret.value).size() >= kMinDeclared) add(secret, needles);
  }
  for (const auto& secret : secrets_of_environment(environment)) add(secret, needles);
  if (!needles.empty()) build(std::move(needles));
}

std::vector<Secret> Redactor::secrets_of_environment(const std::vector<std::string>& environment) {
  std::set<std::string_view> names;
  for (const auto& entry : environment)
    names.insert(std::string_view(entry).substr(0, entry.find('=')));

  std::vector<Secret> found;
  for (const auto& entry : environment) {
    const auto equals = entry.find('=');
    if (equals == std::string::npos) continue;
    const auto name = std::string_view(entry).substr(0, equals);
    const auto value = trimmed(std::string_view(entry).substr(equals + 1));
    // Skip a value that is the name of another variable, as in env_key = "OPENAI_API_KEY".
    if (names.count(value) != 0) continue;
    if (presumed_secret(name, value, kMinPresumed))
      found.push_back({std::string(name), std::string(value)});
    const auto password = url_password(value);
    if (password.size() >= kMinPresumed)
      found.push_back({std::string(name), std::string(password)});
  }
  return found;
}

void Redactor::add(const Secret& secret, std::vector<Needle>& needles) {
  std::string label = label_of(secret.name);
  auto number = static_cast<std::uint32_t>(forms_of_label(label).size());
  labels_.push_back(std::move(label));
  values_.emplace_back(trimmed(secret.value));
  for (auto& form : forms_of_secret(values_.back())) {
    needles.push_back({std::move(form), static_cast<std::uint32_t>(labels_.size() - 1), number++});
  }
}

void Redactor::build(std::vector<Needle> needles) {
  std::stable_sort(needles.begin(), needles.end(), [](const Needle& a, const Needle& b) {
    return a.text.size() != b.text.size() ? a.text.size() > b.text.size() : a.text < b.text;
  });
  needles.erase(std::unique(needles.begin(), needles.end(),
                            [](const Needle& a, const Needle& b) { return a.text == b.text; }),
                needles.end());

  auto table = std::make_shared<Table>();
  table->longest = needles.front().text.size();
  table->window = std::min<std::size_t>(needles.back().text.size(), 64);
  table->shift.fill(static_cast<std::uint8_t>(table->window - 1));
  table->bucket_of.fill(0);
  for (std::uint32_t i = 0; i < needles.size(); ++i) {
    const std::string& text = needles[i].text;
    table->first_byte[static_cast<unsigned char>(text[0])] = true;
    for (std::size_t at = 0; at + 2 <= table->window; ++at) {
      auto& shift = table->shift[block_at(text, at)];
      shift = std::min<std::uint8_t>(shift, static_cast<std::uint8_t>(table->window - 2 - at));
    }
    auto& bucket = table->bucket_of[block_at(text, table->window - 2)];
    if (bucket == 0) {
      table->buckets.emplace_back();
      bucket = static_cast<std::uint16_t>(table->buckets.size());
    }
    table->buckets[bucket - 1].push_back(i);
  }
  table->needles = std::move(needles);
  table_ = std::move(table);
}

bool Redactor::next(std::string_view text, std::size_t from, Hit& hit) const {
  const Table& table = *table_;
  for (std::size_t end = from + table.window; end <= text.size();) {
    const std::size_t block = block_at(text, end - 2);
    if (table.shift[block] != 0) {
      end += table.shift[block];
      continue;
    }
    const std::size_t at = end - table.window;
    for (std::uint32_t index : table.buckets[table.bucket_of[block] - 1]) {
      const Needle& needle = table.needles[index];
      if (text.size() - at < needle.text.size()) continue;
      if (std::memcmp(text.data() + at, needle.text.data(), needle.text.size()) != 0) continue;
      hit = {at, needle.text.size(), needle.label, needle.form};
      return true;
    }
    ++end;
  }
  return false;
}

// Returns the offset of the first incomplete needle at the end of the text, or the text's size if
// there is none.
std::size_t Redactor::open_end(std::string_view text, std::size_t from) const {
  const Table& table = *table_;
  const std::size_t reach = table.longest - 1;
  std::size_t at = text.size() > reach ? std::max(from, text.size() - reach) : from;
  for (; at < text.size(); ++at) {
    if (!table.first_byte[static_cast<unsigned char>(text[at])]) continue;
    const std::size_t rest = text.size() - at;
    for (const Needle& needle : table.needles) {
      if (needle.text.size() <= rest) break;  // needles are sorted, longest first
      if (std::memcmp(text.data() + at, needle.text.data(), rest) == 0) return at;
    }
  }
  return text.size();
}

std::size_t Redactor::settle(std::string_view text, bool last, std::string& out,
                             std::vector<RedactedPlace>* places) const {
  std::size_t from = 0;
  std::size_t open = last ? text.size() : open_end(text, 0);
  Hit hit;
  while (next(text, from, hit) && hit.at < open) {
    out.append(text, from, hit.at - from);
    if (places != nullptr) places->push_back({out.size(), hit.form});
    out += labels_[hit.label];
    from = hit.at + hit.size;
    // If the match overlaps the incomplete needle at `open`, find the next incomplete needle.
    if (from > open) open = open_end(text, from);
  }
  out.append(text, from, open - from);
  return open;
}

std::string Redactor::apply(std::string_view text, std::vector<RedactedPlace>* places) const {
  if (empty()) return std::string(text);
  std::string out;
  out.reserve(text.size());
  settle(text, true, out, places);
  return out;
}

// Returns the spellings of all secrets with this label, such as base64. Two secrets have the same
// label if a variable's value contains a password: the value and the password.
std::vector<std::string> Redactor::forms_of_label(std::string_view label) const {
  std::vector<std::string> forms;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    if (labels_[i] != label) continue;
    for (auto& form : forms_of_secret(values_[i])) forms.push_back(std::move(form));
  }
  return forms;
}

std::optional<std::string> Redactor::restore(std::string_view text,
                                             const std::vector<RedactedPlace>& places) const {
  std::string out;
  std::size_t from = 0;
  std::map<std::string_view, std::vector<std::string>> known;
  for (const RedactedPlace& place : places) {
    if (place.at < from || place.at >= text.size()) return std::nullopt;
    const auto end = text.find(']', place.at);
    if (end == std::string_view::npos) return std::nullopt;
    const auto label = text.substr(place.at, end + 1 - place.at);
    auto [forms, is_new] = known.try_emplace(label);
    if (is_new) forms->second = forms_of_label(label);
    if (place.form >= forms->second.size()) return std::nullopt;
    out.append(text, from, place.at - from);
    out += forms->second[place.form];
    from = end + 1;
  }
  out.append(text, from);
  return out;
}

void StreamRedactor::feed(std::string_view chunk, std::string& out) {
  if (redactor_->empty()) {
    out.append(chunk);
  } else if (held_.empty()) {
    held_.assign(chunk.substr(redactor_->settle(chunk, false, out)));
  } else {
    held_.append(chunk);
    held_.erase(0, redactor_->settle(held_, false, out));
  }
}

void StreamRedactor::finish(std::string& out) {
  if (!held_.empty()) redactor_->settle(held_, true, out);
  held_.clear();
}

}  // namespace moonlet
