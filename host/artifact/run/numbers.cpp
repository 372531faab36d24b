#include "host/artifact/run/numbers.h"

#include <algorithm>

#include "host/base/id.h"

namespace moonlet {

Result<std::vector<std::uint64_t>> numbers_in(const Dir& agent, std::string_view folder,
                                              char letter, EntryKind kind) {
  std::vector<std::uint64_t> numbers;
  if (!agent.exists(folder)) return numbers;
  auto listed = agent.each(folder, [&](const Entry& entry) {
    const auto number = id_number(letter, entry.name);
    if (number != 0 && entry.kind == kind) numbers.push_back(number);
    return true;
  });
  if (!listed) return listed.error();
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace moonlet
