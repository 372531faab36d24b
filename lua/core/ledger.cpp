// core.ledger is the index of a repository's runs. It only speeds up queries; the files of the runs
// are authoritative. If the ledger is unusable, functions return nil and an error, and commands
// must do without it. Calls run on a worker thread, because another process may have locked the
// ledger.
#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "host/artifact/ledger/ledger.h"
#include "host/artifact/ledger/record.h"
#include "host/artifact/ledger/table.h"
#include "host/artifact/run/home.h"
#include "host/artifact/run/ledger_fill.h"
#include "host/base/clock.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/work.h"

namespace moonlet {

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

json to_json(const LedgerFill& fill) { return {{"runs", fill.runs}, {"skipped", fill.skipped}}; }

/// How long to wait if another process has locked the ledger. A rebuild that the user asked for
/// waits longer.
constexpr std::int64_t kPatienceMs = 5'000;
constexpr std::int64_t kPatienceOfRebuildMs = 30'000;

/// Returns a function that calls `use` with the ledger of `home`. The function runs on a worker
/// thread.
template <typename Fn>
WorkFunction with_ledger(Home& home, Fn use) {
  return [&home, use = std::move(use)]() -> Result<json> {
    auto ledger = home.ledger();
    if (!ledger) return ledger.error();
    if (*ledger != nullptr) {
      (*ledger)->set_patience(kPatienceMs);
      return use(**ledger, **home.existing());
    }
    Error error;
    error.kind = ErrorKind::kInvalid;
    error.message = "there are no runs here";
    return error;
  };
}

Result<json> done(const Result<void>& result) {
  if (!result) return result.error();
  return json(true);
}

/// put(home, id, text of run.json) writes the rows of a run. Returns true, or nil and an error
int ledger_put(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  const std::string_view text = check_text(L, 3);  // the stack keeps both texts alive
  push_work(L) = with_ledger(home, [id, text](Ledger& ledger, const Dir&) -> Result<json> {
    auto record = ledger_record(id, text);
    if (!record) return record.error();
    return done(ledger.put_record(*record));
  });
  return await_work(L);
}

/// forget(home, id) deletes the rows of a removed run. Returns true, or nil and an error
int ledger_forget(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  push_work(L) = with_ledger(home, [id](Ledger& ledger, const Dir&) -> Result<json> {
    return done(ledger.remove_run(id));
  });
  return await_work(L);
}

void set_filter(lua_State* L, const char* key, std::string& text) {
  if (lua_getfield(L, 2, key) == LUA_TSTRING) text = check_text(L, -1);
  lua_pop(L, 1);
}

/// list(home, {task?, preset?, verdict?, status?, parent?, before?}, limit) returns runs, newest
/// first
int ledger_list(lua_State* L) {
  Home& home = check_home(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  const auto limit = static_cast<std::size_t>(luaL_checkinteger(L, 3));
  auto& filter = push_box<RunFilter>(L);
  auto& before = push_box<std::string>(L);
  set_filter(L, "task", filter.task);
  set_filter(L, "preset", filter.preset);
  set_filter(L, "verdict", filter.verdict);
  set_filter(L, "status", filter.status);
  set_filter(L, "parent", filter.parent);
  set_filter(L, "before", before);
  push_work(L) =
      with_ledger(home, [&filter, &before, limit](Ledger& ledger, const Dir&) -> Result<json> {
        auto runs = ledger.list_runs(filter, limit, before);
        if (!runs) return runs.error();
        return to_json(*runs);
      });
  return await_work(L);
}

/// get(home, id) returns a run with its steps
int ledger_get(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  push_work(L) = with_ledger(home, [id](Ledger& ledger, const Dir&) -> Result<json> {
    auto record = ledger.get_record(id);
    if (!record) return record.error();
    json run = to_json(record->run);
    run["steps"] = to_json(record->steps);
    return run;
  });
  return await_work(L);
}

/// usage(home, {run?, runner?, model?, since?, until?}, by) returns the summed usage as { totals, …
/// }.
/// `by` is how to group: all, day, runner, model, run or preset.
int ledger_usage(lua_State* L) {
  static const char* const kGroups[] = {"all", "day", "runner", "model", "run", "preset", nullptr};
  Home& home = check_home(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  const auto by = static_cast<UsageBy>(luaL_checkoption(L, 3, "all", kGroups));
  auto& filter = push_box<UsageFilter>(L);
  set_filter(L, "run", filter.run);
  set_filter(L, "runner", filter.runner);
  set_filter(L, "model", filter.model);
  set_filter(L, "since", filter.since_day);
  set_filter(L, "until", filter.until_day);
  push_work(L) = with_ledger(home, [&filter, by](Ledger& ledger, const Dir&) -> Result<json> {
    auto totals = ledger.usage_totals(filter, by);
    if (!totals) return totals.error();
    return to_json(*totals);
  });
  return await_work(L);
}

/// attempts(home, {run?, preset?, runner?, model?}, limit) returns attempts of agents with their
/// tokens and cost.
/// Attempts of the newest runs come first.
int ledger_attempts(lua_State* L) {
  Home& home = check_home(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  const auto limit = static_cast<std::size_t>(luaL_checkinteger(L, 3));
  auto& filter = push_box<UsageFilter>(L);
  set_filter(L, "run", filter.run);
  set_filter(L, "preset", filter.preset);
  set_filter(L, "runner", filter.runner);
  set_filter(L, "model", filter.model);
  push_work(L) = with_ledger(home, [&filter, limit](Ledger& ledger, const Dir&) -> Result<json> {
    auto attempts = ledger.list_usage(filter, limit);
    if (!attempts) return attempts.error();
    return to_json(*attempts);
  });
  return await_work(L);
}

/// differs(home, id, text of run.json) returns a list of differences between run.json and the
/// ledger
int ledger_differs(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  const std::string_view text = check_text(L, 3);
  push_work(L) = with_ledger(home, [id, text](Ledger& ledger, const Dir&) -> Result<json> {
    auto should_be = ledger_record(id, text);
    if (!should_be) return should_be.error();
    auto is = ledger.get_record(id);
    if (is.ok()) return json(ledger_differences(*is, *should_be));
    if (is.error().kind != ErrorKind::kInvalid) return is.error();
    return json::array({"it is not there"});
  });
  return await_work(L);
}

/// strays(home) returns a list of texts, such as "usage of R-077". Each names the rows of a run
/// that is not in the ledger.
int ledger_strays(lua_State* L) {
  Home& home = check_home(L, 1);
  push_work(L) = with_ledger(home, [](Ledger& ledger, const Dir&) -> Result<json> {
    auto found = ledger.strays();
    if (!found) return found.error();
    return json(*found);
  });
  return await_work(L);
}

/// present(home) returns two flags: whether the ledger exists, and whether it must be rebuilt
int ledger_present(lua_State* L) {
  Home& home = check_home(L, 1);
  bool present = false;
  bool stale = false;
  if (auto ledger = home.ledger(); ledger.ok() && *ledger != nullptr) {
    present = (*ledger)->present();
    stale = is_ledger_stale(**home.existing());
  }
  lua_pushboolean(L, present);
  lua_pushboolean(L, stale);
  return 2;
}

/// mark_stale(home): makes the next use rebuild the ledger. Call it after a failed put().
int ledger_mark_stale(lua_State* L) {
  Home& home = check_home(L, 1);
  if (auto agent = home.existing(); agent.ok() && *agent != nullptr) {
    (void)mark_ledger_stale(**agent);
  }
  return 0;
}

/// rebuild(home) rebuilds the ledger from the runs' files, even if it is damaged.
/// Returns {runs, skipped}, or nil and an error.
int ledger_rebuild(lua_State* L) {
  Home& home = check_home(L, 1);
  push_work(L) = with_ledger(home, [](Ledger& ledger, const Dir& agent) -> Result<json> {
    ledger.set_patience(kPatienceOfRebuildMs);
    const bool was_stale = is_ledger_stale(agent);
    if (auto unmarked = unmark_ledger_stale(agent); !unmarked) return unmarked.error();
    auto fill = rebuild_ledger(ledger, agent);
    if (fill.ok()) return to_json(*fill);
    if (was_stale) (void)mark_ledger_stale(agent);
    return fill.error();
  });
  return await_work(L);
}

/// complete(home) adds the runs that are on disk but not in the ledger.
/// Returns {runs, skipped}, or nil and an error.
int ledger_complete(lua_State* L) {
  Home& home = check_home(L, 1);
  push_work(L) = with_ledger(home, [](Ledger& ledger, const Dir& agent) -> Result<json> {
    auto fill = complete_ledger(ledger, agent);
    if (!fill) return fill.error();
    return to_json(*fill);
  });
  return await_work(L);
}

}  // namespace

const luaL_Reg kCoreLedger[] = {
    {"put", guard<ledger_put>},
    {"forget", guard<ledger_forget>},
    {"list", guard<ledger_list>},
    {"get", guard<ledger_get>},
    {"usage", guard<ledger_usage>},
    {"attempts", guard<ledger_attempts>},
    {"differs", guard<ledger_differs>},
    {"strays", guard<ledger_strays>},
    {"present", guard<ledger_present>},
    {"mark_stale", guard<ledger_mark_stale>},
    {"rebuild", guard<ledger_rebuild>},
    {"complete", guard<ledger_complete>},
    {nullptr, nullptr},
};

}  // namespace moonlet
