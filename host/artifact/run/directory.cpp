#include "host/artifact/run/directory.h"

#include <algorithm>
#include <functional>

#include "host/artifact/run/numbers.h"
#include "host/base/id.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr char kLetter = 'R';
// This file stores the last used number, so that create() need not search a million folders.
constexpr std::string_view kHint = "runs/.last";
constexpr std::uint64_t kMostRuns = 999'999'999'999;

Error no_run(std::string_view id) {
  return {ErrorKind::kInvalid,
          "there is no run '" + printable(id, 80) + "'",
          "`moonlet list` shows the runs",
          {}};
}

std::string in(std::string_view folder, std::string_view id) {
  return std::string(folder) + "/" + std::string(id);
}

}  // namespace

Result<std::uint64_t> Runs::highest() const {
  std::uint64_t highest = 0;
  auto result = agent_.each("runs", [&](const Entry& entry) {
    highest = std::max(highest, id_number(kLetter, entry.name));
    return true;
  });
  if (!result) return result.error();
  return highest;
}

// Returns the number after which create() searches for a free one. Trusts the number in the
// file `kHint` if there is a run with this number.
Result<std::uint64_t> Runs::start() const {
  std::uint64_t hint = 0;
  if (auto file = agent_.read_file(kHint, 64); file.ok()) {
    hint = id_number(kLetter, std::string_view(file->bytes).substr(0, file->bytes.find('\n')));
  }
  if (hint != 0 && agent_.exists(in("runs", numbered_id(kLetter, hint)))) return hint;
  auto found = highest();
  if (!found) return found;
  // Skip the numbers of removed runs, unless the hint is absurd.
  constexpr std::uint64_t kPlausible = 1'000'000;
  return hint > *found && hint - *found < kPlausible ? hint : *found;
}

// Overwrites the hint file in place, because a partly written hint does no harm.
void Runs::write_hint(std::string_view id) const {
  auto fd = agent_.open_update(kHint);
  if (!fd) return;
  (void)write_all(fd->get(), std::string(id) + "\n");
}

Result<RunDir> Runs::create(std::uint64_t taken,
                            const std::function<Result<void>(const RunDir&)>& before_live) const {
  // Other processes may take ids faster than this search, so each round tries more ids.
  std::uint64_t tries = 64;
  auto from = start();
  for (int round = 0; from.ok(); ++round, tries *= 2) {
    const std::uint64_t last = std::max(*from, taken);
    for (std::uint64_t number = last + 1; number <= last + tries; ++number) {
      if (number > kMostRuns) break;
      const auto id = numbered_id(kLetter, number);
      auto made = agent_.create_exclusive_dir(in("runs", id), Durable::kYes);
      if (!made) return made.error();
      if (!*made) continue;
      auto run = open(id);
      Result<void> ready = run.ok() ? Result<void>() : Result<void>(run.error());
      if (ready && before_live) ready = before_live(*run);
      if (ready) ready = mark_live(id);
      if (ready) {
        write_hint(id);
        return run;
      }
      (void)mark_finished(id);
      (void)agent_.remove_tree(in("runs", id));
      return ready.error();
    }
    if (round == 8) break;
    from = highest();
  }
  if (!from) return from.error();
  return Error{ErrorKind::kFailed,
               "no free run id was found in " + printable(agent_.path_of("runs")),
               "remove the folders there whose numbers are far too high",
               {}};
}

Result<RunDir> Runs::open(std::string_view id) const {
  if (id_number(kLetter, id) == 0) return no_run(id);
  auto dir = agent_.dir(in("runs", id));
  // A folder that cannot be opened at the moment may still exist.
  if (!dir && dir.error().kind == ErrorKind::kInvalid && !agent_.exists(in("runs", id))) {
    return no_run(id);
  }
  if (!dir) return dir.error();
  return RunDir(std::string(id), std::move(*dir));
}

Result<std::vector<std::string>> Runs::list(std::size_t limit) const {
  auto numbers = numbers_in(agent_, "runs", kLetter);
  if (!numbers) return numbers.error();
  std::vector<std::string> ids;
  for (; !numbers->empty() && ids.size() < limit; numbers->pop_back()) {
    ids.push_back(numbered_id(kLetter, numbers->back()));
  }
  return ids;
}

Result<std::vector<std::string>> Runs::live() const {
  const auto numbers = numbers_in(agent_, "live", kLetter, EntryKind::kFile);
  if (!numbers) return numbers.error();
  std::vector<std::string> ids;
  for (auto number : *numbers) ids.push_back(numbered_id(kLetter, number));
  return ids;
}

Result<void> Runs::mark_live(std::string_view id) const {
  if (id_number(kLetter, id) == 0) return no_run(id);
  auto fd = agent_.open_update(in("live", id));
  if (!fd) return fd.error();
  return agent_.sync_dir("live");
}

Result<void> Runs::mark_finished(std::string_view id) const {
  if (id_number(kLetter, id) == 0) return no_run(id);
  auto removed = agent_.remove_file(in("live", id));
  if (!removed) return removed.error();
  return {};
}

}  // namespace moonlet
