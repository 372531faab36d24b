#include "host/validation/schema/evaluate.h"

#include <algorithm>
#include <cstdlib>

#include "host/base/ascii.h"
#include "host/base/json.h"
#include "host/validation/schema/error.h"

namespace moonlet::schema {
namespace {

using nlohmann::json;

bool is_base64(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '+' || c == '/'; });
}

std::string decode_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0, count = 0;
  for (char c : text) {
    if (c == '=') break;
    bits = (bits << 6) | static_cast<unsigned>(kDigits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>((bits >> count) & 0xFF);
  }
  return out;
}

}  // namespace

bool Evaluator::check(const Node& named, const json& value, const Path& path, ErrorList* sink) {
  const Node* node = &named;
  while (node->ref != nullptr) {
    if (!budget_.spend(1)) return false;
    node = node->ref;
  }
  if (!budget_.spend(1)) return false;
  if (depth_ >= limits_.max_evaluation_depth) {
    too_deep_ = true;
    budget_.spend(UINT64_MAX);
    return false;
  }
  ++depth_;
  const Subject subject{*node, value, path, sink};
  const bool has_choice =
      node->combined && !(node->combined->any_of.empty() && node->combined->one_of.empty());
  const bool ok = has_choice && sink == nullptr && temporaries_ == 0 ? check_choice(subject)
                                                                     : check_rules(subject);
  --depth_;
  return ok;
}

bool Evaluator::check_rules(const Subject& subject) {
  const Node& node = subject.node;
  if (node.rejects) {
    return subject.sink != nullptr && fault(subject, "", "is not allowed here");
  }
  if (!check_value(subject)) return false;
  bool ok = true;
  if (node.number && subject.value.is_number()) ok = check_number(subject);
  if (node.string && subject.value.is_string()) ok = check_string(subject);
  if (node.array && subject.value.is_array()) ok = check_array(subject);
  if (node.object && subject.value.is_object()) ok = check_object(subject);
  if (node.combined && goes_on(ok, subject)) ok &= check_combined(subject);
  return ok;
}

bool Evaluator::check_choice(const Subject& subject) {
  const auto key = std::pair(&subject.node, &subject.value);
  if (const auto known = choices_.find(key); known != choices_.end()) return known->second;
  const bool ok = check_rules(subject);
  if (!stopped() && budget_.spend(8)) choices_.emplace(key, ok);
  return ok;
}

bool Evaluator::check_value(const Subject& subject) {
  const Node& node = subject.node;
  const TypeSet type = type_of(subject.value);
  if (node.types != kAnyType && !(node.types & type)) return type_fault(subject);
  if (node.constant != nullptr && !equal_values(*node.constant, subject.value, budget_)) {
    return costs(subject, 2) && fault(subject, "const", "expected " + show(*node.constant));
  }
  if (!node.enumeration) return true;
  const auto& rule = *node.enumeration;
  if (!(rule.types & type)) return enum_fault(subject);
  const auto hash = hash_value(subject.value, budget_);
  auto entry = std::lower_bound(rule.by_hash.begin(), rule.by_hash.end(),
                                std::pair<std::uint64_t, std::size_t>(hash, 0));
  for (; entry != rule.by_hash.end() && entry->first == hash; ++entry) {
    if (equal_values((*rule.values)[entry->second], subject.value, budget_)) return true;
    if (stopped()) return false;
  }
  return enum_fault(subject);
}

