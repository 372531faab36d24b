#include "host/executor/plan.h"

#include <algorithm>

#include "host/base/ascii.h"

namespace moonlet::executor {

namespace {

struct Section {
  const char* name;
  std::vector<const char*> words;  // words that identify the section in a heading or before a colon
};

const std::vector<Section>& sections() {
  static const std::vector<Section> list = {
      {"Requirements", {"requirement", "acceptance"}},
      {"Existing patterns", {"pattern", "existing code", "style", "examples"}},
      {"Integration points", {"integration", "where to"}},
      {"Edge cases", {"edge case", "error handling", "handle"}},
      {"Expectations", {"expectation", "non-goals", "out of scope", "scope"}},
  };
  return list;
}

bool has_section(const std::string& text, const Section& section) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    const auto first = line.find_first_not_of(" \t-*");
    if (first == std::string::npos) continue;
    line.erase(0, first);
    const auto colon = line.find(':');
    const bool heading = line[0] == '#' || (colon != std::string::npos && colon < 40);
    if (!heading) continue;
    const std::string title = line[0] == '#' ? line : line.substr(0, colon);
    for (const char* word : section.words) {
      if (title.find(word) != std::string::npos) return true;
    }
  }
  return false;
}

}  // namespace

std::string_view plan_template() {
  return R"(# Plan: NAME OF THE FEATURE

What is to exist in the end, for whom, and why. Two or three sentences.

## Task

The one piece of work for the executor. Be specific: name files, functions and commands.

## Requirements

- A requirement, and how to tell that it is met (an acceptance criterion or a test).

## Existing patterns

- The file whose style and structure to follow, such as src/components/LoginForm.tsx.
- The helpers to use instead of new ones, such as apiCall in lib/api.ts.

## Integration points

- Where the new code is added, imported or registered, such as "a route in src/App.tsx".

## Edge cases

- Empty input, errors of the network, a refused login, names that are taken.

## Expectations

- How much is wanted: "simple CRUD, no optimizations". What is not part of it.
- The commands that must pass in the end, such as `npm test`.
)";
}

std::vector<std::string> missing_sections(std::string_view plan, std::string_view description) {
  const std::string text = lower(std::string(plan) + "\n" + std::string(description));
  std::vector<std::string> missing;
  for (const Section& section : sections()) {
    if (!has_section(text, section)) missing.emplace_back(section.name);
  }
  return missing;
}

}  // namespace moonlet::executor
