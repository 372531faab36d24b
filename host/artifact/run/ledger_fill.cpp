#include "host/artifact/run/ledger_fill.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "host/artifact/ledger/record.h"
#include "host/artifact/run/numbers.h"
#include "host/base/clock.h"
#include "host/base/id.h"

namespace moonlet {

namespace {

constexpr char kLetter = 'R';
constexpr const char* kStale = "ledger.stale";
// The search for newer runs ends when this many consecutive numbers have no run.
constexpr std::uint64_t kSearch = 64;

std::string folder_of(std::uint64_t number) { return "runs/" + numbered_id(kLetter, number); }

/// Returns the record of a run; no value if missing or damaged.
std::optional<LedgerRecord> record_of(const Dir& agent, const std::string& id) {
  const auto text = agent.read_file("runs/" + id + "/" + kRunRecordName, kLongestRunRecord);
  if (!text || text->cut) return std::nullopt;
  auto record = ledger_record(id, text->bytes);
  if (!record) return std::nullopt;
  return std::move(*record);
}

class Filler {
 public:
  Filler(Ledger& ledger, const Dir& agent) : ledger_(ledger), agent_(agent) {}

  Result<void> put(const std::vector<std::uint64_t>& numbers) {
    for (const std::uint64_t number : numbers) {
      const auto id = numbered_id(kLetter, number);
      const auto record = record_of(agent_, id);
      if (!record) {
        // Skip a run that a host is creating. A run without a record never began.
        if (agent_.exists("live/" + id)) {
          open_from_ = std::min(open_from_, number);
        } else {
          ++fill_.skipped;
          if (is_young(folder_of(number))) open_from_ = std::min(open_from_, number);
        }
        continue;
      }
      if (auto done = ledger_.put_record(*record); !done) return done;
      ++fill_.runs;
    }
    return {};
  }

  /// Marks the ledger complete up to `number`, except for runs that are being created.
  Result<void> note(std::uint64_t number) {
    return ledger_.set_complete_to(std::min(number, open_from_ - 1));
  }

  const LedgerFill& fill() const { return fill_; }

 private:
  /// Returns true if the folder of a run has changed in the last minute. Then a host may still be
  /// creating the run, although the folder `live` does not list the run yet.
  bool is_young(const std::string& folder) const {
    constexpr std::int64_t kMinuteNs = 60'000'000'000;
    const auto info = agent_.stat(folder);
    return info.ok() && system_clock().wall_ms() * 1'000'000 - info->mtime_ns < kMinuteNs;
  }

  Ledger& ledger_;
  const Dir& agent_;
  LedgerFill fill_;
  std::uint64_t open_from_ = UINT64_MAX;
};

/// A host that is killed at the end of its run may not have updated the ledger.
/// Check each run again that the ledger lists as running.
Result<void> refresh_running(Ledger& ledger, const Dir& agent) {
  const auto running = ledger.list_runs({.status = "running"}, SIZE_MAX);
  if (!running) return running.error();
  std::vector<std::string> changed;
  for (const LedgerRun& run : *running) {
    const auto record = record_of(agent, run.id);
    if (record && !ledger_differences({run, {}, {}}, *record).empty()) changed.push_back(run.id);
  }
  if (changed.empty()) return {};
  return ledger.together([&]() -> Result<void> {
    for (const std::string& id : changed) {
      // Read the record again inside the transaction, in which no other process writes the ledger.
      const auto record = record_of(agent, id);
      if (!record) continue;
      if (auto put = ledger.put_record(*record); !put) return put;
    }
    return {};
  });
}

/// Returns true if the numbers after `after` have no gap and the disk has no newer run.
bool nothing_is_missing(const Dir& agent, std::uint64_t after,
                        const std::vector<std::uint64_t>& known) {
  std::uint64_t last = after;
  for (const std::uint64_t number : known) {
    if (number != ++last) return false;
  }
  for (std::uint64_t next = last + 1; next <= last + kSearch; ++next) {
    if (agent.exists(folder_of(next))) return false;
  }
  bool newer = false;
  auto looked = agent.each("live", [&](const Entry& entry) {
    newer = id_number(kLetter, entry.name) > last;
    return !newer;
  });
  return looked.ok() && !newer;
}

}  // namespace

Result<LedgerFill> rebuild_ledger(Ledger& ledger, const Dir& agent) {
  // If the rebuild finds damage half way, it starts again, so this function may run twice.
  std::optional<Filler> filler;
  auto rebuilt = ledger.rebuild([&]() -> Result<void> {
    filler.emplace(ledger, agent);
    const auto numbers = numbers_in(agent, "runs", kLetter);
    if (!numbers) return numbers.error();
    if (auto put = filler->put(*numbers); !put) return put;
    return filler->note(numbers->empty() ? 0 : numbers->back());
  });
  if (!rebuilt) return rebuilt.error();
  return filler->fill();
}

Result<LedgerFill> complete_ledger(Ledger& ledger, const Dir& agent) {
  if (auto refreshed = refresh_running(ledger, agent); !refreshed) return refreshed.error();
  const auto after = ledger.complete_to();
  if (!after) return after.error();
  const auto known = ledger.run_numbers(*after);
  if (!known) return known.error();
  if (nothing_is_missing(agent, *after, *known)) {
    constexpr std::size_t kWorthNoting = 1000;
    if (known->size() >= kWorthNoting) {
      if (auto noted = ledger.set_complete_to(known->back()); !noted) return noted.error();
    }
    return LedgerFill{};
  }
  const auto numbers = numbers_in(agent, "runs", kLetter);
  if (!numbers) return numbers.error();
  const std::uint64_t last = numbers->empty() ? *after : std::max(*after, numbers->back());
  std::vector<std::uint64_t> missing;
  std::set_difference(std::upper_bound(numbers->begin(), numbers->end(), *after), numbers->end(),
                      known->begin(), known->end(), std::back_inserter(missing));
  Filler filler(ledger, agent);
  auto filled = ledger.together([&]() -> Result<void> {
    if (auto put = filler.put(missing); !put) return put;
    return filler.note(last);
  });
  if (!filled) return filled.error();
  return filler.fill();
}

Result<void> mark_ledger_stale(const Dir& agent) {
  auto fd = agent.open_update(kStale);
  if (!fd) return fd.error();
  return {};
}

bool is_ledger_stale(const Dir& agent) { return agent.exists(kStale); }

Result<void> unmark_ledger_stale(const Dir& agent) {
  auto removed = agent.remove_file(kStale);
  if (!removed) return removed.error();
  return {};
}

}  // namespace moonlet
