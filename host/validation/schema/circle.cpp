#include <unordered_map>
#include <vector>

#include "host/validation/schema/compile.h"
#include "host/validation/schema/index.h"

namespace moonlet::schema {
namespace {

// Returns the subschemas of `node` that are applied to the same value as `node` itself.
std::vector<const Node*> same_value(const Node& node) {
  std::vector<const Node*> out;
  const auto add = [&](const Node* next) {
    if (next != nullptr) out.push_back(next);
  };
  add(node.ref);
  if (node.combined) {
    const auto& combined = *node.combined;
    for (const auto* list : {&combined.all_of, &combined.any_of, &combined.one_of}) {
      out.insert(out.end(), list->begin(), list->end());
    }
    add(combined.negated);
    add(combined.condition);
    add(combined.consequence);
    add(combined.alternative);
  }
  if (node.object) {
    for (const auto& dependency : node.object->dependencies) add(dependency.schema);
  }
  return out;
}

struct Visit {
  const Node* node;
  std::vector<const Node*> next;
};

Error circle_error(const std::vector<Visit>& open, const Node* again) {
  std::size_t start = 0;
  while (open[start].node != again) ++start;
  std::string circle;
  for (std::size_t i = start; i < open.size() && i < start + 5; ++i) {
    circle += pointer_text(*open[i].node->place) + " -> ";
  }
  if (open.size() > start + 5) circle += "… -> ";
  return schema_error(*again->place, "",
                      "it refers to itself without going deeper into the value: " + circle +
                          pointer_text(*again->place),
                      ErrorKind::kInvalid,
                      "put the reference under properties or items, or take it out");
}

}  // namespace

Result<void> check_circles(const Program& program) {
  enum class State { kOpen, kDone };
  std::unordered_map<const Node*, State> states;
  for (const auto& start : program.nodes) {
    if (!states.try_emplace(&start, State::kOpen).second) continue;
    std::vector<Visit> open{{&start, same_value(start)}};
    while (!open.empty()) {
      auto& visit = open.back();
      if (visit.next.empty()) {
        states[visit.node] = State::kDone;
        open.pop_back();
        continue;
      }
      const Node* next = visit.next.back();
      visit.next.pop_back();
      const auto [state, fresh] = states.try_emplace(next, State::kOpen);
      if (fresh) {
        open.push_back({next, same_value(*next)});
      } else if (state->second == State::kOpen) {
        return circle_error(open, next);
      }
    }
  }
  return {};
}

}  // namespace moonlet::schema