bool Evaluator::check_number(const Subject& subject) {
  const auto& rules = *subject.node.number;
  const json& value = subject.value;
  if (!budget_.spend(4)) return false;
  bool ok = true;
  if (rules.minimum != nullptr && compare_numbers(value, *rules.minimum) < 0) {
    ok = bound_fault(subject, "minimum", "at least ", *rules.minimum);
  }
  if (rules.maximum != nullptr && compare_numbers(value, *rules.maximum) > 0) {
    ok = bound_fault(subject, "maximum", "at most ", *rules.maximum);
  }
  if (rules.exclusive_minimum != nullptr && compare_numbers(value, *rules.exclusive_minimum) <= 0) {
    ok = bound_fault(subject, "exclusiveMinimum", "more than ", *rules.exclusive_minimum);
  }
  if (rules.exclusive_maximum != nullptr && compare_numbers(value, *rules.exclusive_maximum) >= 0) {
    ok = bound_fault(subject, "exclusiveMaximum", "less than ", *rules.exclusive_maximum);
  }
  if (rules.multiple_of != nullptr && !check_multiple(value, rules.divisor)) {
    ok = bound_fault(subject, "multipleOf", "a multiple of ", *rules.multiple_of);
  }
  return ok;
}

bool Evaluator::check_multiple(const json& value, const Decimal& divisor) {
  const auto decimal = as_decimal(value);
  const auto digits = static_cast<std::uint64_t>(std::abs(decimal.exponent - divisor.exponent));
  return budget_.spend(10 + digits) && is_multiple(decimal, divisor);
}

bool Evaluator::check_string(const Subject& subject) {
  const auto& rules = *subject.node.string;
  const auto& text = subject.value.get_ref<const std::string&>();
  bool ok = true;
  if (rules.min_length > 0 || rules.max_length < UINT64_MAX) {
    if (!budget_.spend(text.size() / 64)) return false;
    const auto length = count_code_points(text);
    if (length < rules.min_length) {
      ok = count_fault(subject, "minLength", length, "character", rules.min_length);
    }
    if (length > rules.max_length) {
      ok = count_fault(subject, "maxLength", length, "character", rules.max_length);
    }
  }
  return goes_on(ok, subject) && check_text(subject, rules, text) && ok;
}

bool Evaluator::check_text(const Subject& subject, const StringRules& rules,
                           const std::string& text) {
  bool ok = true;
  if (rules.pattern != nullptr) {
    if (!budget_.spend(rules.pattern->cost(text.size()))) return false;
    if (!rules.pattern->matches(text)) {
      ok = costs(subject, 2) &&
           fault(subject, "pattern",
                 "expected a text that matches the pattern " + show_text(rules.pattern->source()));
    }
  }
  if (rules.format != nullptr) {
    const auto& format = *rules.format;
    const bool fits_size = text.size() <= format.max_bytes;
    if (fits_size && !budget_.spend(1 + (text.size() / 64 + 1) * format.cost)) return false;
    if (!fits_size || !format.matches(text)) {
      ok = costs(subject, 2) && fault(subject, "format",
                                      "expected the format " + std::string(format.name) +
                                          ", such as " + show_text(format.example));
    }
  }
  if (!rules.is_base64 && !rules.is_json) return ok;
  if (!budget_.spend(text.size() / 4)) return false;
  if (rules.is_base64 && !is_base64(text)) {
    return fault(subject, "contentEncoding", "expected a text in base64");
  }
  if (rules.is_json && !parse_json(rules.is_base64 ? decode_base64(text) : text)) {
    return fault(subject, "contentMediaType", "expected a text that is JSON");
  }
  return ok;
}

bool Evaluator::check_array(const Subject& subject) {
  const auto& rules = *subject.node.array;
  const auto size = subject.value.size();
  bool ok = true;
  if (size < rules.min_items) {
    ok = count_fault(subject, "minItems", size, "item", rules.min_items);
  }
  if (size > rules.max_items) {
    ok = count_fault(subject, "maxItems", size, "item", rules.max_items);
  }
  if (rules.unique && goes_on(ok, subject)) {
    if (const auto pair = equal_pair(subject.value, budget_)) {
      ok = costs(subject, 2) &&
           fault(subject, "uniqueItems",
                 "has the same value at " + std::to_string(pair->first) + " and " +
                     std::to_string(pair->second) + "; expected each only once");
    }
  }
  if (goes_on(ok, subject)) ok &= check_items(subject);
  if (rules.contains != nullptr && goes_on(ok, subject)) ok &= check_contains(subject);
  return ok;
}

