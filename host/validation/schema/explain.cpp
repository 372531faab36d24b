#include <algorithm>
#include <tuple>

#include "host/base/json.h"
#include "host/validation/schema/error.h"
#include "host/validation/schema/evaluate.h"

namespace moonlet::schema {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSentence = 60;     // cost of an error message, in budget steps
constexpr std::size_t kBranchErrors = 6;    // report at most this many errors of a branch
constexpr std::size_t kNestedBranches = 3;  // maximum nesting of anyOf and oneOf in an error
constexpr std::size_t kCandidates = 200;    // compare a wrong name with at most this many names

const Node& target_of(const Node& node) {
  const Node* at = &node;
  while (at->ref != nullptr) at = at->ref;
  return *at;
}

std::size_t depth_of(const SchemaError& error) {
  return static_cast<std::size_t>(std::count(error.instance.begin(), error.instance.end(), '/'));
}

// Distance tells how far a branch of anyOf or oneOf is from a match. A wrong "const" or "enum"
// counts most. A branch whose errors are deeper in the value is closer, because everything around
// them matches.
struct Distance {
  std::size_t wrong_kind = 0, wrong_shape = 0, shallowness = 0, faults = 0;

  Distance(const std::vector<SchemaError>& errors, std::size_t depth) {
    std::size_t deepest = 0;
    for (const auto& error : errors) {
      const auto below = depth_of(error) - depth;
      deepest = std::max(deepest, below);
      const auto keyword = error.schema.substr(error.schema.rfind('/') + 1);
      if (below <= 1 && (keyword == "const" || keyword == "enum")) ++wrong_kind;
      if (below <= 1 && (keyword == "required" || keyword == "additionalProperties")) ++wrong_shape;
    }
    shallowness = SIZE_MAX - deepest;
    faults = errors.size();
  }
  auto rank() const { return std::tie(wrong_kind, wrong_shape, shallowness, faults); }
};

std::vector<std::string_view> names_of(const json& object) {
  std::vector<std::string_view> names;
  for (auto item = object.begin(); item != object.end() && names.size() < kCandidates; ++item) {
    names.push_back(item.key());
  }
  return names;
}

std::string show_expected(const json& value) {
  if (!value.is_structured()) return show(value);
  const auto text = json_text(value);
  return text.size() <= 80 ? text : show(value);
}

// If a text contains a JSON value of an allowed type, such as "12" for a number, returns a hint to
// write the value without quotes. Otherwise returns "".
std::string unquoted_hint(const json& value, TypeSet types) {
  if (!value.is_string()) return {};
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > 40) return {};
  const auto parsed = parse_json(text);
  if (!parsed || !(type_of(*parsed) & types)) return {};
  return "; write it without quotes";
}

std::string title_of(const Node& node) {
  const json& schema = *target_of(node).place->value;
  if (!schema.is_object()) return {};
  const auto title = schema.find("title");
  return title != schema.end() && title->is_string() ? " " + show(*title) : std::string();
}

}  // namespace

std::string path_text(const Path& path) {
  std::vector<const Path*> chain;
  for (const Path* at = &path; at->parent != nullptr; at = at->parent) chain.push_back(at);
  std::string out;
  std::for_each(chain.rbegin(), chain.rend(), [&](const Path* step) {
    out += step->key != nullptr ? pointer_step(*step->key) : "/" + std::to_string(step->index);
  });
  return out;
}

// Subtracts `steps` for an error message from the budget. Returns false if the caller should not
// build the message, because it is not wanted or the budget is exhausted.
bool Evaluator::costs(const Subject& subject, std::uint64_t steps) {
  return subject.sink != nullptr && budget_.spend(steps);
}

bool Evaluator::fault(const Subject& subject, std::string_view keyword, const std::string& rest) {
  if (!costs(subject, kSentence) || subject.sink->full()) return false;
  SchemaError error;
  error.instance = path_text(subject.path);
  error.schema = pointer_text(*subject.node.place);
  if (!keyword.empty()) error.schema += "/" + std::string(keyword);
  error.message = (error.instance.empty() ? "the value" : error.instance) + " ";
  // Show the value, unless `rest` describes it. Then `rest` begins with "has", "lacks" or "is".
  const bool says_value =
      rest.starts_with("has ") || rest.starts_with("lacks ") || rest.starts_with("is ");
  if (!says_value) error.message += "is " + show(subject.value) + "; ";
  error.message += rest;
  subject.sink->add(std::move(error));
  return false;
}

bool Evaluator::type_fault(const Subject& subject) {
  if (!costs(subject, 2)) return false;
  const auto types = subject.node.types;
  return fault(subject, "type",
               "expected " + type_names(types) + unquoted_hint(subject.value, types));
}

