#include "host/artifact/run/session_dir.h"

#include <algorithm>

#include "host/artifact/run/numbers.h"
#include "host/base/id.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr char kLetter = 'S';
constexpr int kTries = 1000;

std::string path_of(std::string_view id) { return "sessions/" + std::string(id); }

}  // namespace

Result<std::string> make_session_dir(const Dir& agent, std::uint64_t taken) {
  if (auto made = agent.make_dirs("sessions", Durable::kYes); !made) return made.error();
  auto numbers = numbers_in(agent, "sessions", kLetter);
  if (!numbers) return numbers.error();
  const std::uint64_t highest = std::max(taken, numbers->empty() ? 0 : numbers->back());
  for (std::uint64_t number = highest + 1; number <= highest + kTries; ++number) {
    const auto id = numbered_id(kLetter, number);
    auto made = agent.create_exclusive_dir(path_of(id), Durable::kYes);
    if (!made) return made.error();
    if (*made) return id;
  }
  return Error{ErrorKind::kFailed, "no free session id was found", "remove what is in the way",
               printable(agent.path_of("sessions"))};
}

Result<Dir> open_session_dir(const Dir& agent, std::string_view id) {
  if (id_number(kLetter, id) == 0 || !agent.exists(path_of(id))) {
    return Error{ErrorKind::kInvalid,
                 "there is no session '" + printable(id, 80) + "'",
                 "`moonlet session list` shows the sessions",
                 {}};
  }
  return agent.dir(path_of(id));
}

Result<std::vector<std::string>> list_sessions(const Dir& agent) {
  auto numbers = numbers_in(agent, "sessions", kLetter);
  if (!numbers) return numbers.error();
  std::vector<std::string> ids;
  for (const auto number : *numbers) ids.push_back(numbered_id(kLetter, number));
  return ids;
}

}  // namespace moonlet