bool Evaluator::check_items(const Subject& subject) {
  const auto& rules = *subject.node.array;
  const json& array = subject.value;
  if (rules.items == nullptr && !rules.is_tuple) return true;
  bool ok = true;
  for (std::size_t i = 0; i < array.size() && goes_on(ok, subject); ++i) {
    const Node* node = rules.items;
    if (rules.is_tuple) node = i < rules.tuple.size() ? rules.tuple[i] : rules.additional;
    if (node == nullptr) break;
    ok &= check(*node, array[i], Path{&subject.path, nullptr, i}, subject.sink);
  }
  return ok;
}

bool Evaluator::check_contains(const Subject& subject) {
  const Node& wanted = *subject.node.array->contains;
  for (std::size_t i = 0; i < subject.value.size() && !stopped(); ++i) {
    if (check(wanted, subject.value[i], Path{&subject.path, nullptr, i}, nullptr)) return true;
  }
  return costs(subject, 2) &&
         fault(subject, "contains", "has no item of the form that at least one must have");
}

bool Evaluator::check_object(const Subject& subject) {
  const auto& rules = *subject.node.object;
  const auto size = subject.value.size();
  bool ok = true;
  if (size < rules.min_properties) {
    ok = count_fault(subject, "minProperties", size, "property", rules.min_properties);
  }
  if (size > rules.max_properties) {
    ok = count_fault(subject, "maxProperties", size, "property", rules.max_properties);
  }
  if (!rules.required.empty() && goes_on(ok, subject)) ok &= check_required(subject);
  if (!rules.dependencies.empty() && goes_on(ok, subject)) ok &= check_dependencies(subject);
  if (rules.names != nullptr && goes_on(ok, subject)) ok &= check_names(subject);
  if (goes_on(ok, subject)) ok &= check_members(subject);
  return ok;
}

bool Evaluator::check_members(const Subject& subject) {
  const auto& rules = *subject.node.object;
  if (rules.properties.empty() && rules.patterns.empty() && rules.additional == nullptr)
    return true;
  if (subject.sink == nullptr && !check_kinds(subject.node, subject.value, subject.path)) {
    return false;
  }
  bool ok = true;
  const auto& object = subject.value.get_ref<const json::object_t&>();
  for (const auto& [key, value] : object) {
    if (!goes_on(ok, subject)) break;
    ok &= check_member(subject, key, value);
  }
  return ok;
}

bool Evaluator::check_kinds(const Node& node, const json& value, const Path& path) {
  if (!node.object || !value.is_object()) return true;
  const auto& object = value.get_ref<const json::object_t&>();
  for (const auto& [key, kind] : node.object->kinds) {
    if (!budget_.spend(1)) return false;
    const auto found = object.find(key);
    if (found == object.end()) continue;
    if (!check_value({*kind, found->second, path, nullptr})) return false;
  }
  return true;
}

bool Evaluator::check_member(const Subject& subject, const std::string& key, const json& value) {
  const auto& rules = *subject.node.object;
  const Path path{&subject.path, &key, 0};
  if (!budget_.spend(1 + key.size() / 64)) return false;
  bool ok = true, known = false;
  if (const auto found = rules.properties.find(key); found != rules.properties.end()) {
    known = true;
    ok = check(*found->second, value, path, subject.sink);
  }
  for (const auto& [pattern, node] : rules.patterns) {
    if (!goes_on(ok, subject) || !budget_.spend(pattern->cost(key.size()))) return false;
    if (!pattern->matches(key)) continue;
    known = true;
    ok &= check(*node, value, path, subject.sink);
  }
  if (known || rules.additional == nullptr) return ok;
  if (rules.additional->rejects) return unexpected_fault(subject, key);
  return check(*rules.additional, value, path, subject.sink);
}

