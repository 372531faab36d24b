// core.ledger is the index of a repository's runs. It only speeds up queries; the files of the runs
// are authoritative. If the ledger is unusable, functions return nil and an error, and commands
// must do without it. Calls run on a worker thread, because another process may have locked the
// ledger.
#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <map>

#include "host/artifact/ledger/ledger.h"
#include "host/artifact/ledger/record.h"
#include "host/artifact/ledger/table.h"
#include "host/artifact/run/home.h"
#include "host/artifact/run/ledger_fill.h"
#include "host/base/clock.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/bind.h"

namespace moonlet {

using Filter = std::map<std::string, std::string, std::less<>>;

/// Reads the string fields of a table, and ignores its other fields.
template <>
struct Argument<const Filter&> {
  static constexpr int kCount = 1;
  static const Filter& read(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    auto& filter = push_box<Filter>(L);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
      if (lua_type(L, -1) != LUA_TSTRING || lua_type(L, -2) != LUA_TSTRING) continue;
      filter.emplace(check_text(L, -2), check_text(L, -1));
    }
    return filter;
  }
};

namespace {

using nlohmann::json;

json or_null(const std::string& text) { return text.empty() ? json() : json(text); }

template <typename T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json or_null(bool value) { return value; }
json or_null(std::int64_t value) { return value; }

using Names = std::initializer_list<std::string_view>;

bool holds(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Returns a row as a JSON object of its columns, except for those in `without`. Formats times as
/// text.
template <typename Row>
json columns_of(const Row& row, const Names& without) {
  const Names always_text = {"task_id", "preset", "status", "dir", "key", "kind"};
  json object = json::object();
  LedgerTable<Row>::each(row, [&](std::string_view name, const auto& value) {
    if (holds(without, name)) return;
    json& member = object[std::string(name)];
    member = or_null(value);
    if (member.is_null() && holds(always_text, name)) member = "";
    if (member.is_number() && name.ends_with("_at"))
      member = iso8601_utc(member.get<std::int64_t>());
  });
  return object;
}

json to_json(const LedgerRun& run) {
  json object = columns_of(run, {"host_pid"});
  object["id"] = run.id;
  return object;
}

json to_json(const LedgerStep& step) { return columns_of(step, {"seq", "started_at"}); }

json to_json(const LedgerUsage& usage) {
  return {
      {"run", usage.run},
      {"step", usage.step},
      {"attempt", usage.attempt},
      {"runner", or_null(usage.runner)},
      {"model", or_null(usage.model)},
      {"total_tokens", or_null(usage.total)},
      {"cost_usd", or_null(usage.cost_usd)},
  };
}

json to_json(const LedgerTotals& totals) {
  return {
      {"group", totals.group},
      {"attempts", totals.attempts},
      {"unreported", totals.unreported},
      {"unpriced", totals.unpriced},
      {"estimated", totals.estimated},
      {"input_tokens", or_null(totals.input)},
      {"cached_input_tokens", or_null(totals.cached)},
      {"cache_write_tokens", or_null(totals.written)},
      {"output_tokens", or_null(totals.output)},
      {"reasoning_output_tokens", or_null(totals.reasoning)},
      {"total_tokens", or_null(totals.total)},
      {"cost_usd", or_null(totals.cost_usd)},
  };
}

template <typename Row>
json to_json(const std::vector<Row>& rows) {
  json list = json::array();
  for (const Row& row : rows) list.push_back(to_json(row));
  return list;
}

json to_json(const LedgerRecord& record) {
  json run = to_json(record.run);
  run["steps"] = to_json(record.steps);
  return run;
}

json to_json(const LedgerFill& fill) { return {{"runs", fill.runs}, {"skipped", fill.skipped}}; }

/// How long to wait if another process has locked the ledger. A rebuild that the user asked for
/// waits longer.
constexpr std::int64_t kPatienceMs = 5'000;
constexpr std::int64_t kPatienceOfRebuildMs = 30'000;

Result<Ledger*> open_ledger(Home& home) {
  auto ledger = home.ledger();
  if (!ledger) return ledger.error();
  if (*ledger == nullptr) return Error{ErrorKind::kInvalid, "there are no runs here", {}, {}};
  (*ledger)->set_patience(kPatienceMs);
  return *ledger;
}

/// Returns the result of `use`, called with the ledger of `home`, as JSON.
template <typename Fn>
Result<json> with_ledger(Home& home, Fn use) {
  auto ledger = open_ledger(home);
  if (!ledger) return ledger.error();
  auto result = use(**ledger);
  if (!result) return result.error();
  return to_json(*result);
}

/// put(home, id, text of run.json) writes the rows of a run. Returns true, or nil and an error
Result<void> ledger_put(Home& home, std::string_view id, std::string_view text) {
  auto ledger = open_ledger(home);
  if (!ledger) return ledger.error();
  auto record = ledger_record(id, text);
  return record ? (*ledger)->put_record(*record) : record.error();
}

/// forget(home, id) deletes the rows of a removed run. Returns true, or nil and an error
Result<void> ledger_forget(Home& home, std::string_view id) {
  auto ledger = open_ledger(home);
  return ledger ? (*ledger)->remove_run(id) : ledger.error();
}

std::string text_in(const Filter& filter, std::string_view key) {
  const auto at = filter.find(key);
  return at == filter.end() ? std::string() : at->second;
}

UsageFilter usage_filter(const Filter& filter) {
  UsageFilter wanted;
  wanted.run = text_in(filter, "run");
  wanted.preset = text_in(filter, "preset");
  wanted.runner = text_in(filter, "runner");
  wanted.model = text_in(filter, "model");
  wanted.since_day = text_in(filter, "since");
  wanted.until_day = text_in(filter, "until");
  return wanted;
}

/// list(home, {task?, preset?, verdict?, status?, parent?, before?}, limit) returns runs, newest
/// first
Result<json> ledger_list(Home& home, const Filter& filter, std::size_t limit) {
  RunFilter wanted;
  wanted.task = text_in(filter, "task");
  wanted.preset = text_in(filter, "preset");
  wanted.verdict = text_in(filter, "verdict");
  wanted.status = text_in(filter, "status");
  wanted.parent = text_in(filter, "parent");
  return with_ledger(home, [&](Ledger& ledger) {
    return ledger.list_runs(wanted, limit, text_in(filter, "before"));
  });
}

/// get(home, id) returns a run with its steps
Result<json> ledger_get(Home& home, std::string_view id) {
  return with_ledger(home, [&](Ledger& ledger) { return ledger.get_record(id); });
}

/// usage(home, {run?, runner?, model?, since?, until?}, by) returns the summed usage as { totals, …
/// }.
/// `by` is how to group: all, day, runner, model, run or preset.
Result<json> ledger_usage(Home& home, const Filter& filter, std::string_view by) {
  constexpr std::string_view kGroups[] = {"all", "day", "runner", "model", "run", "preset"};
  const auto at = std::find(std::begin(kGroups), std::end(kGroups), by);
  if (at == std::end(kGroups)) {
    return Error{ErrorKind::kInvalid, "no usage by '" + std::string(by) + "'", {}, {}};
  }
  const auto group = static_cast<UsageBy>(at - std::begin(kGroups));
  return with_ledger(
      home, [&](Ledger& ledger) { return ledger.usage_totals(usage_filter(filter), group); });
}

/// attempts(home, {run?, preset?, runner?, model?}, limit) returns attempts of agents with their
/// tokens and cost.
/// Attempts of the newest runs come first.
Result<json> ledger_attempts(Home& home, const Filter& filter, std::size_t limit) {
  return with_ledger(
      home, [&](Ledger& ledger) { return ledger.list_usage(usage_filter(filter), limit); });
}

/// differs(home, id, text of run.json) returns a list of differences between run.json and the
/// ledger
Result<json> ledger_differs(Home& home, std::string_view id, std::string_view text) {
  auto ledger = open_ledger(home);
  if (!ledger) return ledger.error();
  auto should_be = ledger_record(id, text);
  if (!should_be) return should_be.error();
  auto is = (*ledger)->get_record(id);
  if (is.ok()) return json(ledger_differences(*is, *should_be));
  if (is.error().kind != ErrorKind::kInvalid) return is.error();
  return json::array({"it is not there"});
}

/// strays(home) returns a list of texts, such as "usage of R-077". Each names the rows of a run
/// that is not in the ledger.
Result<std::vector<std::string>> ledger_strays(Home& home) {
  auto ledger = open_ledger(home);
  return ledger ? (*ledger)->strays() : ledger.error();
}

/// present(home) returns two flags: whether the ledger exists, and whether it must be rebuilt
std::tuple<bool, bool> ledger_present(Home& home) {
  auto ledger = home.ledger();
  if (!ledger || *ledger == nullptr) return {false, false};
  return {(*ledger)->present(), is_ledger_stale(**home.existing())};
}

/// mark_stale(home): makes the next use rebuild the ledger. Call it after a failed put().
void ledger_mark_stale(Home& home) {
  auto agent = home.existing();
  if (agent && *agent != nullptr) (void)mark_ledger_stale(**agent);
}

/// rebuild(home) rebuilds the ledger from the runs' files, even if it is damaged.
/// Returns {runs, skipped}, or nil and an error.
Result<json> ledger_rebuild(Home& home) {
  return with_ledger(home, [&](Ledger& ledger) -> Result<LedgerFill> {
    const Dir& agent = **home.existing();
    ledger.set_patience(kPatienceOfRebuildMs);
    const bool was_stale = is_ledger_stale(agent);
    if (auto unmarked = unmark_ledger_stale(agent); !unmarked) return unmarked.error();
    auto fill = rebuild_ledger(ledger, agent);
    if (!fill && was_stale) (void)mark_ledger_stale(agent);
    return fill;
  });
}

/// complete(home) adds the runs that are on disk but not in the ledger.
/// Returns {runs, skipped}, or nil and an error.
Result<json> ledger_complete(Home& home) {
  return with_ledger(home,
                     [&](Ledger& ledger) { return complete_ledger(ledger, **home.existing()); });
}

}  // namespace

const luaL_Reg kCoreLedger[] = {
    {"put", working<ledger_put>},
    {"forget", working<ledger_forget>},
    {"list", working<ledger_list>},
    {"get", working<ledger_get>},
    {"usage", working<ledger_usage>},
    {"attempts", working<ledger_attempts>},
    {"differs", working<ledger_differs>},
    {"strays", working<ledger_strays>},
    {"present", raising<ledger_present>},
    {"mark_stale", raising<ledger_mark_stale>},
    {"rebuild", working<ledger_rebuild>},
    {"complete", working<ledger_complete>},
    {nullptr, nullptr},
};

}  // namespace moonlet