bool Evaluator::enum_fault(const Subject& subject) {
  if (!costs(subject, kSentence)) return false;
  const json& values = *subject.node.enumeration->values;
  std::vector<std::string_view> texts;
  std::string list;
  for (std::size_t i = 0; i < values.size() && i < kCandidates; ++i) {
    if (values[i].is_string()) texts.push_back(values[i].get_ref<const std::string&>());
    if (i < 20) list += (i == 0 ? "" : ", ") + show_expected(values[i]);
  }
  if (values.size() > 20) list += " and " + std::to_string(values.size() - 20) + " more";
  std::string rest = (values.size() == 1 ? "expected " : "expected one of ") + list;
  if (values.empty()) rest = "expected nothing: the list of allowed values is empty";
  if (subject.value.is_string()) {
    budget_.spend(texts.size() * 8);
    const auto near = near_name(subject.value.get_ref<const std::string&>(), texts);
    if (!near.empty()) rest += "; did you mean " + show_text(near) + "?";
  }
  return fault(subject, "enum", rest);
}

bool Evaluator::bound_fault(const Subject& subject, std::string_view keyword, std::string_view what,
                            const json& bound) {
  if (!costs(subject, 2)) return false;
  return fault(subject, keyword, "expected " + std::string(what) + show(bound));
}

bool Evaluator::count_fault(const Subject& subject, std::string_view keyword, std::uint64_t count,
                            std::string_view noun, std::uint64_t bound) {
  if (!costs(subject, 2)) return false;
  return fault(subject, keyword,
               "has " + count_of(count, noun) + "; expected at " +
                   (keyword.starts_with("min") ? "least " : "most ") + std::to_string(bound));
}

bool Evaluator::unexpected_fault(const Subject& subject, const std::string& key) {
  if (!costs(subject, kCandidates)) return false;
  std::vector<std::string_view> known;
  for (const auto& [name, node] : subject.node.object->properties) {
    if (known.size() < kCandidates) known.push_back(name);
  }
  const auto near = near_name(key, known);
  std::string rest = "has the unexpected property " + show_text(key);
  if (!near.empty() && !subject.value.contains(std::string(near))) {
    rest += "; did you mean " + show_text(near) + "?";
  } else if (!known.empty()) {
    rest += "; expected only " + list_texts(known, "and");
  }
  return fault(subject, "additionalProperties", rest);
}

bool Evaluator::missing_fault(const Subject& subject,
                              const std::vector<std::string_view>& missing) {
  if (!costs(subject, kCandidates)) return false;
  std::string rest = std::string("lacks the ") +
                     (missing.size() == 1 ? "property " : "properties ") +
                     list_texts(missing, "and");
  // Look for unknown properties, whose names may be misspelled names of missing ones.
  const auto& known = subject.node.object->properties;
  std::vector<std::string_view> unknown;
  for (const auto name : names_of(subject.value)) {
    if (known.find(name) == known.end()) unknown.push_back(name);
  }
  for (std::size_t i = 0; i < missing.size() && i < 8; ++i) {
    const auto near = near_name(missing[i], unknown);
    if (near.empty()) continue;
    rest += "; is " + show_text(near) + " meant to be " + show_text(missing[i]) + "?";
  }
  return fault(subject, "required", rest);
}

bool Evaluator::needs_fault(const Subject& subject, std::string_view key,
                            const std::vector<std::string_view>& missing) {
  if (!costs(subject, 2)) return false;
  return fault(
      subject, "dependencies",
      "has the property " + show_text(key) + " and so needs " + list_texts(missing, "and"));
}

bool Evaluator::name_fault(const Subject& subject, const std::string& key,
                           std::vector<SchemaError> causes) {
  if (!costs(subject, 2)) return false;
  std::string rest = "has a property of the wrong name " + show_text(key);
  // In the message about the name, append the part that says what a name must match.
  if (!causes.empty()) {
    const auto& message = causes.front().message;
    const auto expected = message.rfind("; expected ");
    if (expected != std::string::npos) rest += message.substr(expected);
  }
  return fault(subject, "propertyNames", rest);
}

// Removes the candidates whose "const" and "enum" properties do not match the value, unless that
// removes all.
void Evaluator::keep_right_kind(const Subject& subject, const std::vector<const Node*>& branches,
                                std::vector<std::size_t>& candidates) {
  std::vector<std::size_t> right;
  for (const auto i : candidates) {
    if (check_kinds(target_of(*branches[i]), subject.value, subject.path)) right.push_back(i);
  }
  if (!right.empty()) candidates = std::move(right);
}

// Returns the branch that is closest to a match. Uses at most half of the remaining steps, so that
// enough are left to report its errors.
Evaluator::Branch Evaluator::closest_branch(const Subject& subject,
                                            const std::vector<const Node*>& branches,
                                            const std::vector<std::size_t>& candidates) {
  std::size_t depth = 0;
  for (const Path* at = &subject.path; at->parent != nullptr; at = at->parent) ++depth;
  const auto left = budget_.left();
  budget_ = Budget(left / 2);
  Branch closest{candidates.front(), {}};
  for (const auto i : candidates) {
    ErrorList sink(kBranchErrors);
    check(*branches[i], subject.value, subject.path, &sink);
    if (stopped()) break;
    if (closest.errors.empty() ||
        Distance(sink.errors(), depth).rank() < Distance(closest.errors, depth).rank()) {
      closest = {i, std::move(sink.errors())};
    }
  }
  budget_ = Budget(left - left / 2 + budget_.left());
  too_deep_ = false;
  return closest;
}