bool Evaluator::check_names(const Subject& subject) {
  bool ok = true;
  for (const auto& [key, value] : subject.value.get_ref<const json::object_t&>()) {
    if (!goes_on(ok, subject) || !budget_.spend(2 + key.size() / 64)) return false;
    const json name(key);
    ErrorList sink(2);
    ++temporaries_;
    const bool fits_name = check(*subject.node.object->names, name, subject.path,
                                 subject.sink != nullptr ? &sink : nullptr);
    --temporaries_;
    if (fits_name) continue;
    ok = name_fault(subject, key, std::move(sink.errors()));
  }
  return ok;
}

bool Evaluator::check_required(const Subject& subject) {
  const auto& object = subject.value.get_ref<const json::object_t&>();
  std::vector<std::string_view> missing;
  for (const auto name : subject.node.object->required) {
    if (!budget_.spend(1)) return false;
    if (object.find(std::string(name)) != object.end()) continue;
    if (subject.sink == nullptr) return false;
    missing.push_back(name);
  }
  return missing.empty() || missing_fault(subject, missing);
}

bool Evaluator::check_dependencies(const Subject& subject) {
  const auto& object = subject.value.get_ref<const json::object_t&>();
  bool ok = true;
  for (const auto& dependency : subject.node.object->dependencies) {
    if (!goes_on(ok, subject) || !budget_.spend(1)) return false;
    if (object.find(std::string(dependency.key)) == object.end()) continue;
    if (dependency.schema != nullptr) {
      ok &= check(*dependency.schema, subject.value, subject.path, subject.sink);
      continue;
    }
    std::vector<std::string_view> missing;
    for (const auto name : dependency.names) {
      if (!budget_.spend(1)) return false;
      if (object.find(std::string(name)) == object.end()) missing.push_back(name);
    }
    if (!missing.empty()) ok = needs_fault(subject, dependency.key, missing);
  }
  return ok;
}

bool Evaluator::check_combined(const Subject& subject) {
  const auto& rules = *subject.node.combined;
  bool ok = true;
  for (const Node* node : rules.all_of) {
    if (!goes_on(ok, subject)) return false;
    ok &= check(*node, subject.value, subject.path, subject.sink);
  }
  if (!rules.any_of.empty() && goes_on(ok, subject)) ok &= check_any(subject);
  if (!rules.one_of.empty() && goes_on(ok, subject)) ok &= check_one(subject);
  if (rules.negated != nullptr && goes_on(ok, subject) && fits(*rules.negated, subject)) {
    ok = costs(subject, 2) && fault(subject, "not", "has a form that is not allowed");
  }
  if (rules.condition == nullptr || !goes_on(ok, subject)) return ok;
  const Node* then = fits(*rules.condition, subject) ? rules.consequence : rules.alternative;
  if (then != nullptr) ok &= check(*then, subject.value, subject.path, subject.sink);
  return ok;
}

bool Evaluator::check_any(const Subject& subject) {
  const auto& branches = subject.node.combined->any_of;
  for (const Node* branch : branches) {
    if (fits(*branch, subject)) return true;
    if (stopped()) return false;
  }
  return subject.sink != nullptr && branch_fault(subject, branches, "anyOf");
}

bool Evaluator::check_one(const Subject& subject) {
  const auto& branches = subject.node.combined->one_of;
  std::vector<std::size_t> matching;
  for (std::size_t i = 0; i < branches.size() && matching.size() < 2; ++i) {
    if (fits(*branches[i], subject)) matching.push_back(i);
    if (stopped()) return false;
  }
  if (matching.size() == 1) return true;
  if (subject.sink == nullptr) return false;
  return matching.empty() ? branch_fault(subject, branches, "oneOf")
                          : several_fault(subject, matching);
}

}  // namespace moonlet::schema