bool Evaluator::branch_fault(const Subject& subject, const std::vector<const Node*>& branches,
                             std::string_view keyword) {
  const TypeSet type = type_of(subject.value);
  TypeSet types = 0;
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const Node& branch = target_of(*branches[i]);
    if (branch.rejects) continue;
    types = static_cast<TypeSet>(types | branch.types);
    if (branch.types & type) candidates.push_back(i);
  }
  keep_right_kind(subject, branches, candidates);
  if (candidates.empty()) {
    return fault(subject, keyword,
                 types == 0
                     ? "is not allowed here"
                     : "expected " + type_names(types) + unquoted_hint(subject.value, types));
  }
  Branch closest{candidates.front(), {}};
  const std::size_t choices = candidates.size() > 1 ? 1 : 0;
  if (nested_branches_ + choices <= kNestedBranches) {
    nested_branches_ += choices;
    closest = closest_branch(subject, branches, candidates);
    nested_branches_ -= choices;
  }
  // Only one branch is possible by the value's type and its "const" and "enum" properties, so
  // report the errors of this branch directly.
  if (choices == 0 && !closest.errors.empty()) {
    for (auto& error : closest.errors) subject.sink->add(std::move(error));
    return false;
  }
  const auto size = subject.sink->errors().size();
  std::string rest = "is " + show(subject.value) + ", none of the " +
                     std::to_string(branches.size()) + " allowed forms";
  if (!closest.errors.empty()) {
    rest += "; the closest is form " + std::to_string(closest.index + 1) +
            title_of(*branches[closest.index]);
  }
  fault(subject, keyword, rest);
  if (subject.sink->errors().size() > size) {
    subject.sink->errors().back().causes = std::move(closest.errors);
  }
  return false;
}

bool Evaluator::several_fault(const Subject& subject, const std::vector<std::size_t>& matching) {
  const auto& branches = subject.node.combined->one_of;
  const auto name = [&](std::size_t i) {
    return "form " + std::to_string(matching[i] + 1) + title_of(*branches[matching[i]]);
  };
  return fault(subject, "oneOf",
               "has " + name(0) + " and " + name(1) + " of the " + std::to_string(branches.size()) +
                   " allowed; expected exactly one of them");
}

namespace {

SchemaError error_of_whole(std::string message) { return {"", "#", std::move(message), {}}; }

std::string reason_of(const Evaluator& evaluator, const SchemaLimits& limits) {
  if (evaluator.too_deep()) {
    return "limit: schemas nest deeper than " + std::to_string(limits.max_evaluation_depth) +
           " levels while this value is validated; use a flatter value";
  }
  return "limit: validating this value takes more than " + std::to_string(limits.max_steps) +
         " steps; use a smaller value, or a schema with fewer alternatives";
}

// Returns why a value cannot be validated: it is too deep, too large, or not JSON. Returns "" if it
// can be.
std::string refusal(const Program& program, const json& instance) {
  const auto extent =
      measure(instance, program.limits.max_instance_depth, program.limits.max_steps, SIZE_MAX);
  if (extent.too_deep) {
    return "limit: the value nests deeper than " +
           std::to_string(program.limits.max_instance_depth) + " levels";
  }
  if (extent.values > program.limits.max_steps) return "limit: the value is too large";
  if (extent.foreign) return "the value holds " + *extent.foreign + ", which is not JSON";
  return {};
}

}  // namespace

ValidationReport evaluate(const Program& program, const json& instance) {
  ValidationReport report;
  if (auto refused = refusal(program, instance); !refused.empty()) {
    report.ok = false;
    report.limit_hit = refused.starts_with("limit: ");
    report.errors.push_back(error_of_whole(std::move(refused)));
    return report;
  }
  const Path root;
  Evaluator judge(program.limits, program.limits.max_steps);
  report.ok = judge.check(*program.root, instance, root, nullptr);
  report.limit_hit = judge.stopped();
  if (report.limit_hit) {
    report.ok = false;
    report.errors.push_back(error_of_whole(reason_of(judge, program.limits)));
  }
  if (report.ok || report.limit_hit) return report;
  // Collect one error more than is reported, to find out whether there are more.
  const auto most = std::max<std::size_t>(program.limits.max_errors, 1);
  Evaluator explainer(program.limits, program.limits.max_steps / 2);
  ErrorList sink(most + 1);
  explainer.check(*program.root, instance, root, &sink);
  report.errors = std::move(sink.errors());
  report.more_errors = explainer.stopped() || report.errors.size() > most;
  if (report.errors.size() > most) report.errors.resize(most);
  if (report.errors.empty()) {
    report.errors.push_back(error_of_whole(
        "limit: the value does not fit the schema, but to say why takes more steps than are "
        "allowed"));
  }
  return report;
}

}  // namespace moonlet::schema
